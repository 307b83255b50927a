"""Follows namespaces that are being deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cybernetes.client.api import if_there
from cybernetes.client.target import NAMESPACES
from cybernetes.controllers.discovery import Discovery, discover
from cybernetes.controllers.loop import Edges, work
from cybernetes.controllers.namespace import content, plan
from cybernetes.controllers.objects import Namespace, Pod

FINALIZER = "kubernetes"
WORKERS = 10
# How long one reading of discovery serves several namespaces.
DISCOVERY_AGE_MAX_S = 30.0


class NamespaceController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._queue = edges.queue()
        self._discovery: Discovery | None = None
        self._discovered_at = 0.0
        edges.informers.namespaces.on_change(self._on_namespace)
        edges.informers.pods.on_change(self._on_pod)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("namespaces", self._queue, self.sync, workers=WORKERS)

    def _on_namespace(self, key: str, old: Namespace | None, new: Namespace | None) -> None:
        if new is not None and new.metadata.deletion_timestamp:
            self._queue.add(key)

    def _on_pod(self, key: str, old: Pod | None, new: Pod | None) -> None:
        """The last pod is gone: the rest can follow at once."""
        if new is not None or old is None:
            return
        namespace = self._edges.informers.namespaces.items.get(old.metadata.namespace)
        if namespace is None or not namespace.metadata.deletion_timestamp:
            return
        if not self._edges.informers.pods_by_namespace.count(old.metadata.namespace):
            self._queue.add(old.metadata.namespace)

    async def sync(self, name: str) -> float | None:
        namespace = self._edges.informers.namespaces.items.get(name)
        if namespace is None or not namespace.metadata.deletion_timestamp:
            return None
        if FINALIZER not in namespace.spec.finalizers:
            return None
        started = self._edges.clock.monotonic()
        remains = await self._empty(name)
        if remains.nothing and self._discovered_at < started:
            # Empty by an old list of resources: a definition may have come since.
            self._discovery = None
            remains = await self._empty(name)
        await self._write_status(namespace, remains)
        if remains.nothing:
            await self._finalize(namespace)
            return None
        if remains.failures or remains.discovery:
            self._discovery = None
        return plan.look_again_in(remains)

    async def _empty(self, name: str) -> plan.Remains:
        return await content.empty(self._edges.client, name, await self._discover(), self._grace_s(name))

    async def _discover(self) -> Discovery:
        now = self._edges.clock.monotonic()
        if self._discovery is None or now - self._discovered_at > DISCOVERY_AGE_MAX_S:
            self._discovery = await discover(self._edges.client)
            self._discovered_at = now
        return self._discovery

    def _grace_s(self, name: str) -> int:
        pods = self._edges.informers.pods_by_namespace.get(name)
        return max((pod.spec.termination_grace_period_seconds or 0 for pod in pods), default=0)

    async def _write_status(self, namespace: Namespace, remains: plan.Remains) -> None:
        now = self._edges.clock.now()
        told = plan.conditions(namespace.status.conditions, remains, now)

        def write(obj: dict[str, Any]) -> None:
            obj["status"] = {"phase": "Terminating", "conditions": told}

        await self._update(namespace, "status", write)

    async def _finalize(self, namespace: Namespace) -> None:
        def without_ours(obj: dict[str, Any]) -> None:
            kept = [each for each in obj["spec"].get("finalizers") or [] if each != FINALIZER]
            obj["spec"]["finalizers"] = kept

        await self._update(namespace, "finalize", without_ours)

    async def _update(self, namespace: Namespace, subresource: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Read, change, replace; conditions of several syncs do not race, since one namespace has one worker."""
        client = self._edges.client
        with if_there():
            obj = await client.get(NAMESPACES, namespace.metadata.name)
            if obj["metadata"]["uid"] != namespace.metadata.uid:
                return
            before = (obj.get("status"), list(obj["spec"].get("finalizers") or []))
            change(obj)
            if before != (obj.get("status"), list(obj["spec"].get("finalizers") or [])):
                await client.update(NAMESPACES, obj, subresource=subresource)
