"""What the loop tells to make rules of: service ports, all of them or those that changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Protocol

from cybernetes.proxy.diff import Ledger
from cybernetes.proxy.frame import Settings
from cybernetes.proxy.packets.api import Packets
from cybernetes.proxy.state import PortView

ViewOf = Callable[[str], PortView | None]
# Service ports that are taken in together at a start, so that the views of all never are in memory.
PLANNED_AT_ONCE = 256


class Dataplane(Protocol):
    """One address family. Raises EdgeError; `install` then has to follow before the next `change`."""

    @property
    def family(self) -> int: ...

    async def install(self, views: Iterable[PortView], settings: Settings, view_of: ViewOf) -> None:
        """Make the kernel's rules those of these service ports, whatever is there now.

        views    read before the first wait
        view_of  gives the view of each of them, as in `change`
        """
        ...

    async def change(self, changes: Mapping[str, PortView | None], view_of: ViewOf) -> None:
        """Take in service ports by key; None for one that is gone. `view_of` gives any other port's view."""
        ...

    async def intact(self) -> bool:
        """Whether the rules look as they were left; a cheap look that finds a flushed rule set."""
        ...

    async def close(self) -> None:
        """Let go of the kernel; rules stay."""
        ...


class TableDataplane:
    """Rules as rows of a table: nf_tables, or the interpreter."""

    def __init__(self, packets: Packets) -> None:
        self._packets = packets
        self._ledger = Ledger(packets.family, Settings())

    @property
    def family(self) -> int:
        return self._packets.family

    async def install(self, views: Iterable[PortView], settings: Settings, view_of: ViewOf) -> None:
        ledger = Ledger(self.family, settings)
        rest = iter(views)
        while some := {view.key: view for view in islice(rest, PLANNED_AT_ONCE)}:
            ledger.change(some, view_of)
        installed = await self._packets.dump()
        if installed is not None:
            ledger.keep(installed.shapes)
        await self._packets.adopt(installed, ledger.rule_set())
        self._ledger = ledger

    async def change(self, changes: Mapping[str, PortView | None], view_of: ViewOf) -> None:
        await self._packets.commit(self._ledger.change(changes, view_of))

    async def intact(self) -> bool:
        return await self._packets.chains() == self._ledger.chain_names()

    async def close(self) -> None:
        await self._packets.close()
