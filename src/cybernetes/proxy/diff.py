"""What has to change in the kernel: from the service ports that changed, or from everything against a dump.

A change of one service port costs what that port has of rows, whatever else there is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec

from cybernetes.proxy.frame import Frame, Settings
from cybernetes.proxy.plan import claims, fixed_rows, port_rows, rank, rule_set, shape_of
from cybernetes.proxy.rules import CLUSTER_IPS, HAIRPIN, Chain, RuleSet
from cybernetes.proxy.shapes import chain_name, chains_for, decode, is_node_port
from cybernetes.proxy.state import PortView

_SHARED = (CLUSTER_IPS, HAIRPIN)
# Before the key of a port that claims an address which somebody chose. Sorts after all names.
_EXTERNAL = "\x7f"


class ShapeEntry(msgspec.Struct, frozen=True, order=True):
    """An element of a map of shapes."""

    map: str
    shape: bytes
    chain: str


class Delta(msgspec.Struct, frozen=True):
    """One transaction: adds, each in an order in which the kernel can take them, and what goes after them.

    chains_removed is in the order of removal: a chain before those that it goes to.
    """

    add: tuple[bytes, ...] = ()
    remove: tuple[bytes, ...] = ()
    chains_added: tuple[Chain, ...] = ()
    chains_removed: tuple[str, ...] = ()
    shapes_added: tuple[ShapeEntry, ...] = ()
    shapes_removed: tuple[ShapeEntry, ...] = ()
    memories_added: tuple[int, ...] = ()
    memories_removed: tuple[int, ...] = ()

    @property
    def empty(self) -> bool:
        return self == _NO_CHANGE


_NO_CHANGE = Delta()


def diff_rows(installed: Iterable[bytes], wanted: Iterable[bytes]) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """(to add, to remove), both sorted."""
    there = set(installed)
    if not there:
        # The first sync of a large cluster: no second copy of all rows.
        return tuple(sorted(wanted)), ()
    needed = set(wanted)
    return tuple(sorted(needed - there)), tuple(sorted(there - needed))


class _Entry(msgspec.Struct, frozen=True, gc=False):
    """rows without duplicates; words are the service words that the port claims, won or lost."""

    rows: tuple[bytes, ...] = ()
    words: tuple[bytes, ...] = ()


_NOTHING = _Entry()


class Ledger:
    """What the kernel should hold, kept by service port so that a change can be told from it.

    A delta must be committed or the ledger thrown away: it is ahead of the kernel from `change` on.

    Shapes that lose their last service go with the change after that: until then packets may be between the row that
    named the shape and the shape's chain.
    """

    def __init__(self, family: int, settings: Settings) -> None:
        self.family = family
        self.settings = settings
        self.frame = Frame(family, settings)
        self._ports: dict[str, _Entry] = {}
        # Service word -> who claims it: the key, marked where the claim is weak; the least in order has it.
        self._claims: dict[bytes, str | tuple[str, ...]] = {}
        # Rows that more than one port has: ports of one service, services of one endpoint.
        self._shared: Counter[bytes] = Counter()
        self._shapes: Counter[tuple[str, bytes]] = Counter()
        self._left: set[tuple[str, bytes]] = set()

    def rule_set(self) -> RuleSet:
        """Everything that should be installed."""
        rows = {row for entry in self._ports.values() for row in entry.rows}
        return rule_set(self.frame, rows.union(fixed_rows(self.family, self.settings)), self._left)

    def keep(self, shapes: Iterable[tuple[str, bytes]]) -> None:
        """Shapes (map, encoded) that are found in the kernel: those that nothing needs go with the next change."""
        self._left = set(shapes) - self._shapes.keys()

    def chain_names(self) -> frozenset[str]:
        """All chains that should be there."""
        fixed = (chain.name for chain in self.frame.chains())
        return frozenset((*fixed, *self._chains_of(self._left.union(self._shapes))))

    def change(self, changes: Mapping[str, PortView | None], view_of: Callable[[str], PortView | None]) -> Delta:
        """Take in service ports by key; None for one that is gone.

        view_of  the present view of a port that is not among `changes`; asked for when an address that it
                 claims too has changed hands
        """
        words = {key: tuple(dict.fromkeys(claims(view))) for key, view in changes.items() if view is not None}
        affected = sorted(self._claim(changes, words))
        views = {key: changes[key] if key in changes else view_of(key) for key in affected}
        added: set[bytes] = set()
        removed: set[bytes] = set()
        there, used = self._left.union(self._shapes), set(self._shapes)
        for key in affected:
            new = self._entry(views[key], words.get(key))
            old = self._ports.pop(key, _NOTHING)
            if new.rows:
                self._ports[key] = new
            self._count(old.rows, new.rows, added, removed)
        self._left = used - self._shapes.keys()
        return self._delta(added, removed, there)

    def _claim(self, changes: Mapping[str, PortView | None], words: Mapping[str, tuple[bytes, ...]]) -> set[str]:
        """Note who claims what; returns the changed ports and those that share an address with them."""
        affected = set(changes)
        for key, view in changes.items():
            old = self._ports.get(key, _NOTHING).words
            for word in old:
                affected |= self._release(word, key)
            for word in words.get(key, ()):
                affected |= self._take(word, _claim_of(view, word))
        return affected

    def _holders(self, word: bytes) -> tuple[str, ...]:
        held = self._claims.get(word, ())
        return (held,) if isinstance(held, str) else held

    def _release(self, word: bytes, key: str) -> set[str]:
        return self._hold(word, [each for each in self._holders(word) if _key_of(each) != key])

    def _take(self, word: bytes, holder: str) -> set[str]:
        holders = [each for each in self._holders(word) if _key_of(each) != _key_of(holder)]
        return self._hold(word, sorted([*holders, holder]))

    def _hold(self, word: bytes, holders: list[str]) -> set[str]:
        if not holders:
            self._claims.pop(word, None)
        else:
            self._claims[word] = holders[0] if len(holders) == 1 else tuple(holders)
        return {_key_of(each) for each in holders}

    def _entry(self, view: PortView | None, words: tuple[bytes, ...] | None) -> _Entry:
        if view is None:
            return _NOTHING
        if words is None:
            words = tuple(dict.fromkeys(claims(view)))
        lost = frozenset(word for word in words if _key_of(self._holders(word)[0]) != view.key)
        return _Entry(tuple(dict.fromkeys(port_rows(view, self.settings, lost))), words)

    def _count(self, old: tuple[bytes, ...], new: tuple[bytes, ...], added: set[bytes], removed: set[bytes]) -> None:
        both = set(old).intersection(new)
        for row in old:
            if row not in both and self._lose(row):
                _cancel(row, added, removed)
        for row in new:
            if row not in both and self._gain(row):
                _cancel(row, removed, added)

    def _gain(self, row: bytes) -> bool:
        """Whether the row was not there before."""
        shape = shape_of(row, self.family)
        if shape is not None:
            self._shapes[shape] += 1
        if row[0] not in _SHARED:
            return True
        self._shared[row] += 1
        return self._shared[row] == 1

    def _lose(self, row: bytes) -> bool:
        """Whether nobody needs the row any more."""
        shape = shape_of(row, self.family)
        if shape is not None:
            self._shapes[shape] -= 1
            if not self._shapes[shape]:
                del self._shapes[shape]
        if row[0] not in _SHARED:
            return True
        self._shared[row] -= 1
        if self._shared[row]:
            return False
        del self._shared[row]
        return True

    def _delta(self, added: set[bytes], removed: set[bytes], before: set[tuple[str, bytes]]) -> Delta:
        after = self._left.union(self._shapes)
        rows = (tuple(sorted(added)), tuple(sorted(removed)))
        if before == after:
            return Delta(*rows)
        old, new = self._chains_of(before), self._chains_of(after)
        memories_before, memories_after = _memories(before), _memories(after)
        return Delta(
            *rows,
            chains_added=tuple(chain for name, chain in new.items() if name not in old),
            chains_removed=tuple(reversed([name for name in old if name not in new])),
            shapes_added=tuple(sorted(_entry_of(shape) for shape in after - before)),
            shapes_removed=tuple(sorted(_entry_of(shape) for shape in before - after)),
            memories_added=tuple(sorted(memories_after - memories_before)),
            memories_removed=tuple(sorted(memories_before - memories_after)),
        )

    def _chains_of(self, shapes: set[tuple[str, bytes]]) -> dict[str, Chain]:
        """Chains that these shapes need, each after those that it goes to."""
        found: dict[str, Chain] = {}
        for name, encoded in sorted(shapes):
            for chain in chains_for(self.frame, decode(encoded), is_node_port(name)):
                found.setdefault(chain.name, chain)
        return found


def _claim_of(view: PortView | None, word: bytes) -> str:
    assert view is not None
    external, key = rank(view, word)
    return _EXTERNAL + key if external else key


def _key_of(claim: str) -> str:
    return claim.removeprefix(_EXTERNAL)


def _cancel(row: bytes, other: set[bytes], mine: set[bytes]) -> None:
    """A row that one port gives up and another takes stays where it is."""
    if row in other:
        other.discard(row)
    else:
        mine.add(row)


def _memories(shapes: set[tuple[str, bytes]]) -> set[int]:
    return {affinity_s for _, encoded in shapes if (affinity_s := decode(encoded).affinity_s)}


def _entry_of(shape: tuple[str, bytes]) -> ShapeEntry:
    name, encoded = shape
    return ShapeEntry(name, encoded, chain_name(decode(encoded), is_node_port(name)))
