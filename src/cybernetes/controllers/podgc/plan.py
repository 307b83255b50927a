"""Which pods are garbage.

source  controllers.md 10
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from cybernetes.controllers import pods
from cybernetes.controllers.objects import Node, Pod

TERMINATED_MAX = 12500
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


class Garbage(msgspec.Struct, frozen=True):
    """reason, message: for the condition DisruptionTarget; "" where the pod is disturbed by nobody."""

    pod: Pod
    reason: str = ""
    message: str = ""


def missing_nodes(all_pods: Iterable[Pod], nodes: Collection[str]) -> set[str]:
    """Names of nodes that pods are bound to and that do not exist."""
    return {pod.spec.node_name for pod in all_pods if pod.spec.node_name and pod.spec.node_name not in nodes}


def orphans(all_pods: Iterable[Pod], gone: Collection[str]) -> list[Garbage]:
    """Pods of nodes that are gone for sure."""
    told = ("DeletionByPodGC", "PodGC: node no longer exists")
    return [Garbage(pod, *told) for pod in all_pods if pod.spec.node_name in gone]


def never_placed(all_pods: Iterable[Pod]) -> list[Garbage]:
    """Pods that are being deleted and have no node whose kubelet could finish that."""
    return [Garbage(pod) for pod in all_pods if pod.metadata.deletion_timestamp and not pod.spec.node_name]


def out_of_service(all_pods: Iterable[Pod], nodes: dict[str, Node]) -> list[Garbage]:
    """Pods that are being deleted on nodes that an administrator has declared dead."""
    found = []
    for pod in all_pods:
        node = nodes.get(pod.spec.node_name)
        if node is None or not pod.metadata.deletion_timestamp or pods.is_terminal(pod):
            continue
        ready = pods.condition(node.status.conditions, "Ready")
        dead = any(each.key == OUT_OF_SERVICE for each in node.spec.taints)
        if dead and (ready is None or ready.status != "True"):
            found.append(Garbage(pod))
    return found


def ended(all_pods: Iterable[Pod], limit: int = TERMINATED_MAX) -> list[Garbage]:
    """Of pods that have ended, those beyond the limit, the oldest first."""
    over = [pod for pod in all_pods if pods.is_terminal(pod)]
    surplus = len(over) - limit
    if surplus <= 0:
        return []
    over.sort(key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.key))
    return [Garbage(pod) for pod in over[:surplus]]
