"""How many pods to create, which to delete, and what the status says.

source  Kubernetes documentation "ReplicaSet"
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from cybernetes.base.clock import parse_rfc3339, rfc3339
from cybernetes.controllers import pods
from cybernetes.controllers.objects import Condition, ContainerStatus, Pod, ReplicaSet, raw

# Creations or deletions of one sync; the next sync goes on once these were seen.
BURST_MAX = 500
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_COST = "controller.kubernetes.io/pod-deletion-cost"


class Plan(msgspec.Struct, frozen=True):
    create: int = 0
    delete: tuple[Pod, ...] = ()


def plan(replica_set: ReplicaSet, owned: Sequence[Pod], related: Sequence[Pod], now: float) -> Plan:
    """owned: all pods of the ReplicaSet; related: active pods of ReplicaSets with the same controller."""
    active = [pod for pod in owned if pods.is_active(pod)]
    missing = replica_set.spec.replicas - len(active)
    if replica_set.metadata.deletion_timestamp or missing == 0:
        return Plan()
    if missing > 0:
        return Plan(create=min(missing, BURST_MAX))
    surplus = min(-missing, BURST_MAX)
    return Plan(delete=tuple(rank_for_deletion(active, related, now)[:surplus]))


class _Age(msgspec.Struct, frozen=True):
    """since: None for what never was. bucket: of ages, which count in powers of two."""

    since: float | None
    bucket: int

    def order(self, other: _Age, uids: tuple[str, str]) -> int:
        """The younger first; of one bucket by uid, so that pods of one rollout go evenly."""
        if self.since is None or other.since is None or self.since == other.since:
            return 0
        if self.bucket != other.bucket:
            return -1 if self.bucket < other.bucket else 1
        return -1 if uids[0] < uids[1] else 1


class _Rank(msgspec.Struct, frozen=True):
    """What of a pod is compared, made once: of many pods each is compared often."""

    pod: Pod
    coarse: tuple[int, ...]
    ready: _Age
    restarts: tuple[int, int]
    created: _Age


def rank_for_deletion(active: Sequence[Pod], related: Sequence[Pod], now: float) -> list[Pod]:
    """Pods in the order in which they should go."""
    crowd = Counter(pod.spec.node_name for pod in related)
    ranks = [
        _Rank(
            pod,
            _coarse(pod, crowd),
            _age(pods.ready_since(pod), now),
            _restarts(pod),
            _age(parse_rfc3339(pod.metadata.creation_timestamp), now),
        )
        for pod in active
    ]
    ranks.sort(key=functools.cmp_to_key(_compare))
    return [each.pod for each in ranks]


def _compare(a: _Rank, b: _Rank) -> int:
    if a.coarse != b.coarse:
        return -1 if a.coarse < b.coarse else 1
    uids = a.pod.metadata.uid, b.pod.metadata.uid
    if order := a.ready.order(b.ready, uids):
        return order
    if a.restarts != b.restarts:
        return -1 if a.restarts > b.restarts else 1
    return a.created.order(b.created, uids)


def _coarse(pod: Pod, crowd: Counter[str]) -> tuple[int, ...]:
    """Not placed, not running, not ready, cheap, crowded: each of these goes first, in this order."""
    return (
        int(bool(pod.spec.node_name)),
        _PHASES.get(pod.status.phase, 0),
        int(pods.is_ready(pod)),
        _deletion_cost(pod),
        -crowd[pod.spec.node_name],
    )


def _deletion_cost(pod: Pod) -> int:
    try:
        return int(pod.metadata.annotations.get(_COST, "0"))
    except ValueError:
        return 0


def _age(since: float | None, now: float) -> _Age:
    age_s = now - since if since is not None else 0.0
    return _Age(since, int(math.log2(age_s * 1e9)) if age_s > 0 else -1)


def _restarts(pod: Pod) -> tuple[int, int]:
    sidecars = {each.name for each in pod.spec.init_containers if each.restart_policy == "Always"}
    of_sidecars = [each for each in pod.status.init_container_statuses if each.name in sidecars]
    return _most(pod.status.container_statuses), _most(of_sidecars)


def _most(statuses: Sequence[ContainerStatus]) -> int:
    return max((each.restart_count for each in statuses), default=0)


def status(
    replica_set: ReplicaSet, owned: Sequence[Pod], failure: tuple[str, str] | None, now: float
) -> dict[str, Any]:
    """The status as the API writes it. failure: (reason, message) of creations or deletions that did not work."""
    active = [pod for pod in owned if pods.is_active(pod)]
    labels = (raw(replica_set.spec.template).get("metadata") or {}).get("labels") or {}
    labelled = [pod for pod in active if labels.items() <= pod.metadata.labels.items()]
    found: dict[str, Any] = {
        "replicas": len(active),
        "fullyLabeledReplicas": len(labelled),
        "readyReplicas": sum(map(pods.is_ready, active)),
        "availableReplicas": sum(pods.is_available(pod, replica_set.spec.min_ready_seconds, now) for pod in active),
        "observedGeneration": max(replica_set.metadata.generation, replica_set.status.observed_generation),
        "terminatingReplicas": sum(
            bool(pod.metadata.deletion_timestamp) and not pods.is_terminal(pod) for pod in owned
        ),
    }
    always = ("replicas", "terminatingReplicas")
    found = {name: value for name, value in found.items() if value or name in always}
    if conditions := _conditions(replica_set.status.conditions, failure, now):
        found["conditions"] = conditions
    return found


def _conditions(old: Sequence[Condition], failure: tuple[str, str] | None, now: float) -> list[dict[str, Any]]:
    """A failure that is told already stays as it is.

    Each try has another message, for it names another pod; a status that followed them would wake this controller
    by its own writes.
    """
    kept = [msgspec.to_builtins(each) for each in old if failure or each.type != "ReplicaFailure"]
    if failure is None or any(each.type == "ReplicaFailure" for each in old):
        return kept
    told = {"type": "ReplicaFailure", "status": "True", "reason": failure[0], "message": failure[1]}
    return [*kept, {**told, "lastTransitionTime": rfc3339(now)}]


def same_status(replica_set: ReplicaSet, wanted: dict[str, Any]) -> bool:
    """Whether the status already says this."""
    decoded = msgspec.convert(wanted, type(replica_set.status))
    return decoded == replica_set.status
