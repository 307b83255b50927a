"""Where would these pods go, and what would they evict? Nothing is sent to anybody.

enters   a Snapshot, pods in the order in which they came
leaves   an Outcome for each pod; later pods are decided with the earlier ones in place, and their victims gone
holds    the code is the scheduler's own; chance among equals is seeded, so that an answer can be asked for again
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cybernetes.base.random import Random
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.devices.write import promise_devices
from cybernetes.scheduler.outcome import Placement, Unschedulable
from cybernetes.scheduler.pods import PodEntry
from cybernetes.scheduler.preempt import preempt
from cybernetes.scheduler.reasons import failure_text
from cybernetes.scheduler.snapshot import Snapshot
from cybernetes.scheduler.storage.choose import Choices
from cybernetes.scheduler.storage.write import promise
from cybernetes.scheduler.victims import Candidate


class Outcome(msgspec.Struct, frozen=True):
    """node "": nowhere, `message` says why. evicts: keys of pods that would have to go first."""

    pod: str
    node: str = ""
    possible: int = 0
    score: int = 0
    evicts: tuple[str, ...] = ()
    message: str = ""


def decide_all(snapshot: Snapshot, pods: Sequence[PodEntry], random: Random) -> list[Outcome]:
    """In the queue's order: the more important first, then as they came; outcomes in the order of `pods`."""
    ranked = sorted(range(len(pods)), key=lambda n: (-pods[n].priority, n))
    found = {n: _decide(snapshot, pods[n], random) for n in ranked}
    return _as_groups(pods, [found[n] for n in range(len(pods))])


def _as_groups(pods: Sequence[PodEntry], found: list[Outcome]) -> list[Outcome]:
    """A pod of a group of which not enough fit goes nowhere. What runs of the group already is not counted."""
    fit: dict[str, int] = {}
    for pod, outcome in zip(pods, found, strict=True):
        fit[pod.group] = fit.get(pod.group, 0) + bool(outcome.node)
    return [
        Outcome(pod.key, message=f"pod group {pod.group}: {fit[pod.group]} of {pod.group_min} pods fit")
        if pod.group and outcome.node and fit[pod.group] < pod.group_min
        else outcome
        for pod, outcome in zip(pods, found, strict=True)
    ]


def _decide(snapshot: Snapshot, pod: PodEntry, random: Random) -> Outcome:
    cycle = snapshot.cycle(pod)
    if cycle is None:
        return Outcome(pod.key, message=f"no scheduler is called {pod.shape.spec.scheduler_name} here")
    if pod.gates:
        return Outcome(pod.key, message=f"waiting for scheduling gates: [{' '.join(pod.gates)}]")
    if pod.node_name:
        snapshot.columns.add_pod(pod, pod.node_name)
        return Outcome(pod.key, pod.node_name, message="names its node itself")
    decision = cycle.decide(pod, random)
    if isinstance(decision, Placement):
        _place(snapshot, cycle, pod, decision.node)
        return Outcome(pod.key, decision.node, decision.possible, decision.score)
    return _preempt(snapshot, cycle, pod, decision, random)


def _preempt(snapshot: Snapshot, cycle: Cycle, pod: PodEntry, decision: Unschedulable, random: Random) -> Outcome:
    if decision.filtered is None or cycle.profile.preemption is None:
        return Outcome(pod.key, message=decision.message)
    found = preempt(cycle, pod, decision.filtered, snapshot.budgets, random)
    if not isinstance(found, Candidate):
        return Outcome(pod.key, message=failure_text(decision.message, found.words, claims=bool(pod.device_claims)))
    for victim in found.victims:
        snapshot.columns.remove_pod(victim, found.node)
    _place(snapshot, cycle, pod, found.node)
    broken = f"breaks {found.violations} disruption budget(s)" if found.violations else ""
    return Outcome(pod.key, found.node, 1, evicts=tuple(each.key for each in found.victims), message=broken)


def _place(snapshot: Snapshot, cycle: Cycle, pod: PodEntry, node_name: str) -> None:
    volumes = cycle.volume_choices(pod, node_name) if pod.claims else Choices()
    promise(snapshot.storage, volumes, node_name)
    promise_devices(snapshot.devices, pod, cycle.device_grant(pod, node_name))
    snapshot.columns.add_pod(pod, node_name)


def render(outcomes: Sequence[Outcome]) -> str:
    """A table for people."""
    rows = [("POD", "NODE", "OF", "SCORE", "EVICTS")]
    for each in outcomes:
        evicts = ", ".join(each.evicts) or "-"
        of, score = (str(each.possible), str(each.score)) if each.possible else ("-", "-")
        rows.append((each.pod, each.node or "nowhere", of, score, evicts))
    widths = [max(len(row[n]) for row in rows) for n in range(4)]
    lines = []
    for n, row in enumerate(rows):
        lines.append("  ".join([*(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)), row[4]]))
        if n and outcomes[n - 1].message:
            lines.append(f"    {outcomes[n - 1].message}")
    return "\n".join(lines)
