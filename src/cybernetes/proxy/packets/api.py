"""The packet rules of one address family in the kernel, as the loop sees them."""

from __future__ import annotations

from typing import Protocol

import msgspec

from cybernetes.proxy.diff import Delta
from cybernetes.proxy.rules import RuleSet


class Installed(msgspec.Struct, frozen=True):
    """What was found in the kernel of our own table.

    rows      elements, as in RuleSet.rows
    chains    names of all chains
    memories  timeouts of the affinity maps
    shapes    (map of shapes, encoded shape) of all that lead to chains
    """

    rows: frozenset[bytes]
    chains: frozenset[str]
    memories: frozenset[int]
    shapes: frozenset[tuple[str, bytes]]


class Packets(Protocol):
    """Each call is all or nothing, and no packet sees half of it. Raises EdgeError.

    After an EdgeError the state in the kernel is the one before or, with outcome UNKNOWN, the one wanted:
    call `adopt` with a fresh dump.
    """

    @property
    def family(self) -> int: ...

    async def dump(self) -> Installed | None:
        """None where there is no table of ours, or one that another version built differently."""
        ...

    async def chains(self) -> frozenset[str]:
        """Names of the chains in the table; empty where there is none."""
        ...

    async def adopt(self, installed: Installed | None, wanted: RuleSet) -> int:
        """Make the table what is wanted, leaving every row that is right; returns how many rows were not."""
        ...

    async def commit(self, delta: Delta) -> None: ...

    async def remove(self) -> None:
        """Take everything back; foreign rules stay. Repeating it is harmless."""
        ...

    async def close(self) -> None:
        """Let go of the edge; rules stay installed."""
        ...
