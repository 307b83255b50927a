"""Packet rules in nf_tables: table `kube-proxy`, one netlink transaction a change.

Chains that are new have one of their own, before: a packet that came under the rules before a transaction finds a chain
that the transaction made, through a map, but no rules in it.

Small transactions run where they are called: the kernel needs microseconds. Large ones would hold up the
event loop, so they go to a thread, which the kernel serves without Python's lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from cybernetes.native import load
from cybernetes.proxy.diff import Delta, ShapeEntry, diff_rows
from cybernetes.proxy.packets.api import Installed
from cybernetes.proxy.packets.dump import read_chains, read_installed
from cybernetes.proxy.packets.messages import FAMILIES, Writer
from cybernetes.proxy.packets.netlink import Netlink
from cybernetes.proxy.rules import (
    REJECT_CHAIN,
    SETS,
    SHAPE_MAPS,
    Chain,
    Part,
    RuleSet,
    SetKind,
    SetSpec,
    affinity_memory,
)

TABLE = "kube-proxy"
COMMENT = "rules for kube-proxy"
# Above this size (about 500 rows) a transaction takes longer than the loop should be blocked.
INLINE_BYTES_MAX = 32 << 10

SHAPE_SETS = tuple(SetSpec(name, SetKind.VERDICTS, (Part.KEPT,), (), "how services are spread") for name in SHAPE_MAPS)


class NftPackets:
    """One family of the network namespace that this was made in."""

    def __init__(self, family: int) -> None:
        self._family = family
        self._netlink = Netlink()
        self._nft = load("nft")
        self._target = f"table {'ip6' if family == 6 else 'ip'} {TABLE}"
        self._layout = [
            (spec.name.encode(), int(spec.kind), spec.key_bytes(family), spec.data_bytes(family)) for spec in SETS
        ]

    @property
    def family(self) -> int:
        return self._family

    async def dump(self) -> Installed | None:
        return await asyncio.to_thread(read_installed, self._netlink, self._family, TABLE)

    async def chains(self) -> frozenset[str]:
        return read_chains(self._netlink, self._family, TABLE)

    async def adopt(self, installed: Installed | None, wanted: RuleSet) -> int:
        there = installed.rows if installed is not None else frozenset[bytes]()
        add, remove = diff_rows(there, wanted.rows)
        if installed is not None:
            installed = await self._make_chains(installed, wanted)
        writer = Writer(self._family, TABLE)
        if installed is None:
            _begin_anew(writer)
        stale = _write_chains(writer, installed, wanted)
        self._write_rows(writer, add, remove)
        for name in stale:
            writer.del_chain(name)
        for timeout_s in sorted(installed.memories - set(wanted.memories) if installed is not None else ()):
            writer.del_set(affinity_memory(timeout_s).name)
        await self._send(writer)
        return len(add) + len(remove)

    async def commit(self, delta: Delta) -> None:
        if delta.empty:
            return
        writer = Writer(self._family, TABLE)
        _write_new(writer, delta.memories_added, delta.chains_added, delta.shapes_added)
        if writer.parts:
            await self._send(writer)
            writer = Writer(self._family, TABLE)
        self._write_rows(writer, delta.add, delta.remove)
        for entry in delta.shapes_removed:
            writer.del_keys(entry.map, [entry.shape])
        for name in delta.chains_removed:
            writer.flush(name)
        for name in delta.chains_removed:
            writer.del_chain(name)
        for timeout_s in delta.memories_removed:
            writer.del_set(affinity_memory(timeout_s).name)
        if writer.parts:
            await self._send(writer)

    async def remove(self) -> None:
        writer = Writer(self._family, TABLE)
        # Made first, so that deleting it can't fail.
        writer.new_table(COMMENT)
        writer.del_table()
        await self._send(writer)

    async def close(self) -> None:
        self._netlink.close()

    async def _make_chains(self, installed: Installed, wanted: RuleSet) -> Installed:
        """Those that are not there yet, and what leads to them; returns what is there then."""
        memories = set(wanted.memories) - installed.memories
        chains = [chain for name, chain in wanted.chains.items() if name not in installed.chains]
        shapes = [
            ShapeEntry(name, shape, chain)
            for name, found in wanted.shapes.items()
            for shape, chain in found.items()
            if (name, shape) not in installed.shapes
        ]
        writer = Writer(self._family, TABLE)
        _write_new(writer, sorted(memories), chains, shapes)
        if writer.parts:
            await self._send(writer)
        return msgspec.structs.replace(
            installed,
            memories=installed.memories | memories,
            chains=installed.chains.union(chain.name for chain in chains),
        )

    def _write_rows(self, writer: Writer, add: Sequence[bytes], remove: Sequence[bytes]) -> None:
        """Adds before removes; but a key whose data changes has to go before it can come again."""
        if not add and not remove:
            return
        added_keys = {self._key(row) for row in add} if remove else set()
        replaced = [row for row in remove if self._key(row) in added_keys]
        gone = [row for row in remove if self._key(row) not in added_keys]
        if not writer.parts:
            # Changes nothing; it carries the request for an acknowledgement.
            writer.new_table(COMMENT)
        deletes, adds = self._nft.DELETE_ELEMENTS, self._nft.NEW_ELEMENTS
        runs = [*_runs(deletes, replaced), *_runs(adds, add), *_runs(deletes, gone)]
        rows = b"".join([row[1:] for block in (replaced, add, gone) for row in block])
        encoded = self._nft.encode(
            FAMILIES[self._family], TABLE.encode(), self._layout, runs, rows, REJECT_CHAIN.encode(), writer.sequence
        )
        writer.parts.append(encoded)
        writer.sequence += len(rows)

    def _key(self, row: bytes) -> bytes:
        _, kind, key_bytes, _ = self._layout[row[0]]
        return row if kind == SetKind.RANGES else row[: 1 + key_bytes]

    async def _send(self, writer: Writer) -> None:
        batch = b"".join(writer.parts)
        if len(batch) <= INLINE_BYTES_MAX:
            self._netlink.transaction(batch, self._target)
        else:
            # Not to be left half-way: the socket belongs to one transaction at a time.
            await asyncio.shield(asyncio.to_thread(self._netlink.transaction, batch, self._target))


def _runs(message: int, rows: Iterable[bytes]) -> list[tuple[int, int, int]]:
    """Rows are sorted, so those of one set are together."""
    return [(message, index, sum(1 for _ in group)) for index, group in groupby(rows, key=_set_of)]


def _set_of(row: bytes) -> int:
    return row[0]


def _begin_anew(writer: Writer) -> None:
    writer.new_table(COMMENT)
    writer.del_table()
    writer.new_table(COMMENT)
    for number, spec in enumerate((*SETS, *SHAPE_SETS)):
        writer.new_set(spec, 1000 + number)


def _write_new(writer: Writer, memories: Sequence[int], chains: Sequence[Chain], shapes: Sequence[ShapeEntry]) -> None:
    """Memories, whole chains that may use them, and what leads to those."""
    for number, timeout_s in enumerate(memories):
        writer.new_set(affinity_memory(timeout_s), number + 1)
    for chain in chains:
        writer.new_chain(chain)
        writer.new_rules(chain)
    for entry in shapes:
        writer.new_verdicts(entry.map, [(entry.shape, entry.chain)])


def _write_chains(writer: Writer, installed: Installed | None, wanted: RuleSet) -> list[str]:
    """All chains with their rules written anew; returns the chains that nothing needs, now empty."""
    memories = installed.memories if installed is not None else frozenset[int]()
    for number, timeout_s in enumerate(wanted.memories):
        if timeout_s not in memories:
            writer.new_set(affinity_memory(timeout_s), 2000 + number)
    if installed is not None:
        writer.flush()
    for chain in wanted.chains.values():
        writer.new_chain(chain)
    for chain in wanted.chains.values():
        writer.new_rules(chain)
    for name, shapes in wanted.shapes.items():
        if installed is not None:
            writer.flush_set(name)
        writer.new_verdicts(name, shapes.items())
    return sorted(installed.chains - set(wanted.chains)) if installed is not None else []
