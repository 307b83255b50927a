"""Preemption: which pods must go so that a more important one fits, and on which node.

enters   a pod that fits nowhere, what the filters said, the disruption budgets
leaves   Preemption(node, victims), or the words that say why there is none
holds    the columns are as before afterwards; the decision itself sends nothing
source   Kubernetes documentation "Pod Priority and Preemption"
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cybernetes.base.random import Random
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.cycle import Cycle, Filtered
from cybernetes.scheduler.pods import PodEntry
from cybernetes.scheduler.profile import PreemptionArgs
from cybernetes.scheduler.reasons import FIT, FIT_NEVER, OTHER, OTHER_NEVER, RESOLVABLE, TEXTS, available_text
from cybernetes.scheduler.room import Rooms, only_room
from cybernetes.scheduler.selectors import Selector, accepts

NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
NEVER = "not eligible due to preemptionPolicy=Never."
TERMINATING = "not eligible due to a terminating pod on the nominated node."
PRIORITY_OFFSET = 2**31


class Budget(msgspec.Struct, frozen=True):
    """A PodDisruptionBudget: selector None selects nothing; disrupted: names that are already counted."""

    namespace: str
    selector: Selector | None
    allowed: int
    disrupted: frozenset[str] = frozenset()


class Candidate(msgspec.Struct, frozen=True):
    """victims: the most important first; violations: how many of them break a budget."""

    node: str
    victims: tuple[PodEntry, ...]
    violations: int


class Refusal(msgspec.Struct, frozen=True):
    """Why nothing was preempted; keep_nomination when the pod should go on waiting for its node."""

    words: str
    keep_nomination: bool = False


def preempt(
    cycle: Cycle, pod: PodEntry, filtered: Filtered, budgets: Sequence[Budget], random: Random
) -> Candidate | Refusal:
    args = cycle.profile.preemption
    assert args is not None
    columns = cycle.columns
    if pod.shape.spec.preemption_policy == "Never":
        return Refusal(NEVER, keep_nomination=True)
    if _waits_for_victims(columns, pod, filtered):
        return Refusal(TERMINATING, keep_nomination=True)
    rows = cycle.resolvable_rows(filtered)
    found, reasons = _dry_run(cycle, pod, _rotated(rows, random), _wanted(len(rows), args), budgets)
    if found:
        return pick(found)
    helpless = columns.count - sum(reasons.values())
    named = _merge({NOT_HELPFUL: helpless}, reasons)
    return Refusal(available_text(columns.count, named))


def pick(candidates: Sequence[Candidate]) -> Candidate:
    """Fewest broken budgets; least important victims; few of them; the most recently started."""
    return min(candidates, key=_cost)


def _cost(candidate: Candidate) -> tuple[int, int, int, int, _Latest]:
    priorities = [victim.priority for victim in candidate.victims]
    highest = max(priorities)
    starts = [_started(victim) for victim in candidate.victims if victim.priority == highest]
    return (
        candidate.violations,
        highest,
        sum(priority + PRIORITY_OFFSET for priority in priorities),
        len(candidate.victims),
        _Latest(min(starts)),
    )


class _Latest(msgspec.Struct, frozen=True):
    """Orders times backwards: the latest first."""

    at: str

    def __lt__(self, other: _Latest) -> bool:
        return self.at > other.at


def _started(pod: PodEntry) -> str:
    # A pod that has not started counts as starting now, which is after all others; "~" sorts after digits.
    return pod.start_time or "~"


def by_importance(pods: Sequence[PodEntry]) -> list[PodEntry]:
    """Higher priority first, then the longer running; `pods` are in the order in which they came to the node.

    Of pods that started together the first to come is first; of those that have not started yet, the last.
    """
    ranked = [(-pod.priority, _started(pod), n if pod.start_time else -n) for n, pod in enumerate(pods)]
    return [pods[n] for n in sorted(range(len(pods)), key=ranked.__getitem__)]


def _waits_for_victims(columns: Columns, pod: PodEntry, filtered: Filtered) -> bool:
    """Whether pods that this one preempted are still leaving its nominated node."""
    row = columns.rows.get(pod.nominated) if pod.nominated else None
    if row is None or row >= len(filtered.code):
        return False
    code = filtered.code[row]
    if code not in RESOLVABLE:
        return False
    return any(
        other.terminating and other.preempted and other.priority < pod.priority for other in columns.pods[row].values()
    )


def _wanted(rows: int, args: PreemptionArgs) -> int:
    return min(rows, max(rows * args.candidates_percent // 100, args.candidates_min))


def _rotated(rows: list[int], random: Random) -> list[int]:
    offset = random.below(len(rows)) if len(rows) > 1 else 0
    return rows[offset:] + rows[:offset]


def _dry_run(
    cycle: Cycle, pod: PodEntry, rows: Sequence[int], wanted: int, budgets: Sequence[Budget]
) -> tuple[list[Candidate], dict[str, int]]:
    """Candidates, until there are enough with one that breaks no budget; and the reasons of the others."""
    found: list[Candidate] = []
    reasons: dict[str, int] = {}
    harmless = False
    rooms = Rooms(cycle, pod) if only_room(cycle, pod) else None
    for row in rows:
        if rooms is not None:
            result = victims_by_room(cycle, pod, row, budgets, rooms)
        else:
            result = victims_by_filters(cycle, pod, row, budgets)
        if isinstance(result, Candidate):
            found.append(result)
            harmless = harmless or result.violations == 0
            if harmless and len(found) >= wanted:
                break
        else:
            # A node may have several reasons; the sum of counts must stay the number of nodes.
            for text in result:
                reasons[text] = reasons.get(text, 0) + 1
    return found, reasons


def victims_by_room(
    cycle: Cycle, pod: PodEntry, row: int, budgets: Sequence[Budget], rooms: Rooms
) -> Candidate | list[str]:
    """The same as `victims_by_filters`, for a pod to which only room matters."""
    columns = cycle.columns
    order = list(columns.pods[row].values())
    possible = [other for other in order if other.priority < pod.priority]
    if not possible:
        return [NO_VICTIMS]
    room = rooms.at(row)
    room.give_back(possible)
    reasons = room.missing()
    if reasons:
        return reasons
    violating, others = _by_violation(by_importance(possible), budgets)
    victims = room.reprieve(violating)
    violations = len(victims)
    victims += room.reprieve(others)
    return Candidate(columns.names[row], _ranked(order, victims), violations)


def victims_by_filters(cycle: Cycle, pod: PodEntry, row: int, budgets: Sequence[Budget]) -> Candidate | list[str]:
    """The fewest least important pods of one node that must go, or the reasons why that does not help."""
    columns = cycle.columns
    node = columns.names[row]
    order = list(columns.pods[row].values())
    possible = [other for other in order if other.priority < pod.priority]
    if not possible:
        return [NO_VICTIMS]
    gone: dict[str, PodEntry] = {}
    try:
        for other in possible:
            columns.remove_pod(other, node)
            gone[other.key] = other
        reasons = _reasons(cycle, pod, node)
        if reasons:
            return reasons
        violating, others = _by_violation(by_importance(possible), budgets)
        victims = [other for other in violating if not _reprieve(cycle, pod, other, node, gone)]
        violations = len(victims)
        victims += [other for other in others if not _reprieve(cycle, pod, other, node, gone)]
        return Candidate(node, _ranked(order, victims), violations)
    finally:
        for other in gone.values():
            columns.add_pod(other, node)
        _restore_order(columns, node, order)


def _ranked(order: Sequence[PodEntry], victims: Sequence[PodEntry]) -> tuple[PodEntry, ...]:
    keys = {victim.key for victim in victims}
    return tuple(by_importance([each for each in order if each.key in keys]))


def _reprieve(cycle: Cycle, pod: PodEntry, other: PodEntry, node: str, gone: dict[str, PodEntry]) -> bool:
    """Put a pod back; take it away again when the preemptor then does not fit."""
    cycle.columns.add_pod(other, node)
    if not _reasons(cycle, pod, node):
        del gone[other.key]
        return True
    cycle.columns.remove_pod(other, node)
    return False


def _reasons(cycle: Cycle, pod: PodEntry, node: str) -> list[str]:
    """Why one node is not possible as the columns are now; [] when it is."""
    return reasons_of(cycle.filter(pod), cycle.columns.rows[node])


def reasons_of(filtered: Filtered, row: int) -> list[str]:
    """Why one row is not possible, in Kubernetes' words; [] when it is."""
    code = filtered.code[row]
    if filtered.message:
        return [filtered.message]
    if code in (FIT, FIT_NEVER):
        return filtered.fit.texts(row)
    if code in (OTHER, OTHER_NEVER):
        return filtered.words[row].split("\n")
    return [TEXTS[code]] if code else []


def _by_violation(pods: Sequence[PodEntry], budgets: Sequence[Budget]) -> tuple[list[PodEntry], list[PodEntry]]:
    """(pods whose removal breaks a budget, the others); each removal uses up what its budgets allow."""
    left = [budget.allowed for budget in budgets]
    violating: list[PodEntry] = []
    fine: list[PodEntry] = []
    for pod in pods:
        broken = False
        for n, budget in enumerate(budgets):
            if _counts(budget, pod):
                left[n] -= 1
                broken = broken or left[n] < 0
        (violating if broken else fine).append(pod)
    return violating, fine


def _counts(budget: Budget, pod: PodEntry) -> bool:
    return (
        budget.namespace == pod.namespace
        and bool(budget.selector)
        and pod.name not in budget.disrupted
        and bool(pod.labels)
        and accepts(budget.selector, pod.labels)
    )


def _restore_order(columns: Columns, node: str, order: list[PodEntry]) -> None:
    """The order in which pods came decides between equals, so a dry run must not change it."""
    row = columns.rows[node]
    pods = columns.pods[row]
    columns.pods[row] = {pod.key: pods[pod.key] for pod in order}


def _merge(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    return {text: first.get(text, 0) + second.get(text, 0) for text in [*first, *second]}
