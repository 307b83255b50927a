"""The status of a PodDisruptionBudget.

source  Kubernetes documentation "Specifying a Disruption Budget for your Application"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cybernetes.base.clock import parse_rfc3339, rfc3339
from cybernetes.controllers import pods
from cybernetes.controllers.objects import Condition, Meta, Pod, Selector, View
from cybernetes.controllers.percent import share

# A granted eviction whose pod has not gone by then did not happen.
GRANTED_S = 120.0


class BudgetSpec(View, frozen=True, gc=False):
    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    selector: Selector | None = None

    @property
    def needs_scale(self) -> bool:
        """Whether the number of pods that should exist matters, not only of those that do."""
        return self.max_unavailable is not None or isinstance(self.min_available, str)


class BudgetCondition(Condition, frozen=True, gc=False):
    observed_generation: int = 0


class BudgetStatus(View, frozen=True, gc=False):
    observed_generation: int = 0
    disrupted_pods: dict[str, str] = {}
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0
    conditions: tuple[BudgetCondition, ...] = ()


class Budget(View, frozen=True, gc=False):
    metadata: Meta
    spec: BudgetSpec = BudgetSpec()
    status: BudgetStatus = BudgetStatus()


class Expected(msgspec.Struct, frozen=True):
    """pods: that should exist. healthy: that must be."""

    pods: int
    healthy: int


def expected(budget: Budget, matching: int, scale: int) -> Expected:
    """matching: pods that exist; scale: that their controllers want."""
    spec = budget.spec
    if spec.max_unavailable is not None:
        missing = share(spec.max_unavailable, scale, round_up=True)
        return Expected(scale, max(0, scale - missing))
    if isinstance(spec.min_available, str):
        return Expected(scale, share(spec.min_available, scale, round_up=True))
    return Expected(matching, spec.min_available if spec.min_available is not None else 0)


def still_granted(budget: Budget, by_name: Mapping[str, Pod], now: float) -> tuple[dict[str, str], list[Pod]]:
    """(granted evictions that may yet happen, pods that should have gone and have not)."""
    granted, overdue = {}, []
    for name, at in budget.status.disrupted_pods.items():
        pod = by_name.get(name)
        if pod is None or pod.metadata.deletion_timestamp:
            continue
        if parse_rfc3339(at) + GRANTED_S < now:
            overdue.append(pod)
        else:
            granted[name] = at
    return granted, overdue


def look_again_in(granted: Mapping[str, str], now: float) -> float | None:
    return min((parse_rfc3339(at) + GRANTED_S - now + 0.1 for at in granted.values()), default=None)


def healthy(matching: Sequence[Pod], granted: Mapping[str, str]) -> int:
    return sum(
        pods.is_ready(pod) and not pod.metadata.deletion_timestamp and pod.metadata.name not in granted
        for pod in matching
    )


def status(budget: Budget, wanted: Expected, current: int, granted: dict[str, str], now: float) -> BudgetStatus:
    allowed = max(0, current - wanted.healthy) if wanted.pods > 0 else 0
    told = Condition(
        type="DisruptionAllowed",
        status="True" if allowed else "False",
        reason="SufficientPods" if allowed else "InsufficientPods",
    )
    return BudgetStatus(
        observed_generation=budget.metadata.generation,
        disrupted_pods=granted,
        disruptions_allowed=allowed,
        current_healthy=current,
        desired_healthy=wanted.healthy,
        expected_pods=wanted.pods,
        conditions=_put(budget, told, budget.metadata.generation, now),
    )


def failed(budget: Budget, message: str, now: float) -> BudgetStatus:
    told = Condition(type="DisruptionAllowed", status="False", reason="SyncFailed", message=message)
    conditions = _put(budget, told, budget.status.observed_generation, now)
    return msgspec.structs.replace(budget.status, disruptions_allowed=0, conditions=conditions)


def unmanaged(selector: Selector | None) -> str:
    """What an event tells of pods without a controller, the selector in the words of the reference's own printing."""
    return (
        f"Pods selected by this PodDisruptionBudget (selector: {_printed(selector or Selector())}) were found to be "
        "unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined "
        'behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.'
    )


def _printed(selector: Selector) -> str:
    labels = "".join(f"{name}: {value}," for name, value in sorted(selector.match_labels.items()))
    requirements = "".join(
        f"LabelSelectorRequirement{{Key:{each.key},Operator:{each.operator},Values:[{' '.join(each.values)}],}},"
        for each in selector.match_expressions
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{requirements}}},}}"
    )


def _put(budget: Budget, told: Condition, generation: int, now: float) -> tuple[BudgetCondition, ...]:
    """The budget's conditions with this one where it was."""
    before = next((each for each in budget.status.conditions if each.type == told.type), None)
    since = before.last_transition_time if before and before.status == told.status else rfc3339(now)
    new = BudgetCondition(
        type=told.type,
        status=told.status,
        reason=told.reason,
        message=told.message,
        last_transition_time=since,
        observed_generation=generation,
    )
    if before is None:
        return (*budget.status.conditions, new)
    return tuple(new if each is before else each for each in budget.status.conditions)


def as_json(found: BudgetStatus) -> dict[str, Any]:
    """These numbers are part of the status even when they are zero, and a condition always has a message."""
    written: dict[str, Any] = msgspec.to_builtins(found)
    for name in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"):
        written.setdefault(name, 0)
    written["conditions"] = [{"message": "", **each} for each in written["conditions"]]
    return written
