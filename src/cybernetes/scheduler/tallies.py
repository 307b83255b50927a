"""How many pods of a kind are on each node: by label set, by what selects them, by the terms they carry.

enters   pods that come to a row and leave it
leaves   Tally: counts by row, dense where there are many
holds    a pod's event costs one addition for its label set, one for each known selection that accepts it, and one for
         each term it carries; a selection is evaluated once for a label set, not for a pod
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterator, Mapping

import msgspec

from cybernetes.scheduler.pods import LabelSet, PodEntry, Term, term_accepts, terms_of
from cybernetes.scheduler.selectors import Selector

# Counts on more rows than this are kept in an array over all rows: it is what the kernels read.
SPARSE_MAX = 32
# Selections that are kept counted; each costs 4 bytes a node. The one that was not used for longest goes.
SELECTIONS_MAX = 256


class Tally:
    """Counts by row."""

    __slots__ = ("dense", "sparse", "total")

    def __init__(self) -> None:
        self.sparse: dict[int, int] = {}
        self.dense: array[int] | None = None
        self.total = 0

    def add(self, row: int, delta: int, stride: int) -> None:
        self.total += delta
        if self.dense is not None:
            if row >= len(self.dense):
                self.dense.extend([0] * (stride - len(self.dense)))
            self.dense[row] += delta
            return
        left = self.sparse.get(row, 0) + delta
        if left:
            self.sparse[row] = left
        else:
            self.sparse.pop(row, None)
        if len(self.sparse) > SPARSE_MAX:
            self.array(stride)

    def array(self, stride: int) -> array[int]:
        """The counts of all rows."""
        if self.dense is None:
            self.dense = array("i", bytes(4 * stride))
            for row, count in self.sparse.items():
                self.dense[row] = count
            self.sparse.clear()
        elif len(self.dense) < stride:
            self.dense.extend([0] * (stride - len(self.dense)))
        return self.dense

    def items(self) -> Iterator[tuple[int, int]]:
        """(row, count) with count > 0, rows rising."""
        if self.dense is None:
            yield from sorted(self.sparse.items())
        else:
            yield from ((row, count) for row, count in enumerate(self.dense) if count)


class Selection(msgspec.Struct, frozen=True, gc=False):
    """Which pods to count: those that all terms accept.

    alive_only   leave out pods that are being deleted
    """

    terms: tuple[Term, ...]
    alive_only: bool = False


def own_namespace(namespace: str, selector: Selector | None) -> Selection:
    """Live pods of one namespace that a selector accepts."""
    return Selection((Term((namespace,), None, selector, ""),), alive_only=True)


class Carried:
    """One required or preferred term that pods on nodes carry, and how many of them on each row."""

    __slots__ = ("tally", "term")

    def __init__(self, term: Term) -> None:
        self.term = term
        self.tally = Tally()


class _Known:
    """A label set that some pod on a node has."""

    __slots__ = ("label_set", "selected", "tally")

    def __init__(self, label_set: LabelSet) -> None:
        self.label_set = label_set
        self.tally = Tally()
        self.selected: list[Tally] = []


SIDES = ("required", "required_anti", "preferred", "preferred_anti")


class Tallies:
    def __init__(self, stride: int) -> None:
        self.stride = stride
        self.namespaces: dict[str, dict[str, str]] = {}
        self._label_sets: dict[tuple[str, bytes, bool], _Known] = {}
        self._selections: OrderedDict[Selection, Tally] = OrderedDict()
        self._carried: dict[str, dict[Term, Carried]] = {side: {} for side in SIDES}

    def account(self, pod: PodEntry, row: int, sign: int) -> None:
        known = self._label_sets.get(pod.label_set.key)
        if known is None:
            known = self._learn(pod.label_set)
        known.tally.add(row, sign, self.stride)
        for tally in known.selected:
            tally.add(row, sign, self.stride)
        if known.tally.total == 0:
            del self._label_sets[pod.label_set.key]
        if pod.shape.terms is not None:
            self._account_terms(pod, row, sign)

    def count(self, selection: Selection) -> Tally:
        """The pods by row that a selection accepts; counted once, then kept up to date."""
        found = self._selections.get(selection)
        if found is not None:
            self._selections.move_to_end(selection)
            return found
        found = self._selections[selection] = Tally()
        for known in self._label_sets.values():
            if self.selects(selection, known.label_set):
                known.selected.append(found)
                for row, count in known.tally.items():
                    found.add(row, count, self.stride)
        if len(self._selections) > SELECTIONS_MAX:
            self._drop_oldest()
        return found

    def selects(self, selection: Selection, label_set: LabelSet) -> bool:
        if selection.alive_only and label_set.terminating:
            return False
        labels = self.namespace_labels(label_set.namespace)
        return all(term_accepts(term, label_set, labels) for term in selection.terms)

    def carried(self, side: str, label_set: LabelSet) -> list[Carried]:
        """Terms of this side, carried by pods on nodes, that accept a pod with this label set."""
        if not self._carried[side]:
            return []
        labels = self.namespace_labels(label_set.namespace)
        return [each for term, each in self._carried[side].items() if term_accepts(term, label_set, labels)]

    def namespace_labels(self, namespace: str) -> dict[str, str]:
        return self.namespaces.get(namespace, {})

    def put_namespace(self, name: str, labels: Mapping[str, str] | None) -> bool:
        """Learn a namespace's labels (None: it is gone); says whether they changed."""
        before = self.namespaces.get(name)
        if labels is None:
            self.namespaces.pop(name, None)
        else:
            self.namespaces[name] = dict(labels)
        if before == labels:
            return False
        for selection in [each for each in self._selections if _reads_namespaces(each)]:
            self._forget(selection)
        return True

    def _learn(self, label_set: LabelSet) -> _Known:
        known = self._label_sets[label_set.key] = _Known(label_set)
        known.selected = [tally for each, tally in self._selections.items() if self.selects(each, label_set)]
        return known

    def _account_terms(self, pod: PodEntry, row: int, sign: int) -> None:
        terms = terms_of(pod)
        for side in SIDES:
            carried = self._carried[side]
            for term in getattr(terms, side):
                found = carried.get(term)
                if found is None:
                    found = carried[term] = Carried(term)
                found.tally.add(row, sign, self.stride)
                if found.tally.total == 0:
                    del carried[term]

    def _drop_oldest(self) -> None:
        self._forget(next(iter(self._selections)))

    def _forget(self, selection: Selection) -> None:
        gone = self._selections.pop(selection)
        for known in self._label_sets.values():
            if gone in known.selected:
                known.selected.remove(gone)


def _reads_namespaces(selection: Selection) -> bool:
    return any(term.namespace_selector is not None for term in selection.terms)
