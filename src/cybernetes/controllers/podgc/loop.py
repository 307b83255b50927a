"""Looks for garbage every 20 seconds."""

from __future__ import annotations

from collections.abc import Iterable

from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.client.api import PatchType, is_reason
from cybernetes.client.target import NODES, PODS
from cybernetes.controllers import pods
from cybernetes.controllers.loop import Edges
from cybernetes.controllers.objects import Pod
from cybernetes.controllers.podgc import plan

PERIOD_S = 20.0
# A node that was just made may be bound to before this process has seen it.
QUARANTINE_S = 40.0

_log = Log("podgc")


class PodGc:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._missing_since: dict[str, float] = {}
        self._nodes = edges.informers.nodes
        self._dead_nodes = edges.informers.nodes.index(plan.out_of_service)
        self._suspects = edges.informers.pods.index(plan.suspicions)
        self._by_node = edges.informers.pods_by_node

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        while True:
            try:
                await self._round()
            except (ApiError, EdgeError) as error:
                _log.info("round.failed", why=str(error))
            await self._edges.clock.sleep(PERIOD_S)

    async def _round(self) -> None:
        dead = [node.metadata.name for node in self._dead_nodes.get(plan.OUT_OF_SERVICE)]
        garbage = plan.left_behind(self._on(dead))
        garbage += plan.never_placed(self._suspects.get(plan.NEVER_PLACED))
        garbage += plan.orphans(self._on(await self._gone()))
        if self._suspects.count(plan.ENDED) > plan.TERMINATED_MAX:
            garbage += plan.ended(self._suspects.get(plan.ENDED))
        for each in garbage:
            try:
                await self._remove(each)
            except ApiError as error:
                if not is_reason(error, "NotFound"):
                    _log.info("pod.not-removed", pod=each.pod.metadata.key, why=str(error))

    def _on(self, nodes: Iterable[str]) -> list[Pod]:
        return [pod for name in nodes for pod in self._by_node.get(name)]

    async def _gone(self) -> list[str]:
        """Names of nodes that pods are bound to and that do not exist."""
        missing = set(self._by_node.values()) - self._nodes.items.keys()
        now = self._edges.clock.monotonic()
        self._missing_since = {name: self._missing_since.get(name, now) for name in sorted(missing)}
        quarantined = [name for name, since in self._missing_since.items() if now - since >= QUARANTINE_S]
        return [name for name in quarantined if not await self._exists(name)]

    async def _exists(self, node: str) -> bool:
        try:
            await self._edges.client.get(NODES, node)
        except ApiError as error:
            if is_reason(error, "NotFound"):
                return False
            raise
        return True

    async def _remove(self, garbage: plan.Garbage) -> None:
        metadata = garbage.pod.metadata
        if not pods.is_terminal(garbage.pod):
            await self._fail(garbage)
        await self._edges.client.delete(PODS, metadata.name, namespace=metadata.namespace, uid=metadata.uid, grace_s=0)

    async def _fail(self, garbage: plan.Garbage) -> None:
        """Nobody will report the end of this pod; its controller must know."""
        status: dict[str, object] = {"phase": "Failed"}
        if garbage.reason:
            now = rfc3339(self._edges.clock.now())
            told = {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": now}
            status["conditions"] = [{**told, "reason": garbage.reason, "message": garbage.message}]
        metadata = garbage.pod.metadata
        await self._edges.client.patch(
            PODS,
            metadata.name,
            {"metadata": {"uid": metadata.uid}, "status": status},
            PatchType.STRATEGIC,
            namespace=metadata.namespace,
            subresource="status",
        )
