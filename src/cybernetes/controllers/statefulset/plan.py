"""The next step of a StatefulSet.

source  Kubernetes documentation "StatefulSets", Deployment and Scaling Guarantees
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cybernetes.controllers import pods
from cybernetes.controllers.history import POD_LABEL
from cybernetes.controllers.objects import Pod
from cybernetes.controllers.percent import share
from cybernetes.controllers.statefulset.identity import ordinal_of
from cybernetes.controllers.statefulset.objects import StatefulSet, StatefulSetStatus


class Create(msgspec.Struct, frozen=True):
    """revision: the name of the revision that the pod is made from."""

    ordinal: int
    revision: str


class Delete(msgspec.Struct, frozen=True):
    """condemned: the pod is scaled away, so its claims may go with it."""

    pod: Pod
    condemned: bool = False


Action = Create | Delete


class Revisions(msgspec.Struct, frozen=True):
    """Names of the revision that the set comes from, and of the one that it goes to."""

    current: str
    update: str


class Members(msgspec.Struct, frozen=True):
    """wanted: ordinals in order, with their pods where there are any. surplus: the highest first."""

    wanted: list[tuple[int, Pod | None]]
    surplus: list[Pod]


def members(stateful_set: StatefulSet, owned: Sequence[Pod]) -> Members:
    numbered = {ordinal_of(stateful_set.metadata.name, pod.metadata.name): pod for pod in owned}
    start = stateful_set.spec.start
    wanted = range(start, start + stateful_set.spec.replicas)
    surplus = sorted((n for n in numbered if n is not None and n not in wanted), reverse=True)
    return Members([(n, numbered.get(n)) for n in wanted], [numbered[n] for n in surplus])


def plan(stateful_set: StatefulSet, found: Members, revisions: Revisions, now: float) -> list[Action]:
    """Actions that may be done now; in an ordered set at most one."""
    if stateful_set.metadata.deletion_timestamp:
        return []
    actions, waiting = _fill(stateful_set, found, revisions, now)
    if waiting:
        return actions
    down, waiting = _scale_down(stateful_set, found, now)
    actions += down
    if waiting or stateful_set.spec.update_strategy.type == "OnDelete":
        return actions
    return actions + _roll(stateful_set, found, revisions, now)


def _ordered(stateful_set: StatefulSet) -> bool:
    return stateful_set.spec.pod_management_policy != "Parallel"


def is_healthy(stateful_set: StatefulSet, pod: Pod, now: float) -> bool:
    running = pod.status.phase == "Running" and not pod.metadata.deletion_timestamp
    return running and pods.is_available(pod, stateful_set.spec.min_ready_seconds, now)


def _fill(stateful_set: StatefulSet, found: Members, revisions: Revisions, now: float) -> tuple[list[Action], bool]:
    """Pods that are missing or have ended. (actions, whether an ordered set must wait before anything else)."""
    ordered = _ordered(stateful_set)
    actions: list[Action] = []
    for ordinal, pod in found.wanted:
        if pod is None:
            actions.append(Create(ordinal, _revision_for(stateful_set, ordinal, revisions)))
            if ordered:
                return actions, True
        elif pods.is_terminal(pod):
            if not pod.metadata.deletion_timestamp:
                actions.append(Delete(pod))
            if ordered:
                return actions, True
        elif ordered and not is_healthy(stateful_set, pod, now):
            return actions, True
    return actions, False


def _revision_for(stateful_set: StatefulSet, ordinal: int, revisions: Revisions) -> str:
    """Below the partition pods are made from the revision that the set comes from."""
    strategy = stateful_set.spec.update_strategy
    if strategy.type != "RollingUpdate":
        return revisions.update
    rolling = strategy.rolling_update
    partition = rolling.partition if rolling and rolling.partition is not None else 0
    return revisions.current if ordinal < stateful_set.spec.start + partition else revisions.update


def _scale_down(stateful_set: StatefulSet, found: Members, now: float) -> tuple[list[Action], bool]:
    ordered = _ordered(stateful_set)
    unhealthy = _first_unhealthy(stateful_set, found, now)
    actions: list[Action] = []
    for pod in found.surplus:
        if pod.metadata.deletion_timestamp:
            if ordered:
                return actions, True
            continue
        if ordered and not is_healthy(stateful_set, pod, now) and pod is not unhealthy:
            return actions, True
        actions.append(Delete(pod, condemned=True))
        if ordered:
            return actions, True
    return actions, False


def _first_unhealthy(stateful_set: StatefulSet, found: Members, now: float) -> Pod | None:
    """The unhealthy pod with the lowest number."""
    present = [pod for _, pod in found.wanted if pod is not None] + list(reversed(found.surplus))
    return next((pod for pod in present if not is_healthy(stateful_set, pod, now)), None)


def _roll(stateful_set: StatefulSet, found: Members, revisions: Revisions, now: float) -> list[Action]:
    """Delete pods of other revisions, from the highest down to the partition, while enough others are healthy."""
    rolling = stateful_set.spec.update_strategy.rolling_update
    partition = rolling.partition if rolling and rolling.partition is not None else 0
    limit = 1
    if rolling and rolling.max_unavailable is not None:
        limit = max(1, share(rolling.max_unavailable, stateful_set.spec.replicas, round_up=True))
    first = stateful_set.spec.start + partition
    actions: list[Action] = []
    unavailable = 0
    for ordinal, pod in reversed(found.wanted):
        if ordinal < first or unavailable >= limit:
            break
        if pod is None:
            unavailable += 1
        elif pod.metadata.labels.get(POD_LABEL) != revisions.update and not pod.metadata.deletion_timestamp:
            actions.append(Delete(pod))
            unavailable += 1
        elif not is_healthy(stateful_set, pod, now):
            unavailable += 1
    return actions


def status(stateful_set: StatefulSet, owned: Sequence[Pod], revisions: Revisions, now: float) -> StatefulSetStatus:
    made = [pod for pod in owned if pod.status.phase]
    ready = [pod for pod in made if pod.status.phase == "Running" and pods.is_ready(pod)]
    staying = [pod for pod in made if not pod.metadata.deletion_timestamp]
    at_current = sum(pod.metadata.labels.get(POD_LABEL) == revisions.current for pod in staying)
    at_update = sum(pod.metadata.labels.get(POD_LABEL) == revisions.update for pod in staying)
    wanted = stateful_set.spec.replicas
    current = revisions.current
    rolling = stateful_set.spec.update_strategy.type == "RollingUpdate"
    if rolling and at_update == len(made) == len(ready) == wanted:
        current, at_current = revisions.update, at_update
    return StatefulSetStatus(
        observed_generation=stateful_set.metadata.generation,
        replicas=len(made),
        ready_replicas=len(ready),
        available_replicas=sum(pods.is_available(pod, stateful_set.spec.min_ready_seconds, now) for pod in ready),
        current_replicas=at_current,
        updated_replicas=at_update,
        current_revision=current,
        update_revision=revisions.update,
        collision_count=stateful_set.status.collision_count or 0,
        conditions=stateful_set.status.conditions,
    )
