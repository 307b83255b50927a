"""Follows claims and volumes.

source  Kubernetes documentation "Persistent Volumes", lifecycle of a volume and claim
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.client.api import if_there
from cybernetes.client.informer import key_of
from cybernetes.client.target import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, Target
from cybernetes.controllers.loop import Edges, reference, work
from cybernetes.controllers.objects import Meta
from cybernetes.controllers.volumebinding import folders, plan
from cybernetes.controllers.volumebinding.objects import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    DEFAULT_CLASS,
    PROVISIONER,
    PROVISIONER_BETA,
    Claim,
    Said,
    StorageClass,
    Volume,
)

# External provisioners and lost races are looked at again this often.
AGAIN_S = 15.0


class Storage:
    """The local state that both halves of the binder share."""

    def __init__(self, edges: Edges) -> None:
        self.edges = edges
        self.claims = edges.informers.claims
        self.volumes = edges.informers.volumes
        self.classes = edges.informers.storage_classes
        self.volumes_by_class = self.volumes.index(lambda each: (each.class_name,))
        self.unbound_by_class = self.claims.index(lambda each: () if each.bound else (each.class_name or "",))

    def say(self, target: Target, metadata: Meta, said: Said) -> None:
        recorder = self.edges.recorder
        say = recorder.normal if said.type == "Normal" else recorder.warning
        say(reference(target, metadata), said.reason, said.message)

    async def change(
        self, target: Target, metadata: Meta, change: Callable[[dict[str, Any]], bool], subresource: str = ""
    ) -> None:
        """Read, change in place unless it says False, replace. Raises ApiError Conflict when it is another object."""
        obj = await self.edges.client.get(target, metadata.name, namespace=metadata.namespace)
        if obj["metadata"]["uid"] != metadata.uid:
            raise ApiError(409, "Conflict", f"{target.plural} {metadata.name} was replaced")
        if change(obj):
            await self.edges.client.update(target, obj, subresource=subresource)

    async def set_phase(self, target: Target, metadata: Meta, phase: str, message: str = "") -> None:
        """message: why, of a volume; what was said of the phase before goes."""

        def put(obj: dict[str, Any]) -> bool:
            status = obj.setdefault("status", {})
            if status.get("phase") == phase:
                return False
            status["phase"] = phase
            status.pop("message", None)
            if message:
                status["message"] = message
            return True

        await self.change(target, metadata, put, "status")


class VolumeController:
    """Both halves, since a step of one often leads to a step of the other.

    remove_folder  of this machine; raises EdgeError
    """

    def __init__(self, edges: Edges, remove_folder: Callable[[str], Awaitable[None]] = folders.remove) -> None:
        self._edges = edges
        self._remove_folder = remove_folder
        self._storage = Storage(edges)
        self._claim_queue = edges.queue()
        self._volume_queue = edges.queue()
        self._storage.claims.on_change(self._on_claim)
        self._storage.volumes.on_change(self._on_volume)
        self._storage.classes.on_change(self._on_class)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        async with asyncio.TaskGroup() as group:
            group.create_task(work("claims", self._claim_queue, self.sync_claim), name="volumes.claims")
            group.create_task(work("volumes", self._volume_queue, self.sync_volume), name="volumes.volumes")

    def _on_claim(self, key: str, old: Claim | None, new: Claim | None) -> None:
        self._claim_queue.add(key)
        for claim in (old, new):
            if claim is not None and claim.spec.volume_name:
                self._volume_queue.add(claim.spec.volume_name)

    def _on_volume(self, name: str, old: Volume | None, new: Volume | None) -> None:
        self._volume_queue.add(name)
        for volume in (old, new):
            ref = volume.spec.claim_ref if volume else None
            if ref is not None:
                self._claim_queue.add(key_of(ref.namespace, ref.name))
        if new is not None and new.spec.claim_ref is None:
            for key in self._storage.unbound_by_class.keys(new.class_name):
                self._claim_queue.add(key)

    def _on_class(self, name: str, old: StorageClass | None, new: StorageClass | None) -> None:
        for waiting in dict.fromkeys((name, "")):
            for key in self._storage.unbound_by_class.keys(waiting):
                self._claim_queue.add(key)

    async def sync_claim(self, key: str) -> float | None:
        storage = self._storage
        claim = storage.claims.items.get(key)
        if claim is None:
            return None
        named = storage.volumes.items.get(claim.spec.volume_name)
        if claim.bound:
            step = plan.bound_step(claim, named)
        elif claim.spec.volume_name:
            step = plan.named_step(claim, named)
        else:
            step = self._unbound_step(claim)
        if step.said is not None:
            storage.say(PERSISTENT_VOLUME_CLAIMS, claim.metadata, step.said)
        return await self._apply_to_claim(claim, step)

    def _unbound_step(self, claim: Claim) -> plan.Step:
        storage = self._storage
        storage_class = storage.classes.items.get(claim.class_name or "")
        waits = storage_class is not None and storage_class.waits
        offered = storage.volumes_by_class.get(claim.class_name or "")
        found = plan.match(claim, offered, only_reserved=waits)
        default = plan.default_class(storage.classes.items.values(), DEFAULT_CLASS)
        return plan.unbound_step(claim, found, storage_class, default)

    async def _apply_to_claim(self, claim: Claim, step: plan.Step) -> float | None:
        storage = self._storage
        match step.action:
            case plan.Bind(volume, chosen):
                await self._bind(claim, volume, chosen)
            case plan.SetPhase(phase):
                if claim.status.phase != phase:
                    await storage.set_phase(PERSISTENT_VOLUME_CLAIMS, claim.metadata, phase)
            case plan.UseClass(name):

                def use(obj: dict[str, Any]) -> bool:
                    obj["spec"]["storageClassName"] = name
                    return True

                await storage.change(PERSISTENT_VOLUME_CLAIMS, claim.metadata, use)
            case plan.Provision(provisioner):
                await self._ask_provisioner(claim, provisioner)
                return AGAIN_S
        return None

    async def _ask_provisioner(self, claim: Claim, provisioner: str) -> None:
        def ask(obj: dict[str, Any]) -> bool:
            annotations = obj["metadata"].setdefault("annotations", {})
            if annotations.get(PROVISIONER) == provisioner:
                return False
            annotations[PROVISIONER] = annotations[PROVISIONER_BETA] = provisioner
            return True

        if claim.metadata.annotations.get(PROVISIONER) != provisioner:
            await self._storage.change(PERSISTENT_VOLUME_CLAIMS, claim.metadata, ask)
        message = (
            f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the "
            "system administrator. If volume creation is delayed, please verify that the provisioner is running and "
            "correctly registered."
        )
        self._storage.say(PERSISTENT_VOLUME_CLAIMS, claim.metadata, Said("Normal", "ExternalProvisioning", message))

    async def _bind(self, claim: Claim, volume: Volume, chosen: bool) -> None:
        """Four writes in this order, each of which may be the last before a crash and is found done the next time."""
        storage = self._storage
        await storage.change(PERSISTENT_VOLUMES, volume.metadata, lambda obj: _reserve(obj, claim))
        await storage.set_phase(PERSISTENT_VOLUMES, volume.metadata, "Bound")
        name = volume.metadata.name
        await storage.change(PERSISTENT_VOLUME_CLAIMS, claim.metadata, lambda obj: _name_volume(obj, name, chosen))
        await storage.change(PERSISTENT_VOLUME_CLAIMS, claim.metadata, lambda obj: _be_bound(obj, volume), "status")

    async def sync_volume(self, name: str) -> float | None:
        storage = self._storage
        volume = storage.volumes.items.get(name)
        if volume is None:
            return None
        step = plan.volume_step(volume, storage.claims.items)
        match step.action:
            case plan.SetPhase(phase):
                if volume.status.phase != phase and not volume.metadata.deletion_timestamp:
                    await storage.set_phase(PERSISTENT_VOLUMES, volume.metadata, phase)
            case plan.Release():
                await self._release(volume)
            case plan.Unbind(wholly):
                await storage.change(PERSISTENT_VOLUMES, volume.metadata, lambda obj: _unbind(obj, wholly))
                await storage.set_phase(PERSISTENT_VOLUMES, volume.metadata, "Available")
        return None

    async def _release(self, volume: Volume) -> None:
        """The claim is asked for once more: a volume must not be given up because of a late informer."""
        storage, ref = self._storage, volume.spec.claim_ref
        assert ref is not None
        with if_there():
            live = await self._edges.client.get(PERSISTENT_VOLUME_CLAIMS, ref.name, namespace=ref.namespace)
            if live["metadata"]["uid"] == ref.uid:
                return
        if volume.status.phase not in ("Released", "Failed"):
            # That it is released now leads here again.
            await storage.set_phase(PERSISTENT_VOLUMES, volume.metadata, "Released")
            return
        if volume.status.phase == "Failed" or volume.metadata.deletion_timestamp:
            return
        match plan.reclaim(volume):
            case plan.Delete(folder):
                await self._delete(volume, folder)
            case Said() as said:
                await self._fail(volume, said)

    async def _delete(self, volume: Volume, folder: str) -> None:
        try:
            await self._remove_folder(folder)
        except EdgeError as failed:
            await self._fail(volume, Said("Warning", "VolumeFailedDelete", str(failed)))
        else:
            await self._edges.client.delete(PERSISTENT_VOLUMES, volume.metadata.name, uid=volume.metadata.uid)

    async def _fail(self, volume: Volume, said: Said) -> None:
        self._storage.say(PERSISTENT_VOLUMES, volume.metadata, said)
        await self._storage.set_phase(PERSISTENT_VOLUMES, volume.metadata, "Failed", said.message)


def _reserve(obj: dict[str, Any], claim: Claim) -> bool:
    metadata, present = claim.metadata, obj["spec"].get("claimRef")
    if present is not None:
        same = (present.get("namespace"), present.get("name")) == (metadata.namespace, metadata.name)
        if not same or present.get("uid", metadata.uid) != metadata.uid:
            raise ApiError(409, "Conflict", f"volume {obj['metadata']['name']} was bound to another claim meanwhile")
        if present.get("uid") == metadata.uid:
            return False
    else:
        obj["metadata"].setdefault("annotations", {})[BOUND_BY_CONTROLLER] = "yes"
    obj["spec"]["claimRef"] = {
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "namespace": metadata.namespace,
        "name": metadata.name,
        "uid": metadata.uid,
        "resourceVersion": metadata.resource_version,
    }
    return True


def _name_volume(obj: dict[str, Any], volume: str, chosen: bool) -> bool:
    annotations = obj["metadata"].setdefault("annotations", {})
    before = (obj["spec"].get("volumeName"), annotations.get(BIND_COMPLETED))
    if before == (volume, "yes"):
        return False
    if obj["spec"].get("volumeName", volume) != volume:
        raise ApiError(409, "Conflict", f"claim {obj['metadata']['name']} names another volume meanwhile")
    if chosen and not obj["spec"].get("volumeName"):
        annotations[BOUND_BY_CONTROLLER] = "yes"
    obj["spec"]["volumeName"] = volume
    annotations[BIND_COMPLETED] = "yes"
    return True


def _be_bound(obj: dict[str, Any], volume: Volume) -> bool:
    status = obj.setdefault("status", {})
    wanted = {
        "phase": "Bound",
        "accessModes": list(volume.spec.access_modes),
        "capacity": status.get("capacity") if status.get("phase") == "Bound" else dict(volume.spec.capacity),
    }
    if all(status.get(name) == value for name, value in wanted.items()):
        return False
    status.update(wanted)
    return True


def _unbind(obj: dict[str, Any], wholly: bool) -> bool:
    if wholly:
        obj["spec"].pop("claimRef", None)
        (obj["metadata"].get("annotations") or {}).pop(BOUND_BY_CONTROLLER, None)
    else:
        obj["spec"]["claimRef"].pop("uid", None)
        obj["spec"]["claimRef"].pop("resourceVersion", None)
    return True
