"""Follows taints of nodes and the pods on them."""

from __future__ import annotations

import math

import msgspec

from cybernetes.base.clock import rfc3339
from cybernetes.client.api import PatchType, if_there
from cybernetes.client.target import PODS
from cybernetes.controllers.loop import Edges, reference, work
from cybernetes.controllers.objects import Node, Pod, Taint
from cybernetes.controllers.tainteviction import plan

WORKERS = 8
_MESSAGE = "Taint manager: deleting due to NoExecute taint"


class _Pending(msgspec.Struct, frozen=True):
    """A pod whose time runs: which one, since when, on the monotonic clock."""

    uid: str
    since: float


class TaintEvictionController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._queue = edges.queue()
        self._pending: dict[str, _Pending] = {}
        edges.informers.nodes.on_change(self._on_node)
        edges.informers.pods.on_change(self._on_pod)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("tainteviction", self._queue, self.sync, workers=WORKERS)

    def _on_node(self, name: str, old: Node | None, new: Node | None) -> None:
        before = plan.no_execute(old.spec.taints) if old else ()
        after = plan.no_execute(new.spec.taints) if new else ()
        if before != after:
            for key in self._edges.informers.pods_by_node.keys(name):
                self._queue.add(key)

    def _on_pod(self, key: str, old: Pod | None, new: Pod | None) -> None:
        if new is None:
            self._pending.pop(key, None)
            return
        same = old is not None and (old.spec.node_name, old.spec.tolerations) == (
            new.spec.node_name,
            new.spec.tolerations,
        )
        if not same and self._taints(new):
            self._queue.add(key)

    def _taints(self, pod: Pod) -> tuple[Taint, ...]:
        node = self._edges.informers.nodes.items.get(pod.spec.node_name)
        return plan.no_execute(node.spec.taints) if node else ()

    async def sync(self, key: str) -> float | None:
        pod = self._edges.informers.pods.items.get(key)
        if pod is None or pod.metadata.deletion_timestamp:
            self._pending.pop(key, None)
            return None
        taints = self._taints(pod)
        patience_s = plan.patience_s(pod.spec.tolerations, taints) if taints else math.inf
        if patience_s == math.inf:
            self._cancel(key, pod)
            return None
        now = self._edges.clock.monotonic()
        pending = self._pending.get(key)
        if pending is None or pending.uid != pod.metadata.uid:
            pending = self._pending[key] = _Pending(pod.metadata.uid, now)
        left_s = pending.since + patience_s - now
        if left_s > 0:
            return left_s
        await self._evict(key, pod)
        return None

    def _cancel(self, key: str, pod: Pod) -> None:
        if self._pending.pop(key, None) is not None:
            about = reference(PODS, pod.metadata)
            self._edges.recorder.normal(about, "TaintManagerEviction", f"Cancelling deletion of Pod {key}")

    async def _evict(self, key: str, pod: Pod) -> None:
        self._edges.recorder.normal(
            reference(PODS, pod.metadata), "TaintManagerEviction", f"Marking for deletion Pod {key}"
        )
        metadata = pod.metadata
        told = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByTaintManager",
            "message": _MESSAGE,
            "lastTransitionTime": rfc3339(self._edges.clock.now()),
        }
        patch = {"metadata": {"uid": metadata.uid}, "status": {"conditions": [told]}}
        client = self._edges.client
        with if_there():
            await client.patch(
                PODS,
                metadata.name,
                patch,
                PatchType.STRATEGIC,
                namespace=metadata.namespace,
                subresource="status",
            )
            await client.delete(PODS, metadata.name, namespace=metadata.namespace, uid=metadata.uid)
