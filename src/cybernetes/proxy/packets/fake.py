"""An nf_tables in memory; `machine` sends packets through it."""

from __future__ import annotations

from cybernetes.base.errors import Bug, EdgeError, Outcome
from cybernetes.proxy.diff import Delta, diff_rows
from cybernetes.proxy.packets.api import Installed
from cybernetes.proxy.rules import SETS, Chain, Goto, Jump, RuleSet, SetKind


class FakePackets:
    """Implements Packets. refuse: how many of the next transactions fail."""

    def __init__(self, family: int) -> None:
        self.refuse = 0
        self.commits = 0
        self.rows: set[bytes] = set()
        self.table: dict[str, Chain] = {}
        self.shapes: dict[str, dict[bytes, str]] = {}
        self.memories: dict[int, dict[bytes, bytes]] = {}
        self._family = family
        self._there = False

    @property
    def family(self) -> int:
        return self._family

    async def dump(self) -> Installed | None:
        if not self._there:
            return None
        shapes = frozenset((name, shape) for name, shapes in self.shapes.items() for shape in shapes)
        return Installed(frozenset(self.rows), frozenset(self.table), frozenset(self.memories), shapes)

    async def chains(self) -> frozenset[str]:
        return frozenset(self.table)

    async def adopt(self, installed: Installed | None, wanted: RuleSet) -> int:
        self._refuse()
        add, remove = diff_rows(installed.rows if installed is not None else (), wanted.rows)
        if installed is None:
            self.rows, self.memories = set(), {}
        self._there = True
        self._change_rows(add, remove)
        self.table = dict(wanted.chains)
        self.shapes = {name: dict(shapes) for name, shapes in wanted.shapes.items()}
        self.memories = {timeout_s: self.memories.get(timeout_s, {}) for timeout_s in wanted.memories}
        self._check_references()
        return len(add) + len(remove)

    async def commit(self, delta: Delta) -> None:
        self._refuse()
        self._change_rows(delta.add, delta.remove)
        self.table.update((chain.name, chain) for chain in delta.chains_added)
        for entry in delta.shapes_added:
            self.shapes[entry.map][entry.shape] = entry.chain
        for entry in delta.shapes_removed:
            del self.shapes[entry.map][entry.shape]
        for name in delta.chains_removed:
            del self.table[name]
        self.memories.update((timeout_s, {}) for timeout_s in delta.memories_added)
        for timeout_s in delta.memories_removed:
            del self.memories[timeout_s]
        self._check_references()

    async def remove(self) -> None:
        self.__init__(self._family)  # type: ignore[misc]

    async def close(self) -> None:
        pass

    def rule_set(self) -> RuleSet:
        """What is installed."""
        return RuleSet(self._family, self.table, tuple(sorted(self.memories)), self.shapes, tuple(sorted(self.rows)))

    def _refuse(self) -> None:
        if self.refuse:
            self.refuse -= 1
            raise EdgeError("commit", "fake table", "refused", outcome=Outcome.NOT_DONE)
        self.commits += 1

    def _change_rows(self, add: tuple[bytes, ...], remove: tuple[bytes, ...]) -> None:
        """As strict as the kernel: what is removed must be there, a key can be there only once."""
        missing = [row for row in remove if row not in self.rows]
        if missing:
            raise EdgeError("commit", "fake table", f"no such elements: {missing}", outcome=Outcome.NOT_DONE)
        rows = self.rows.difference(remove).union(add)
        keys = [_key(row, self._family) for row in rows]
        if len(set(keys)) != len(keys):
            raise EdgeError("commit", "fake table", "a key twice", outcome=Outcome.NOT_DONE)
        self.rows = rows

    def _check_references(self) -> None:
        wanted = {chain for shapes in self.shapes.values() for chain in shapes.values()}
        for chain in self.table.values():
            for rule in chain.rules:
                wanted.update(step.chain for step in rule.steps if isinstance(step, Jump | Goto))
        if wanted - self.table.keys():
            raise Bug(f"chains that do not exist: {sorted(wanted - self.table.keys())}")


def _key(row: bytes, family: int) -> bytes:
    spec = SETS[row[0]]
    return row if spec.kind is SetKind.RANGES else row[: 1 + spec.key_bytes(family)]
