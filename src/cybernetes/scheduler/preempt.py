"""Preemption: which pods must go so that a more important one fits, and on which node.

enters   a pod that fits nowhere, what the filters said, the disruption budgets
leaves   Preemption(node, victims), or the words that say why there is none
holds    the columns are as before afterwards; the decision itself sends nothing
source   Kubernetes documentation "Pod Priority and Preemption"
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import msgspec

from cybernetes.base.random import Random
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.outcome import Filtered
from cybernetes.scheduler.pods import PodEntry
from cybernetes.scheduler.profile import PreemptionArgs
from cybernetes.scheduler.reasons import FIT, FIT_NEVER, OTHER, OTHER_NEVER, RESOLVABLE, TEXTS, available_text
from cybernetes.scheduler.victims import NO_VICTIMS, Budget, Candidate, Rows, choose, kernels

NOT_HELPFUL = "Preemption is not helpful for scheduling"
NEVER = "not eligible due to preemptionPolicy=Never."
TERMINATING = "not eligible due to a terminating pod on the nominated node."
PRIORITY_OFFSET = 2**31
_RESOLVABLE = array("B", [code in RESOLVABLE for code in range(256)])


class Refusal(msgspec.Struct, frozen=True):
    """Why nothing was preempted; keep_nomination when the pod should go on waiting for its node."""

    words: str
    keep_nomination: bool = False


def preempt(
    cycle: Cycle, pod: PodEntry, filtered: Filtered, budgets: Sequence[Budget], random: Random
) -> Candidate | Refusal:
    """The best candidate."""
    args = cycle.profile.preemption
    assert args is not None
    refusal = _ineligible(cycle, pod, filtered)
    if refusal is not None:
        return refusal
    tried = _tried(filtered, args, random)
    if cycle.only_room_matters(pod):
        chosen = choose(cycle, pod, tried, budgets)
        return chosen if isinstance(chosen, Candidate) else refused(cycle, chosen)
    found, reasons = _dry_run(cycle, pod, tried, budgets)
    return pick(found) if found else refused(cycle, reasons)


def candidates(
    cycle: Cycle, pod: PodEntry, filtered: Filtered, budgets: Sequence[Budget], random: Random
) -> list[Candidate] | Refusal:
    """All that were found, for those who choose among them."""
    args = cycle.profile.preemption
    assert args is not None
    refusal = _ineligible(cycle, pod, filtered)
    if refusal is not None:
        return refusal
    found, reasons = _dry_run(cycle, pod, _tried(filtered, args, random), budgets)
    # A node that needs no victims is refused by somebody whom victims would not change.
    found = [each for each in found if each.victims]
    return found or refused(cycle, reasons)


def refused(cycle: Cycle, reasons: dict[str, int]) -> Refusal:
    """reasons: how many nodes have which; preemption does not help on the others."""
    nodes = cycle.columns.count
    return Refusal(available_text(nodes, _merge({NOT_HELPFUL: nodes - sum(reasons.values())}, reasons)))


def _ineligible(cycle: Cycle, pod: PodEntry, filtered: Filtered) -> Refusal | None:
    if pod.shape.spec.preemption_policy == "Never":
        return Refusal(NEVER, keep_nomination=True)
    if _waits_for_victims(cycle, pod, filtered):
        return Refusal(TERMINATING, keep_nomination=True)
    return None


def _tried(filtered: Filtered, args: PreemptionArgs, random: Random) -> Rows:
    """The nodes that could become possible when pods went."""
    rows = array("i", bytes(4 * len(filtered.code)))
    count = 0 if filtered.message else kernels.select(filtered.code, _RESOLVABLE, rows)
    first = random.below(count) if count > 1 else 0
    return Rows(rows, count, first, min(count, max(count * args.candidates_percent // 100, args.candidates_min)))


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


def _waits_for_victims(cycle: Cycle, pod: PodEntry, filtered: Filtered) -> bool:
    """Whether pods that this one preempted are still leaving its nominated node."""
    columns, name = cycle.columns, cycle.nominated_node(pod)
    row = columns.rows.get(name) if name else None
    if row is None or row >= len(filtered.code):
        return False
    code = filtered.code[row]
    if code not in RESOLVABLE:
        return False
    return any(
        (other.evicted or (other.terminating and other.preempted)) and other.priority < pod.priority
        for other in columns.pods[row].values()
    )


def _dry_run(
    cycle: Cycle, pod: PodEntry, tried: Rows, budgets: Sequence[Budget]
) -> tuple[list[Candidate], dict[str, int]]:
    """Candidates, until there are enough with one that breaks no budget; and the reasons of the others."""
    found: list[Candidate] = []
    reasons: dict[str, int] = {}
    harmless = False
    for n in range(tried.count):
        result = victims_by_filters(cycle, pod, tried.rows[(tried.first + n) % tried.count], budgets)
        if isinstance(result, Candidate):
            found.append(result)
            harmless = harmless or result.violations == 0
            if harmless and len(found) >= tried.enough:
                break
        else:
            # A node may have several reasons; the sum of counts must stay the number of nodes.
            for text in result:
                reasons[text] = reasons.get(text, 0) + 1
    return found, reasons


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
        columns.put_in_order(row, order)


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
        return filtered.texts(row)
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
            if pod.name not in budget.disrupted and budget.counts(pod.label_set):
                left[n] -= 1
                broken = broken or left[n] < 0
        (violating if broken else fine).append(pod)
    return violating, fine


def _merge(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    return {text: first.get(text, 0) + second.get(text, 0) for text in [*first, *second]}
