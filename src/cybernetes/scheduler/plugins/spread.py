"""PodTopologySpread: how evenly matching pods lie over the values of a node label.

source  Kubernetes documentation "Pod Topology Spread Constraints"
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import msgspec

from cybernetes.native import load
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.objects import TopologySpreadConstraint
from cybernetes.scheduler.plugins.standing import Standing
from cybernetes.scheduler.pods import PodEntry, spread_selector
from cybernetes.scheduler.reasons import SPREAD, SPREAD_LABEL
from cybernetes.scheduler.selectors import Selector, accepts
from cybernetes.scheduler.tallies import Selection, own_namespace

kernels = load("score")

INT32_MAX = 2**31 - 1
HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"


class Spread(msgspec.Struct, frozen=True):
    """One constraint, with the pod's own labels merged in.

    own   1 where the pod itself is selected, else 0
    """

    key: str
    max_skew: int
    min_domains: int
    selection: Selection
    own: int
    honor_affinity: bool
    honor_taints: bool


class Default(msgspec.Struct, frozen=True):
    """A constraint for pods that have none and that a Service, ReplicaSet, StatefulSet or ReplicationController selects."""

    key: str
    max_skew: int
    when_unsatisfiable: str = "ScheduleAnyway"


SYSTEM_DEFAULTS = (Default(HOSTNAME, 3), Default(ZONE, 5))


class Plan(msgspec.Struct, frozen=True):
    """Hard and soft constraints of one pod.

    all_keys   nodes must have the labels of all soft constraints to be scored (not so for the system's defaults)
    """

    hard: tuple[Spread, ...] = ()
    soft: tuple[Spread, ...] = ()
    all_keys: bool = True


NOTHING = Plan()


def plan(pod: PodEntry) -> Plan:
    """The constraints that the pod itself has."""
    hard: list[Spread] = []
    soft: list[Spread] = []
    for each in pod.shape.spec.topology_spread_constraints or ():
        (hard if each.when_unsatisfiable == "DoNotSchedule" else soft).append(_of_constraint(pod, each))
    return Plan(tuple(hard), tuple(soft))


def default_plan(pod: PodEntry, defaults: Sequence[Default], selector: Selector, *, all_keys: bool) -> Plan:
    """The profile's default constraints, counting the pods that the pod's owners select."""
    hard: list[Spread] = []
    soft: list[Spread] = []
    for each in defaults:
        found = Spread(
            key=each.key,
            max_skew=each.max_skew,
            min_domains=1,
            selection=own_namespace(pod.namespace, selector),
            own=int(accepts(selector, pod.labels)),
            honor_affinity=True,
            honor_taints=False,
        )
        (hard if each.when_unsatisfiable == "DoNotSchedule" else soft).append(found)
    return Plan(tuple(hard), tuple(soft), all_keys)


def _of_constraint(pod: PodEntry, each: TopologySpreadConstraint) -> Spread:
    selector = spread_selector(each, pod.labels)
    return Spread(
        key=each.topology_key,
        max_skew=min(each.max_skew, INT32_MAX),
        min_domains=each.min_domains or 1,
        selection=own_namespace(pod.namespace, selector),
        own=int(accepts(selector, pod.labels)),
        honor_affinity=each.node_affinity_policy != "Ignore",
        honor_taints=each.node_taints_policy == "Honor",
    )


def filter_spread(columns: Columns, standing: Standing, constraints: Sequence[Spread], code: array[int]) -> None:
    keys = tuple(sorted({each.key for each in constraints}))
    for each in constraints:
        eligible = standing.eligible_for(columns, keys, each.honor_affinity, each.honor_taints)
        label = columns.label_column(each.key)
        domains = len(label.values) + 1
        sums = array("q", bytes(8 * domains))
        counts = columns.tallies.count(each.selection).array(columns.stride)
        kernels.sum_by_domain(counts, label.column, eligible, sums)
        present = bytearray(domains)
        found = kernels.mark_domains(label.column, eligible, present)
        low = 0 if found < each.min_domains else kernels.minimum(sums, present)
        table = bytearray(domains)
        table[0] = SPREAD_LABEL
        kernels.skew_table(sums, each.own - low, each.max_skew, SPREAD, table)
        kernels.fail_by_table(label.column, table, code)


def score_spread(columns: Columns, standing: Standing, found: Plan, code: array[int]) -> array[int] | None:
    """0..100 for possible nodes; None when the pod has no soft constraints."""
    if not found.soft:
        return None
    rows = len(code)
    keys = tuple(sorted({each.key for each in found.soft})) if found.all_keys else ()
    # Nodes that are possible and, where all labels are needed, have them: the others score 0.
    counted = array("B", bytes(rows))
    counted_rows = kernels.mask_of_code(code, counted)
    if found.all_keys:
        kernels.and_mask(standing.eligible_for(columns, keys, False, False), counted)
        counted_rows = counted.count(1)
    acc = array("d", bytes(8 * rows))
    for each in found.soft:
        _add(columns, standing, each, keys, counted, counted_rows, acc)
    out = array("q", bytes(8 * rows))
    kernels.normalize_spread(acc, code, counted, out)
    return out


def _add(
    columns: Columns,
    standing: Standing,
    each: Spread,
    keys: tuple[str, ...],
    counted: array[int],
    counted_rows: int,
    acc: array[float],
) -> None:
    label = columns.label_column(each.key)
    counts = columns.tallies.count(each.selection).array(columns.stride)
    if each.key == HOSTNAME:
        weight = math.log(counted_rows + 2)
        kernels.spread_add_own(label.column, counts, weight, float(each.max_skew - 1), acc)
        return
    domains = len(label.values) + 1
    size = kernels.mark_domains(label.column, counted, bytearray(domains))
    eligible = standing.eligible_for(columns, keys, each.honor_affinity, each.honor_taints)
    sums = array("q", bytes(8 * domains))
    kernels.sum_by_domain(counts, label.column, eligible, sums)
    kernels.spread_add(label.column, sums, math.log(size + 2), float(each.max_skew - 1), acc)
