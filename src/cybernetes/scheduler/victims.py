"""Victims by arithmetic: where only room decides, all candidate nodes are judged in one crossing into the kernels.

enters   a pod of which `Cycle.only_room_matters` holds, the columns, budgets
leaves   the best Candidate, or how many nodes have which reason
holds    gives what the dry run with all filters in `preempt` gives; the columns are as before afterwards
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import msgspec

from cybernetes.native import load
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.pods import LabelSet, PodEntry
from cybernetes.scheduler.reasons import resource_text
from cybernetes.scheduler.residents import Residents
from cybernetes.scheduler.selectors import Selector, accepts

kernels = load("victims")

NO_VICTIMS = "No preemption victims found for incoming pod"


class Budget(msgspec.Struct, frozen=True):
    """A PodDisruptionBudget: selector None selects nothing; disrupted: names that are already counted."""

    namespace: str
    selector: Selector | None
    allowed: int
    disrupted: frozenset[str] = frozenset()

    def counts(self, pods: LabelSet) -> bool:
        """Whether it speaks of pods with these labels."""
        return (
            self.namespace == pods.namespace
            and bool(self.selector)
            and bool(pods.labels)
            and accepts(self.selector, pods.labels)
        )


class Candidate(msgspec.Struct, frozen=True):
    """victims: the most important first; violations: how many of them break a budget."""

    node: str
    victims: tuple[PodEntry, ...]
    violations: int


class Rows(msgspec.Struct, frozen=True):
    """Candidate nodes: rows[:count], tried from `first` on, round; enough: how many of them are to be found."""

    rows: array[int]
    count: int
    first: int
    enough: int


def choose(cycle: Cycle, pod: PodEntry, tried: Rows, budgets: Sequence[Budget]) -> Candidate | dict[str, int]:
    """The best candidate; else reason -> number of nodes. A node may have several reasons."""
    columns, residents = cycle.columns, cycle.columns.residents
    wanted = cycle.fit(pod).wanted
    ids = array("i", [resource for resource, _, _ in wanted])
    residents.reserve(max(ids) + 1)
    group, starts, members = _grouped(residents, budgets)
    counts = array("q", bytes(8 * (len(wanted) + 1)))
    victims = array("i", bytes(4 * residents.slots))
    cost = array("q", [0, 0])
    row = kernels.choose(
        tried.rows,
        tried.count,
        tried.first,
        tried.enough,
        pod.priority,
        residents.head,
        residents.following,
        residents.priority,
        residents.started,
        group,
        residents.amounts,
        residents.slots,
        ids,
        array("q", [amount for _, _, amount in wanted]),
        columns.stride,
        columns.allocatable,
        columns.used,
        cycle.crowd(pod),
        starts,
        members,
        array("q", [budget.allowed for budget in budgets]),
        counts,
        array("i", bytes(12 * residents.slots)),
        array("q", bytes(8 * len(budgets))),
        victims,
        cost,
    )
    if row < 0:
        texts = [NO_VICTIMS, *(resource_text(name) for _, name, _ in wanted)]
        return {text: count for text, count in zip(texts, counts, strict=True) if count}
    found = [residents.entries[slot] for slot in victims[: cost[1]]]
    return Candidate(columns.names[row], tuple(each for each in found if each is not None), cost[0])


def _grouped(residents: Residents, budgets: Sequence[Budget]) -> tuple[array[int], array[int], array[int]]:
    """(group by slot, and the budgets of each group: starts, members)."""
    starts, members = array("i", [0]), array("i")
    if not budgets:
        starts.extend([0] * len(residents.groups))
        return residents.group, starts, members
    by_namespace: dict[str, list[int]] = {}
    for n, budget in enumerate(budgets):
        by_namespace.setdefault(budget.namespace, []).append(n)
    of_group = []
    for labels in residents.groups:
        near = by_namespace.get(labels.namespace, ()) if labels is not None else ()
        of_group.append([n for n in near if labels is not None and budgets[n].counts(labels)])
    group = _without_disrupted(residents, budgets, of_group)
    for found in of_group:
        members.extend(found)
        starts.append(len(members))
    return group, starts, members


def _without_disrupted(residents: Residents, budgets: Sequence[Budget], of_group: list[list[int]]) -> array[int]:
    """Groups by slot, where pods that a budget has counted already get a group of their own, appended to `of_group`."""
    group = residents.group
    for n, budget in enumerate(budgets):
        for name in sorted(budget.disrupted):
            slot = residents.slot_of.get(f"{budget.namespace}/{name}")
            if slot is None or n not in of_group[group[slot]]:
                continue
            if group is residents.group:
                group = group[:]
            of_group.append([each for each in of_group[group[slot]] if each != n])
            group[slot] = len(of_group) - 1
    return group
