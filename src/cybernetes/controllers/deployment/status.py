"""What a Deployment's status says: counts, Available, Progressing, ReplicaFailure.

source  Kubernetes documentation "Deployments", Deployment status
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cybernetes.base.clock import parse_rfc3339, rfc3339
from cybernetes.controllers.deployment.plan import Sets, limits
from cybernetes.controllers.objects import Condition, Deployment, DeploymentStatus, ReplicaSet
from cybernetes.controllers.pods import condition

# The value that stands for "no deadline".
NO_DEADLINE = 2147483647


class Told(msgspec.Struct, frozen=True):
    """A condition before it has times."""

    type: str
    status: str
    reason: str
    message: str


def created(name: str) -> Told:
    return Told("Progressing", "True", "NewReplicaSetCreated", f'Created new replica set "{name}"')


def found(name: str) -> Told:
    return Told("Progressing", "True", "FoundNewReplicaSet", f'Found new replica set "{name}"')


def not_created(name: str, error: str) -> Told:
    message = f'Failed to create new replica set "{name}": {error}'
    return Told("Progressing", "False", "ReplicaSetCreateError", message)


def has_deadline(deployment: Deployment) -> bool:
    return deployment.spec.progress_deadline_seconds != NO_DEADLINE


def compute(deployment: Deployment, sets: Sets, now: float) -> DeploymentStatus:
    """Counts and conditions as of now."""
    status = counts(deployment, sets, now)
    conditions = status.conditions
    paused = _paused(deployment)
    if paused is not None:
        conditions = put(conditions, paused, now)
    elif not deployment.spec.paused:
        conditions = _progress(deployment, sets, status, now)
        failure = _failure(sets)
        conditions = put(conditions, failure, now) if failure else _without(conditions, "ReplicaFailure")
    return msgspec.structs.replace(status, conditions=conditions)


def counts(deployment: Deployment, sets: Sets, now: float) -> DeploymentStatus:
    every = sets.all
    available = sum(each.status.available_replicas for each in every)
    terminating = [each.status.terminating_replicas for each in every]
    enough = available >= deployment.spec.replicas - limits(deployment).unavailable
    told = (
        Told("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        if enough
        else Told("Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    )
    return DeploymentStatus(
        observed_generation=deployment.metadata.generation,
        replicas=sum(each.status.replicas for each in every),
        updated_replicas=sets.new.status.replicas if sets.new else 0,
        ready_replicas=sum(each.status.ready_replicas for each in every),
        available_replicas=available,
        unavailable_replicas=max(0, sum(each.spec.replicas for each in every) - available),
        terminating_replicas=None if None in terminating else sum(each or 0 for each in terminating),
        collision_count=deployment.status.collision_count,
        conditions=put(deployment.status.conditions, told, now),
    )


def is_complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    wanted = deployment.spec.replicas
    return wanted == status.updated_replicas == status.replicas == status.available_replicas


def _paused(deployment: Deployment) -> Told | None:
    """The change to be told when pausing starts or ends."""
    progressing = condition(deployment.status.conditions, "Progressing")
    reason = progressing.reason if progressing else ""
    if not has_deadline(deployment) or reason == "ProgressDeadlineExceeded":
        return None
    if deployment.spec.paused and reason != "DeploymentPaused":
        return Told("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
    if not deployment.spec.paused and reason == "DeploymentPaused":
        return Told("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")
    return None


def _progress(deployment: Deployment, sets: Sets, status: DeploymentStatus, now: float) -> tuple[Condition, ...]:
    conditions = status.conditions
    if not has_deadline(deployment):
        return _without(conditions, "Progressing")
    current = condition(conditions, "Progressing")
    if current is None and sets.new is not None:
        conditions = put(conditions, found(sets.new.metadata.name), now)
    if current and current.reason == "NewReplicaSetAvailable" and status.replicas == status.updated_replicas:
        return conditions
    subject = f'ReplicaSet "{sets.new.metadata.name}"' if sets.new else f'Deployment "{deployment.metadata.name}"'
    if is_complete(deployment, status):
        told = Told("Progressing", "True", "NewReplicaSetAvailable", f"{subject} has successfully progressed.")
        return put(conditions, told, now)
    if _moved(deployment.status, status):
        told = Told("Progressing", "True", "ReplicaSetUpdated", f"{subject} is progressing.")
        # The time of the last update is what the deadline counts from, so it moves with every progress.
        return put(conditions, told, now, always=True)
    if current is not None and _timed_out(deployment, current, now):
        told = Told("Progressing", "False", "ProgressDeadlineExceeded", f"{subject} has timed out progressing.")
        return put(conditions, told, now)
    return conditions


def _moved(before: DeploymentStatus, now: DeploymentStatus) -> bool:
    return (
        now.updated_replicas > before.updated_replicas
        or now.replicas - now.updated_replicas < before.replicas - before.updated_replicas
        or now.ready_replicas > before.ready_replicas
        or now.available_replicas > before.available_replicas
    )


def _timed_out(deployment: Deployment, progressing: Condition, now: float) -> bool:
    if progressing.reason == "NewReplicaSetAvailable":
        return False
    if progressing.reason == "ProgressDeadlineExceeded":
        return True
    return _deadline(deployment, progressing) < now


def _deadline(deployment: Deployment, progressing: Condition) -> float:
    updated = progressing.last_update_time
    return (parse_rfc3339(updated) if updated else 0) + deployment.spec.progress_deadline_seconds


def check_again_in(deployment: Deployment, status: DeploymentStatus, now: float) -> float | None:
    """Seconds until the progress deadline should be looked at; None when it can't pass."""
    progressing = condition(status.conditions, "Progressing")
    if progressing is None or not has_deadline(deployment) or deployment.spec.paused:
        return None
    if progressing.reason in ("NewReplicaSetAvailable", "ProgressDeadlineExceeded") or is_complete(deployment, status):
        return None
    return max(1.0, _deadline(deployment, progressing) - now + 1)


def _failure(sets: Sets) -> Told | None:
    """Trouble with pods, of the new ReplicaSet if it has any, else of an old one."""
    candidates: Sequence[ReplicaSet] = [sets.new, *sets.old] if sets.new else sets.old
    for each in candidates:
        failure = condition(each.status.conditions, "ReplicaFailure")
        if failure is not None:
            return Told("ReplicaFailure", failure.status, failure.reason, failure.message)
    return None


def put(conditions: tuple[Condition, ...], told: Told, now: float, *, always: bool = False) -> tuple[Condition, ...]:
    """The conditions with `told` in place of the one of its type.

    Where status and reason stay, nothing changes, unless `always`; the transition time moves with the status.
    """
    before = condition(conditions, told.type)
    if before and not always and (before.status, before.reason) == (told.status, told.reason):
        return conditions
    since = before.last_transition_time if before and before.status == told.status else rfc3339(now)
    new = Condition(
        type=told.type,
        status=told.status,
        reason=told.reason,
        message=told.message,
        last_update_time=rfc3339(now),
        last_transition_time=since,
    )
    return (*_without(conditions, told.type), new)


def _without(conditions: tuple[Condition, ...], kind: str) -> tuple[Condition, ...]:
    return tuple(each for each in conditions if each.type != kind)


def as_json(status: DeploymentStatus) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(status)
    return found
