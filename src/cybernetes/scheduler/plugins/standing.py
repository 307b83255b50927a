"""What nodes are, apart from what runs on them: NodeUnschedulable, TaintToleration, NodeAffinity.

These depend on nodes' labels and taints only, so they are computed once for a shape and kept until a node changes.
NodeName has nothing to do: a pod that names its node is never decided about.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TypeAlias

from cybernetes.model.placement import tolerated
from cybernetes.native import load
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.objects import NodeAffinity, NodeSelectorTerm, PodSpec, Taint, Toleration
from cybernetes.scheduler.pods import Shape
from cybernetes.scheduler.reasons import ADDED_AFFINITY, DEAD, LEFT_OUT, NODE_AFFINITY, TAINTS, UNSCHEDULABLE
from cybernetes.scheduler.selectors import Requirement, compile_map, compile_requirement

kernels = load("score")

BLOCKING = ("NoSchedule", "NoExecute")
UNSCHEDULABLE_TAINT = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
AFFINITY_CONFLICT = "pod affinity terms conflict"

Mask: TypeAlias = "array[int]"


class Standing:
    """One shape against all nodes.

    code           the first of these filters that rejects the row, DEAD or LEFT_OUT
    conflict       PreFilter's words when no node can ever match, else ""
    tolerated      1 where the pod tolerates all NoSchedule and NoExecute taints
    matching       1 where node selector and required affinity match
    disliked       PreferNoSchedule taints that are not tolerated; None: none anywhere
    preferred      sum of weights of matching preferred terms; None: the pod has none
    """

    __slots__ = ("code", "conflict", "disliked", "eligible", "matching", "preferred", "tolerated", "version")

    def __init__(self, columns: Columns, shape: Shape, filters: frozenset[str], added: NodeAffinity | None) -> None:
        rows = len(columns.names)
        spec = shape.spec
        self.version = columns.version
        self.code = array("B", bytes(rows))
        self.conflict = ""
        self.eligible: dict[tuple[tuple[str, ...], bool, bool], Mask] = {}
        kernels.fail_by_mask(_alive(columns, rows), DEAD, self.code)
        self._restrict(columns, spec, "NodeAffinity" in filters)
        if "NodeUnschedulable" in filters and not tolerated(UNSCHEDULABLE_TAINT, spec.tolerations or ()):
            kernels.fail_by_table(columns.unschedulable, bytes((0, 0, UNSCHEDULABLE)), self.code)
        self.tolerated, self.disliked = _taints(columns, spec.tolerations, rows)
        if "TaintToleration" in filters:
            kernels.fail_by_mask(self.tolerated, TAINTS, self.code)
        self.matching = required_mask(columns, spec, rows)
        if "NodeAffinity" in filters:
            if added is not None:
                kernels.fail_by_mask(affinity_mask(columns, added, rows), ADDED_AFFINITY, self.code)
            kernels.fail_by_mask(self.matching, NODE_AFFINITY, self.code)
        self.preferred = _preferred(columns, spec, added, rows)

    def eligible_for(self, columns: Columns, keys: tuple[str, ...], affinity: bool, taints: bool) -> Mask:
        """1 for nodes that have all label keys and, where asked for, match the affinity and have no untolerated taint."""
        found = self.eligible.get((keys, affinity, taints))
        if found is None:
            rows = len(self.code)
            found = _alive(columns, rows)
            for key in keys:
                label = columns.label_column(key)
                kernels.and_by_table(label.column, bytes(1) + b"\x01" * len(label.values), found)
            if affinity:
                kernels.and_mask(self.matching, found)
            if taints:
                kernels.and_mask(self.tolerated, found)
            self.eligible[keys, affinity, taints] = found
        return found

    def _restrict(self, columns: Columns, spec: PodSpec, enabled: bool) -> None:
        names = named_nodes(spec) if enabled else None
        if names is None:
            return
        if not names:
            self.conflict = AFFINITY_CONFLICT
        kernels.fail_by_mask(_rows_mask(columns, names, len(self.code)), LEFT_OUT, self.code)


def named_nodes(spec: PodSpec) -> set[str] | None:
    """The node names that required affinity allows, where every term names some; None: no such restriction."""
    affinity = spec.affinity.node_affinity if spec.affinity else None
    if affinity is None or affinity.required is None:
        return None
    terms = affinity.required.node_selector_terms or ()
    names: set[str] = set()
    for term in terms:
        named = [set(each.values or ()) for each in term.match_fields or () if _is_name_in(each.key, each.operator)]
        if not named:
            return None
        names |= set.intersection(*named)
    return names if terms else None


def untolerated(tolerations: Sequence[Toleration] | None, taints: Sequence[Taint]) -> bool:
    """Whether a NoSchedule or NoExecute taint is not tolerated."""
    return any(taint.effect in BLOCKING and not tolerated(taint, tolerations or ()) for taint in taints)


def required_mask(columns: Columns, spec: PodSpec, rows: int) -> Mask:
    mask = array("B", b"\x01" * rows)
    for requirement in compile_map(spec.node_selector or {}):
        _require(columns, requirement, mask)
    affinity = spec.affinity.node_affinity if spec.affinity else None
    if affinity is not None:
        kernels.and_mask(affinity_mask(columns, affinity, rows), mask)
    return mask


def affinity_mask(columns: Columns, affinity: NodeAffinity, rows: int) -> Mask:
    if affinity.required is None:
        return array("B", b"\x01" * rows)
    mask = array("B", bytes(rows))
    for term in affinity.required.node_selector_terms or ():
        kernels.or_mask(_term_mask(columns, term, rows), mask)
    return mask


def _term_mask(columns: Columns, term: NodeSelectorTerm, rows: int) -> Mask:
    if not term.match_expressions and not term.match_fields:
        return array("B", bytes(rows))
    mask = array("B", b"\x01" * rows)
    for each in term.match_expressions or ():
        _require(columns, compile_requirement(each), mask)
    for each in term.match_fields or ():
        named = _rows_mask(columns, set(each.values or ()), rows)
        if each.operator == "NotIn":
            named = array("B", named.tobytes().translate(_INVERTED))
        kernels.and_mask(named, mask)
    return mask


_INVERTED = bytes((1, 0)) + bytes(254)


def _require(columns: Columns, requirement: Requirement, mask: Mask) -> None:
    label = columns.label_column(requirement.key)
    if requirement.operator == "In":
        # The common case: without a look at each of the key's values, of which a host name has as many as nodes.
        table = bytearray(len(label.values) + 1)
        for value in requirement.values:
            found = label.ids.get(value)
            if found is not None:
                table[found + 1] = 1
        kernels.and_by_table(label.column, table, mask)
    else:
        kernels.and_by_table(label.column, label.table(requirement.accepts), mask)


def _rows_mask(columns: Columns, names: set[str], rows: int) -> Mask:
    mask = array("B", bytes(rows))
    for name in names:
        row = columns.rows.get(name)
        if row is not None:
            mask[row] = 1
    return mask


def _alive(columns: Columns, rows: int) -> Mask:
    return array("B", columns.dead[:rows].tobytes().translate(_INVERTED))


def _is_name_in(key: str, operator: str) -> bool:
    return key == "metadata.name" and operator == "In"


def _taints(columns: Columns, tolerations: Sequence[Toleration] | None, rows: int) -> tuple[Mask, array[int] | None]:
    fine = array("B", b"\x01")
    disliked = array("q", [0])
    for taints in columns.taint_sets:
        fine.append(not untolerated(tolerations, taints))
        disliked.append(_count_disliked(tolerations, taints))
    tolerated = array("B", b"\x01" * rows)
    kernels.and_by_table(columns.taint_column, fine, tolerated)
    if not any(disliked):
        return tolerated, None
    raw = array("q", bytes(8 * rows))
    kernels.add_by_table(columns.taint_column, disliked, 1, raw)
    return tolerated, raw


def _count_disliked(tolerations: Sequence[Toleration] | None, taints: Sequence[Taint]) -> int:
    useful = [each for each in tolerations or () if each.effect in ("", "PreferNoSchedule")]
    return sum(taint.effect == "PreferNoSchedule" and not tolerated(taint, useful) for taint in taints)


def _preferred(columns: Columns, spec: PodSpec, added: NodeAffinity | None, rows: int) -> array[int] | None:
    own = spec.affinity.node_affinity if spec.affinity else None
    terms = [each for side in (own, added) if side is not None for each in side.preferred or ()]
    if not terms:
        return None
    raw = array("q", bytes(8 * rows))
    for each in terms:
        if each.weight:
            kernels.add_where(_term_mask(columns, each.preference, rows), each.weight, raw)
    return raw
