"""How fast and how far a proposal may be followed.

source  Kubernetes documentation "Horizontal Pod Autoscaling", Configurable scaling behavior
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from cybernetes.controllers.podautoscaler.objects import Autoscaler, Policy, Rules

DOWNSCALE_WINDOW_S = 300
_UP = Rules(
    stabilization_window_seconds=0,
    select_policy="Max",
    policies=(Policy(type="Pods", value=4, period_seconds=15), Policy(type="Percent", value=100, period_seconds=15)),
)
_DOWN = Rules(
    stabilization_window_seconds=DOWNSCALE_WINDOW_S,
    select_policy="Max",
    policies=(Policy(type="Percent", value=100, period_seconds=15),),
)


class Change(msgspec.Struct, frozen=True):
    """Replicas added (or, below zero, removed) at a moment."""

    at: float
    by: int


class Recommendation(msgspec.Struct, frozen=True):
    at: float
    replicas: int


class Memory(msgspec.Struct):
    """What the controller remembers of one autoscaler."""

    recommendations: list[Recommendation] = []
    changes: list[Change] = []


class Told(msgspec.Struct, frozen=True):
    """(status, reason, message) of a condition."""

    status: str
    reason: str
    message: str


class Bounded(msgspec.Struct, frozen=True):
    """able: for AbleToScale; limited: for ScalingLimited."""

    replicas: int
    able: Told
    limited: Told


def rules(autoscaler: Autoscaler) -> tuple[Rules, Rules]:
    """(up, down), what is left out filled in."""
    behavior = autoscaler.spec.behavior
    return (
        _filled(behavior.scale_up if behavior else None, _UP),
        _filled(behavior.scale_down if behavior else None, _DOWN),
    )


def _filled(given: Rules | None, default: Rules) -> Rules:
    if given is None:
        return default
    window = given.stabilization_window_seconds
    return Rules(
        stabilization_window_seconds=default.stabilization_window_seconds if window is None else window,
        select_policy=given.select_policy or default.select_policy,
        policies=given.policies or default.policies,
        tolerance=given.tolerance,
    )


def bounded(autoscaler: Autoscaler, current: int, proposed: int, memory: Memory, now: float) -> Bounded:
    """The proposal, steadied over time, then held to the rates and to the range of the spec. Notes the proposal."""
    up, down = rules(autoscaler)
    steady, able = _stabilized(current, proposed, up, down, memory, now)
    replicas, limited = _limited(autoscaler, current, steady, up, down, memory, now)
    return Bounded(replicas, able, limited)


def _stabilized(current: int, proposed: int, up: Rules, down: Rules, memory: Memory, now: float) -> tuple[int, Told]:
    up_s, down_s = up.stabilization_window_seconds or 0, down.stabilization_window_seconds or 0
    lowest = highest = proposed
    for each in memory.recommendations:
        if each.at > now - up_s:
            lowest = min(lowest, each.replicas)
        if each.at > now - down_s:
            highest = max(highest, each.replicas)
    longest_s = max(up_s, down_s)
    memory.recommendations = [each for each in memory.recommendations if each.at > now - longest_s]
    memory.recommendations.append(Recommendation(now, proposed))
    steady = min(max(current, lowest), highest)
    if steady == proposed:
        return steady, Told("True", "ReadyForNewScale", "recommended size matches current size")
    direction, which = ("Down", "higher") if steady > proposed else ("Up", "lower")
    extreme = "highest" if direction == "Down" else "lowest"
    message = f"recent recommendations were {which} than current one, applying the {extreme} recent recommendation"
    return steady, Told("True", f"Scale{direction}Stabilized", message)


def _limited(
    autoscaler: Autoscaler, current: int, steady: int, up: Rules, down: Rules, memory: Memory, now: float
) -> tuple[int, Told]:
    spec = autoscaler.spec
    if steady > current:
        limit = max(current, _up_limit(current, up, memory, now))
        if steady > min(limit, spec.max_replicas):
            if limit < spec.max_replicas:
                message = "the desired replica count is increasing faster than the maximum scale rate"
                return limit, Told("True", "ScaleUpLimit", message)
            return spec.max_replicas, _too_many()
    elif steady < current:
        limit = min(current, _down_limit(current, down, memory, now))
        if steady < max(limit, spec.min_replicas):
            if limit > spec.min_replicas:
                message = "the desired replica count is decreasing faster than the maximum scale rate"
                return limit, Told("True", "ScaleDownLimit", message)
            return spec.min_replicas, _too_few()
    if steady > spec.max_replicas:
        return spec.max_replicas, _too_many()
    if steady < spec.min_replicas:
        return spec.min_replicas, _too_few()
    return steady, Told("False", "DesiredWithinRange", "the desired count is within the acceptable range")


def _too_many() -> Told:
    return Told("True", "TooManyReplicas", "the desired replica count is more than the maximum replica count")


def _too_few() -> Told:
    return Told("True", "TooFewReplicas", "the desired replica count is less than the minimum replica count")


def _up_limit(current: int, up: Rules, memory: Memory, now: float) -> int:
    if up.select_policy == "Disabled":
        return current
    limits = []
    for policy in up.policies:
        start = current - _changed(memory.changes, policy.period_seconds, now)
        limits.append(start + policy.value if policy.type == "Pods" else math.ceil(start * (1 + policy.value / 100)))
    return min(limits) if up.select_policy == "Min" else max(limits)


def _down_limit(current: int, down: Rules, memory: Memory, now: float) -> int:
    if down.select_policy == "Disabled":
        return current
    limits = []
    for policy in down.policies:
        start = current - _changed(memory.changes, policy.period_seconds, now)
        limits.append(start - policy.value if policy.type == "Pods" else int(start * (1 - policy.value / 100)))
    return max(limits) if down.select_policy == "Min" else min(limits)


def _changed(changes: Sequence[Change], period_s: int, now: float) -> int:
    return sum(each.by for each in changes if each.at > now - period_s)


def note(memory: Memory, by: int, now: float, longest_s: int = 3600) -> None:
    """Remember a change that was made."""
    memory.changes = [each for each in memory.changes if each.at > now - longest_s]
    memory.changes.append(Change(now, by))
