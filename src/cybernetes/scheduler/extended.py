"""One decision with extenders: ask them between filtering and choosing, and choose on the picture as it then is.

enters   a pod that some extender is concerned with, the cycle, the pod and the nodes as the API server has them
leaves   what `Cycle.decide` leaves; the candidate for preemption that all extenders agree to
holds    decisions are still made one after the other: while an answer is waited for nothing else is decided, and what
         events changed meanwhile is looked at again before the choice
fails    ExtenderFailed, unless the extender is ignorable; failed scores are left out
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.client.api import ApiClient
from cybernetes.client.target import PODS
from cybernetes.native import load
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.extenders import Extender, ExtenderFailed, Verdict
from cybernetes.scheduler.outcome import Filtered, Placement, Unschedulable, unschedulable
from cybernetes.scheduler.pods import PodEntry
from cybernetes.scheduler.preempt import Refusal, candidates, pick, refused
from cybernetes.scheduler.reasons import NO_NODES, OTHER, OTHER_NEVER
from cybernetes.scheduler.victims import Budget, Candidate

kernels = load("score")
_log = Log("scheduler")

NOT_AGREED = "node(s) were not accepted by a scheduler extender"


class Extended:
    """nodes: whole ones by name, kept where some extender does not know them itself."""

    def __init__(self, client: ApiClient, extenders: Sequence[Extender], nodes: Mapping[str, bytes]) -> None:
        self._client = client
        self._extenders = extenders
        self._nodes = nodes

    def concerns(self, pod: PodEntry) -> bool:
        return any(each.concerns(pod) for each in self._extenders)

    def binder(self, pod: PodEntry) -> Extender | None:
        """Who binds the pod instead of the scheduler."""
        return next((each for each in self._extenders if each.terms.bind_verb and each.concerns(pod)), None)

    async def decide(self, cycle: Cycle, pod: PodEntry, random: Random) -> Placement | Unschedulable:
        """Raises ExtenderFailed, ApiError, EdgeError."""
        if not cycle.columns.count:
            return Unschedulable(NO_NODES, frozenset())
        whole = await self._client.get(PODS, pod.name, namespace=pod.namespace)
        verdicts = await self._filter(cycle, pod, whole)
        names = _possible(cycle, self._judged(cycle, pod, verdicts))
        scores = await self._score(pod, whole, names) if len(names) > 1 else {}
        filtered = self._judged(cycle, pod, verdicts)
        possible = filtered.possible()
        if not possible:
            return unschedulable(filtered, cycle.columns.count)
        total = cycle.total(pod, filtered.code)
        for name, score in scores.items():
            row = cycle.columns.rows.get(name)
            if row is not None and row < len(total):
                total[row] += score
        ties = kernels.best(total, filtered.code)
        row = kernels.best_at(total, filtered.code, random.below(ties) if ties > 1 else 0)
        return Placement(cycle.columns.names[row], total[row], possible)

    async def preempt(
        self, cycle: Cycle, pod: PodEntry, filtered: Filtered, budgets: Sequence[Budget], random: Random
    ) -> Candidate | Refusal:
        """Raises ExtenderFailed, ApiError, EdgeError."""
        found = candidates(cycle, pod, filtered, budgets, random)
        if isinstance(found, Refusal):
            return found
        asked = [each for each in self._extenders if each.terms.preempt_verb and each.concerns(pod)]
        whole = await self._client.get(PODS, pod.name, namespace=pod.namespace) if asked else {}
        for extender in asked:
            agreed = await _ask(extender, lambda e=extender, f=found: e.preempt(whole, f))  # type: ignore[misc]
            if agreed is not None:
                found = [_narrowed(each, agreed[each.node]) for each in found if each.node in agreed]
            if not found:
                return refused(cycle, {NOT_AGREED: len(agreed or ())})
        return pick(found)

    async def _filter(self, cycle: Cycle, pod: PodEntry, whole: dict[str, Any]) -> list[Verdict]:
        verdicts: list[Verdict] = []
        for extender in self._extenders:
            if not extender.terms.filter_verb or not extender.concerns(pod):
                continue
            names = _possible(cycle, self._judged(cycle, pod, verdicts))
            if not names:
                break
            found = await _ask(extender, lambda e=extender, n=names: e.filter(whole, n, self._nodes))  # type: ignore[misc]
            if found is not None:
                # It has said nothing of nodes that it was not asked about.
                others = frozenset(cycle.columns.rows) - frozenset(names)
                verdicts.append(msgspec.structs.replace(found, possible=found.possible | others))
        return verdicts

    def _judged(self, cycle: Cycle, pod: PodEntry, verdicts: Sequence[Verdict]) -> Filtered:
        """What the filters find now, and what the extenders found."""
        filtered = cycle.filter(pod)
        for verdict in verdicts:
            for name, row in cycle.columns.rows.items():
                if row >= len(filtered.code) or filtered.code[row] != 0 or name in verdict.possible:
                    continue
                never = name in verdict.never
                filtered.code[row] = OTHER_NEVER if never else OTHER
                words = verdict.never.get(name) or verdict.failed.get(name) or NOT_AGREED
                filtered.words[row] = words
                filtered.plugins = filtered.plugins | {"Extender"}
        return filtered

    async def _score(self, pod: PodEntry, whole: dict[str, Any], names: Sequence[str]) -> dict[str, int]:
        scores: dict[str, int] = {}
        for extender in self._extenders:
            if not extender.terms.prioritize_verb or not extender.concerns(pod):
                continue
            try:
                found = await extender.prioritize(whole, names, self._nodes)
            except ExtenderFailed as failed:
                _log.warning("extender.not_scored", url=extender.terms.url, why=str(failed))
                continue
            for name, score in found.items():
                scores[name] = scores.get(name, 0) + score
        return scores


async def _ask(extender: Extender, call: Callable[[], Awaitable[Any]]) -> Any:
    """The answer; None where an ignorable extender failed. Raises ExtenderFailed."""
    try:
        return await call()
    except ExtenderFailed as failed:
        if not extender.terms.ignorable:
            raise
        _log.warning("extender.skipped", url=extender.terms.url, why=str(failed))
        return None


def _possible(cycle: Cycle, filtered: Filtered) -> list[str]:
    if filtered.message:
        return []
    return [cycle.columns.names[row] for row, code in enumerate(filtered.code) if code == 0]


def _narrowed(candidate: Candidate, agreed: tuple[frozenset[str], int]) -> Candidate:
    uids, violations = agreed
    victims = tuple(each for each in candidate.victims if each.uid in uids)
    return Candidate(candidate.node, victims, violations)
