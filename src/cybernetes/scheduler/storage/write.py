"""Writes the volume part of a decision, and waits until the volumes are there.

holds   the claim's volume is guarded by the volume's resourceVersion: a race ends with a conflict, not with two owners
fails   VolumesNotReady after BIND_TIMEOUT_S, or when a provisioner gave the node back; ApiError, EdgeError of the writes
"""

from __future__ import annotations

from cybernetes.base.clock import Clock
from cybernetes.client.api import ApiClient, PatchType
from cybernetes.client.target import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from cybernetes.scheduler.storage.choose import Choices
from cybernetes.scheduler.storage.objects import ClaimObject, PersistentVolumeObject
from cybernetes.scheduler.storage.state import SELECTED_NODE, Storage, claim_key

BIND_TIMEOUT_S = 600.0
POLL_S = 1.0
BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"


class VolumesNotReady(Exception):
    """The volumes of a placed pod did not come; the text has Kubernetes' words."""


def promise(storage: Storage, found: Choices, node_name: str) -> None:
    """Count the choices as taken from now on."""
    for volume, claim in found.bindings:
        storage.promised[volume.metadata.name] = claim_key(claim)
    for claim in found.provisions:
        storage.selected[claim_key(claim)] = node_name


def release(storage: Storage, found: Choices) -> None:
    for volume, _ in found.bindings:
        storage.promised.pop(volume.metadata.name, None)
    for claim in found.provisions:
        storage.selected.pop(claim_key(claim), None)


async def bind_volumes(client: ApiClient, clock: Clock, storage: Storage, found: Choices, node_name: str) -> None:
    for volume, claim in found.bindings:
        await _give(client, volume, claim)
    for claim in found.provisions:
        await _select(client, claim, node_name)
    deadline = clock.monotonic() + BIND_TIMEOUT_S
    while not _all_bound(storage, found, node_name):
        if clock.monotonic() > deadline:
            raise VolumesNotReady("binding volumes: context deadline exceeded")
        await clock.sleep(POLL_S)


async def _give(client: ApiClient, volume: PersistentVolumeObject, claim: ClaimObject) -> None:
    reference = {
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "namespace": claim.metadata.namespace,
        "name": claim.metadata.name,
        "uid": claim.metadata.uid,
        "resourceVersion": claim.metadata.resource_version,
    }
    metadata = {"resourceVersion": volume.metadata.resource_version, "annotations": {BY_CONTROLLER: "yes"}}
    patch = {"metadata": metadata, "spec": {"claimRef": reference}}
    await client.patch(PERSISTENT_VOLUMES, volume.metadata.name, patch, PatchType.MERGE)


async def _select(client: ApiClient, claim: ClaimObject, node_name: str) -> None:
    patch = {"metadata": {"annotations": {SELECTED_NODE: node_name}}}
    await client.patch(
        PERSISTENT_VOLUME_CLAIMS, claim.metadata.name, patch, PatchType.MERGE, namespace=claim.metadata.namespace
    )


def _all_bound(storage: Storage, found: Choices, node_name: str) -> bool:
    for claim in (*(claim for _, claim in found.bindings), *found.provisions):
        current = storage.claims.get(claim_key(claim))
        if current is None:
            raise VolumesNotReady(f'binding volumes: persistentvolumeclaim "{claim.metadata.name}" not found')
        if not storage.is_bound(current):
            _check_selection(current, claim, node_name)
            return False
    return True


def _check_selection(current: ClaimObject, before: ClaimObject, node_name: str) -> None:
    """A provisioner that can't make the volume on the node takes its name off the claim."""
    if current.metadata.resource_version == before.metadata.resource_version:
        return
    selected = (current.metadata.annotations or {}).get(SELECTED_NODE)
    had = (before.metadata.annotations or {}).get(SELECTED_NODE)
    if had and not selected:
        raise VolumesNotReady(f'binding volumes: provisioning failed for PVC "{current.metadata.name}"')
    if selected and selected != node_name:
        raise VolumesNotReady(f'binding volumes: PVC "{current.metadata.name}" was given to node "{selected}"')
