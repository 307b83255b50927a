"""Follows pods that have ephemeral volumes.

source  Kubernetes documentation "Ephemeral Volumes", generic ephemeral volumes
"""

from __future__ import annotations

from typing import Any

from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.client.api import is_reason
from cybernetes.client.target import PERSISTENT_VOLUME_CLAIMS, PODS
from cybernetes.controllers import pods
from cybernetes.controllers.loop import Edges, reference, work
from cybernetes.controllers.objects import Ephemeral, Pod, raw


class EphemeralVolumeController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._queue = edges.queue()
        edges.informers.pods.on_change(self._on_pod)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("ephemeral-volumes", self._queue, self.sync)

    def _on_pod(self, key: str, old: Pod | None, new: Pod | None) -> None:
        if old is None and new is not None and any(each.ephemeral is not None for each in new.spec.volumes):
            self._queue.add(key)

    async def sync(self, key: str) -> float | None:
        pod = self._edges.informers.pods.items.get(key)
        if pod is None or not pods.is_active(pod):
            return None
        for volume in pod.spec.volumes:
            if volume.ephemeral is not None:
                await self._ensure(pod, volume.name, volume.ephemeral)
        return None

    async def _ensure(self, pod: Pod, volume: str, source: Ephemeral) -> None:
        namespace, name = pod.metadata.namespace, f"{pod.metadata.name}-{volume}"
        try:
            live = await self._edges.client.get(PERSISTENT_VOLUME_CLAIMS, name, namespace=namespace)
        except ApiError as error:
            if not is_reason(error, "NotFound"):
                raise
            await self._create(pod, source, name)
            return
        owners = live["metadata"].get("ownerReferences") or []
        if not any(each.get("controller") and each["uid"] == pod.metadata.uid for each in owners):
            why = f"PVC {namespace}/{name} was not created for pod {pod.metadata.key} (pod is not owner)"
            message = f"ephemeral volume {volume}: {why}"
            self._edges.recorder.warning(reference(PODS, pod.metadata), "FailedBinding", message)
            raise EdgeError("create claim", name, why)

    async def _create(self, pod: Pod, source: Ephemeral, name: str) -> None:
        template = raw(source.volume_claim_template)
        metadata: dict[str, Any] = {
            "name": name,
            "namespace": pod.metadata.namespace,
            "ownerReferences": [pods.owner_reference(PODS, pod.metadata)],
        }
        for field in ("labels", "annotations"):
            if value := (template.get("metadata") or {}).get(field):
                metadata[field] = value
        body = {"metadata": metadata, "spec": template.get("spec") or {}}
        await self._edges.client.create(PERSISTENT_VOLUME_CLAIMS, body, namespace=pod.metadata.namespace)
