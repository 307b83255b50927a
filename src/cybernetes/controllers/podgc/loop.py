"""Looks for garbage every 20 seconds."""

from __future__ import annotations

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
        self._pods = edges.informers.pods
        self._nodes = edges.informers.nodes

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        while True:
            try:
                await self._round()
            except (ApiError, EdgeError) as error:
                _log.info("round.failed", why=str(error))
            await self._edges.clock.sleep(PERIOD_S)

    async def _round(self) -> None:
        every = list(self._pods.items.values())
        garbage = plan.out_of_service(every, self._nodes.items)
        garbage += plan.never_placed(every)
        garbage += plan.orphans(every, await self._gone(every))
        garbage += plan.ended(every)
        for each in garbage:
            try:
                await self._remove(each)
            except ApiError as error:
                if not is_reason(error, "NotFound"):
                    _log.info("pod.not-removed", pod=each.pod.metadata.key, why=str(error))

    async def _gone(self, every: list[Pod]) -> set[str]:
        missing = plan.missing_nodes(every, self._nodes.items.keys())
        now = self._edges.clock.monotonic()
        self._missing_since = {name: self._missing_since.get(name, now) for name in sorted(missing)}
        quarantined = [name for name, since in self._missing_since.items() if now - since >= QUARANTINE_S]
        return {name for name in quarantined if not await self._exists(name)}

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
