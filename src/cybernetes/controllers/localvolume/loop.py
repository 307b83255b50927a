"""Follows claims that wait for a local volume.

source  Kubernetes documentation "Dynamic Volume Provisioning", "Storage Classes"
"""

from __future__ import annotations

from cybernetes.base.errors import ApiError
from cybernetes.client.api import is_reason
from cybernetes.client.target import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from cybernetes.controllers.localvolume import plan
from cybernetes.controllers.loop import Edges, reference, work
from cybernetes.controllers.volumebinding.objects import PROVISIONER, SELECTED_NODE, Claim, StorageClass
from cybernetes.model import local_volumes

AGAIN_S = 15.0


class LocalVolumeController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._queue = edges.queue()
        self._claims = edges.informers.claims
        self._classes = edges.informers.storage_classes
        self._nodes = edges.informers.nodes
        self._claims.on_change(self._on_claim)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("local-volumes", self._queue, self.sync)

    def _on_claim(self, key: str, old: Claim | None, new: Claim | None) -> None:
        if new is not None and _asks(new):
            self._queue.add(key)

    async def sync(self, key: str) -> float | None:
        claim = self._claims.items.get(key)
        if claim is None or not _asks(claim):
            return None
        storage_class = self._classes.items.get(claim.class_name or "")
        if storage_class is None or storage_class.provisioner != local_volumes.PROVISIONER:
            return None
        refused = plan.refusal(claim, storage_class)
        if refused is not None:
            return self._refuse(claim, storage_class, refused)
        node = claim.metadata.annotations.get(SELECTED_NODE, "")
        if not node:
            # The scheduler says which, when there is a pod.
            return None
        made = plan.volume(claim, storage_class, node, self._nodes.items.get(node))
        if isinstance(made, plan.Refusal):
            return self._refuse(claim, storage_class, made)
        await self._create(claim, made)
        return None

    async def _create(self, claim: Claim, made: dict[str, dict[str, object]]) -> None:
        about, say = reference(PERSISTENT_VOLUME_CLAIMS, claim.metadata), self._edges.recorder.normal
        say(about, "Provisioning", f'External provisioner is provisioning volume for claim "{claim.metadata.key}"')
        try:
            await self._edges.client.create(PERSISTENT_VOLUMES, made)
        except ApiError as error:
            if not is_reason(error, "AlreadyExists"):
                raise
            return
        say(about, "ProvisioningSucceeded", f"Successfully provisioned volume {made['metadata']['name']}")

    def _refuse(self, claim: Claim, storage_class: StorageClass, refused: plan.Refusal) -> float | None:
        message = f'failed to provision volume with StorageClass "{storage_class.metadata.name}": {refused.message}'
        self._edges.recorder.warning(reference(PERSISTENT_VOLUME_CLAIMS, claim.metadata), "ProvisioningFailed", message)
        return AGAIN_S if refused.again else None


def _asks(claim: Claim) -> bool:
    """Whether the binder has asked for a volume that is not there yet."""
    asked = claim.metadata.annotations.get(PROVISIONER) == local_volumes.PROVISIONER
    return asked and not claim.spec.volume_name and not claim.metadata.deletion_timestamp
