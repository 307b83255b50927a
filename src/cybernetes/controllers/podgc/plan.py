"""Which pods are garbage.

source  Kubernetes documentation "Pod Lifecycle", garbage collection of Pods
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from cybernetes.controllers import pods
from cybernetes.controllers.objects import Node, Pod

TERMINATED_MAX = 12500
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
# Keys of the index by `suspicions`.
ENDED, NEVER_PLACED = "ended", "never placed"


class Garbage(msgspec.Struct, frozen=True):
    """reason, message: for the condition DisruptionTarget; "" where the pod is disturbed by nobody."""

    pod: Pod
    reason: str = ""
    message: str = ""


def suspicions(pod: Pod) -> tuple[str, ...]:
    """What a pod may be garbage for: most are none, so a round looks at few."""
    found = (ENDED,) if pods.is_terminal(pod) else ()
    if pod.metadata.deletion_timestamp and not pod.spec.node_name:
        # No kubelet will finish the deletion.
        return (*found, NEVER_PLACED)
    return found


def orphans(of_gone_nodes: Iterable[Pod]) -> list[Garbage]:
    """Pods of nodes that are gone for sure."""
    told = ("DeletionByPodGC", "PodGC: node no longer exists")
    return [Garbage(pod, *told) for pod in of_gone_nodes]


def never_placed(suspects: Iterable[Pod]) -> list[Garbage]:
    return [Garbage(pod) for pod in suspects]


def out_of_service(node: Node) -> tuple[str, ...]:
    """OUT_OF_SERVICE for a node that an administrator has declared dead, and that is not ready."""
    ready = pods.condition(node.status.conditions, "Ready")
    dead = any(each.key == OUT_OF_SERVICE for each in node.spec.taints)
    return (OUT_OF_SERVICE,) if dead and (ready is None or ready.status != "True") else ()


def left_behind(of_dead_nodes: Iterable[Pod]) -> list[Garbage]:
    """Pods that are being deleted on nodes that are out of service."""
    return [Garbage(pod) for pod in of_dead_nodes if pod.metadata.deletion_timestamp and not pods.is_terminal(pod)]


def ended(suspects: Sequence[Pod], limit: int = TERMINATED_MAX) -> list[Garbage]:
    """Of pods that have ended, those beyond the limit, the oldest first."""
    surplus = len(suspects) - limit
    if surplus <= 0:
        return []
    over = sorted(suspects, key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.key))
    return [Garbage(pod) for pod in over[:surplus]]
