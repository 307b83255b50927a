"""What the status of a workload may say: no count below zero, no part larger than the whole.

source  Kubernetes, validation of pkg/apis/apps, policy, autoscaling, core: statuses
"""

from __future__ import annotations

import re
from typing import Any

from cybernetes.model.field import FieldError, Path, duplicate, invalid, not_supported, required, too_long
from cybernetes.model.validation import names
from cybernetes.model.validation.limits import validate_quota_amounts
from cybernetes.model.validation.meta import not_negative

Object = dict[str, Any]
_STATUS = Path("status")
_OF_REPLICAS = "cannot be greater than status.replicas"
_DEPLOYMENT = (
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "terminatingReplicas",
    "collisionCount",
)
_REPLICA_SET = (
    "replicas",
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas",
    "terminatingReplicas",
    "observedGeneration",
)
_STATEFUL_SET = (
    "replicas",
    "readyReplicas",
    "currentReplicas",
    "updatedReplicas",
    "availableReplicas",
    "observedGeneration",
    "collisionCount",
)
_DAEMON_SET = (
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
)
_BUDGET = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
_AUTOSCALER = ("currentReplicas", "desiredReplicas")
_REASON = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")
_REASON_WORDS = (
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or "
    "'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is "
    "'[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')"
)
_REASON_MAX = 1024
_MESSAGE_MAX = 32 * 1024


def validate_deployment_status(deployment: Object, old: Object) -> list[FieldError]:
    status = _of(deployment)
    errors = _counted(status, _DEPLOYMENT)
    errors += _within(status, ("updatedReplicas", "readyReplicas", "availableReplicas"), "replicas", _OF_REPLICAS)
    errors += _within(status, ("availableReplicas",), "readyReplicas", "cannot be greater than readyReplicas")
    return errors + _never_fewer_collisions(status, _of(old))


def validate_replica_set_status(replica_set: Object, old: Object) -> list[FieldError]:
    """Also that of a ReplicationController."""
    status = _of(replica_set)
    errors = _counted(status, _REPLICA_SET)
    errors += _within(status, ("fullyLabeledReplicas", "readyReplicas", "availableReplicas"), "replicas", _OF_REPLICAS)
    return errors + _within(status, ("availableReplicas",), "readyReplicas", "cannot be greater than readyReplicas")


def validate_stateful_set_status(stateful_set: Object, old: Object) -> list[FieldError]:
    status = _of(stateful_set)
    errors = _counted(status, _STATEFUL_SET)
    parts = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
    errors += _within(status, parts, "replicas", _OF_REPLICAS)
    errors += _within(status, ("availableReplicas",), "readyReplicas", "cannot be greater than status.readyReplicas")
    return errors + _never_fewer_collisions(status, _of(old))


def validate_daemon_set_status(daemon_set: Object, old: Object) -> list[FieldError]:
    status = _of(daemon_set)
    return _counted(status, _DAEMON_SET) + _never_fewer_collisions(status, _of(old))


def validate_budget_status(budget: Object, old: Object) -> list[FieldError]:
    status = _of(budget)
    return _conditions(status.get("conditions") or [], _STATUS.child("conditions")) + _counted(status, _BUDGET)


def validate_autoscaler_status(autoscaler: Object, old: Object) -> list[FieldError]:
    return _counted(_of(autoscaler), _AUTOSCALER)


def validate_quota_status(quota: Object, old: Object) -> list[FieldError]:
    status = _of(quota)
    return [error for key in ("hard", "used") for error in validate_quota_amounts(status.get(key), _STATUS.child(key))]


def _of(obj: Object) -> Object:
    return obj.get("status") or {}


def _counted(status: Object, fields: tuple[str, ...]) -> list[FieldError]:
    return [error for name in fields for error in not_negative(status.get(name), _STATUS.child(name))]


def _within(status: Object, parts: tuple[str, ...], whole: str, text: str) -> list[FieldError]:
    limit = status.get(whole) or 0
    counts = [(part, status.get(part) or 0) for part in parts]
    return [invalid(_STATUS.child(part), count, text) for part, count in counts if count > limit]


def _never_fewer_collisions(status: Object, before: Object) -> list[FieldError]:
    """Names are made of the count, so what had a name once would have it again."""
    count = status.get("collisionCount") or 0
    if count >= (before.get("collisionCount") or 0):
        return []
    return [invalid(_STATUS.child("collisionCount"), count, "cannot be decremented")]


def _conditions(conditions: list[Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, each in enumerate(conditions):
        kind = each.get("type", "")
        if kind in seen:
            errors.append(duplicate(path.index(i).child("type"), kind))
        seen.add(kind)
        errors += _condition(each, path.index(i))
    return errors


def _condition(condition: Object, path: Path) -> list[FieldError]:
    kind, status, reason = (condition.get(key) or "" for key in ("type", "status", "reason"))
    errors = [invalid(path.child("type"), kind, each) for each in names.qualified_name(kind)]
    if status not in ("False", "True", "Unknown"):
        errors.append(not_supported(path.child("status"), status, ("False", "True", "Unknown")))
    if (generation := condition.get("observedGeneration") or 0) < 0:
        text = "must be greater than or equal to zero"
        errors.append(invalid(path.child("observedGeneration"), generation, text))
    if not condition.get("lastTransitionTime"):
        errors.append(required(path.child("lastTransitionTime"), "must be set"))
    if not reason:
        errors.append(required(path.child("reason"), "must be set"))
    elif not _REASON.fullmatch(reason):
        errors.append(invalid(path.child("reason"), reason, _REASON_WORDS))
    if len(reason.encode()) > _REASON_MAX:
        errors.append(too_long(path.child("reason"), _REASON_MAX))
    if len((condition.get("message") or "").encode()) > _MESSAGE_MAX:
        errors.append(too_long(path.child("message"), _MESSAGE_MAX))
    return errors
