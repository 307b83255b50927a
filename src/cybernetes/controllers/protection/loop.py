"""Follows claims, volumes and the pods that use them.

source  Kubernetes documentation "Storage Object in Use Protection"
"""

from __future__ import annotations

from cybernetes.client.informer import key_of
from cybernetes.client.target import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from cybernetes.controllers import pods
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, work
from cybernetes.controllers.objects import Pod
from cybernetes.controllers.protection.finalizers import Protected, protect

CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER = "kubernetes.io/pv-protection"


class ClaimProtection:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._claims = edges.informers.make(PERSISTENT_VOLUME_CLAIMS, decoder(Protected))
        self._users = edges.informers.pods.index(_claims_of)
        self._queue = edges.queue()
        self._claims.on_change(lambda key, old, new: self._queue.add(key))
        edges.informers.pods.on_change(self._on_pod)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("pvc-protection", self._queue, self.sync)

    def _on_pod(self, key: str, old: Pod | None, new: Pod | None) -> None:
        """A pod that has ended or gone may have been the last user."""
        if old is not None and (new is None or pods.is_terminal(new)):
            for claim in _claims_of(old):
                if claim in self._claims.items:
                    self._queue.add(claim)

    async def sync(self, key: str) -> float | None:
        claim = self._claims.items.get(key)
        if claim is not None:
            await protect(self._edges, PERSISTENT_VOLUME_CLAIMS, claim, CLAIM_FINALIZER, lambda: self._is_used(key))
        return None

    def _is_used(self, key: str) -> bool:
        """Pods that are not placed yet will not start with a claim that is going."""
        return any(pod.spec.node_name and not pods.is_terminal(pod) for pod in self._users.get(key))


def _claims_of(pod: Pod) -> list[str]:
    """Keys of the claims that the pod mounts, those of ephemeral volumes included."""
    found = []
    for volume in pod.spec.volumes:
        if volume.persistent_volume_claim is not None:
            found.append(key_of(pod.metadata.namespace, volume.persistent_volume_claim.claim_name))
        elif volume.ephemeral is not None:
            found.append(key_of(pod.metadata.namespace, f"{pod.metadata.name}-{volume.name}"))
    return found


class VolumeProtection:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._volumes = edges.informers.make(PERSISTENT_VOLUMES, decoder(Protected))
        self._queue = edges.queue()
        self._volumes.on_change(lambda key, old, new: self._queue.add(key))

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("pv-protection", self._queue, self.sync)

    async def sync(self, key: str) -> float | None:
        volume = self._volumes.items.get(key)
        if volume is not None:
            bound = volume.status.phase == "Bound"
            await protect(self._edges, PERSISTENT_VOLUMES, volume, VOLUME_FINALIZER, lambda: bound)
        return None
