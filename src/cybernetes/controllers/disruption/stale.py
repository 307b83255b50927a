"""Pods that were to be disrupted and were not: after a while the condition that says so is taken back."""

from __future__ import annotations

from typing import Any

from cybernetes.base.clock import parse_rfc3339, rfc3339
from cybernetes.client.api import PatchType, if_there
from cybernetes.client.target import PODS
from cybernetes.controllers import pods
from cybernetes.controllers.loop import Edges, work
from cybernetes.controllers.objects import Pod, PodCondition

# Whoever deletes a pod says why just before.
STALE_S = 120.0
_TARGET = "DisruptionTarget"
# The kubelet may take any time to end a pod.
_BY_KUBELET = "TerminationByKubelet"


class StaleTargets:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._queue = edges.queue()
        edges.informers.pods.on_change(self._on_pod)

    async def run(self) -> None:
        await work("disruption.stale", self._queue, self.sync, workers=1)

    def _on_pod(self, key: str, old: Pod | None, new: Pod | None) -> None:
        if new is not None and _told(new) is not None:
            self._queue.add(key)

    async def sync(self, key: str) -> float | None:
        pod = self._edges.informers.pods.items.get(key)
        told = _told(pod) if pod is not None else None
        if pod is None or told is None:
            return None
        since = parse_rfc3339(told.last_transition_time) if told.last_transition_time else 0.0
        left_s = since + STALE_S - self._edges.clock.now()
        if left_s > 0:
            return left_s
        await self._take_back(pod)
        return None

    async def _take_back(self, pod: Pod) -> None:
        metadata = pod.metadata
        told: dict[str, Any] = {
            "type": _TARGET,
            "status": "False",
            "lastTransitionTime": rfc3339(self._edges.clock.now()),
            "reason": None,
            "message": None,
        }
        # Not on what another one has said meanwhile.
        seen = {"uid": metadata.uid, "resourceVersion": metadata.resource_version}
        with if_there():
            await self._edges.client.patch(
                PODS,
                metadata.name,
                {"metadata": seen, "status": {"conditions": [told]}},
                PatchType.STRATEGIC,
                namespace=metadata.namespace,
                subresource="status",
            )


def _told(pod: Pod) -> PodCondition | None:
    """The condition of a pod that is to be disrupted, and is neither ending nor at its end."""
    if pod.metadata.deletion_timestamp or pods.is_terminal(pod):
        return None
    found = pods.condition(pod.status.conditions, _TARGET)
    return found if found is not None and found.status == "True" and found.reason != _BY_KUBELET else None
