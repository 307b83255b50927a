"""Which volume fits a claim, and which step comes next for a claim or a volume.

source  Kubernetes documentation "Persistent Volumes"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from cybernetes.controllers.volumebinding import folders
from cybernetes.controllers.volumebinding.objects import (
    BOUND_BY_CONTROLLER,
    SELECTED_NODE,
    Claim,
    Said,
    StorageClass,
    Volume,
)
from cybernetes.model.local_volumes import PROVISIONED_BY


class Bind(msgspec.Struct, frozen=True):
    """chosen: by the controller, not by the user or the scheduler."""

    volume: Volume
    chosen: bool


class SetPhase(msgspec.Struct, frozen=True):
    """Of a claim or a volume; nothing is written when it has it."""

    phase: str


class UseClass(msgspec.Struct, frozen=True):
    name: str


class Provision(msgspec.Struct, frozen=True):
    provisioner: str


class Release(msgspec.Struct, frozen=True):
    """The volume's claim is gone: phase Released, then what the reclaim policy says."""


class Delete(msgspec.Struct, frozen=True):
    """The folder of the machine, then the volume."""

    folder: str


class Unbind(msgspec.Struct, frozen=True):
    """wholly: take the reservation away; otherwise only the uid, so that the volume stays reserved for the name."""

    wholly: bool


Action = Bind | SetPhase | UseClass | Provision | Release | Unbind


class Step(msgspec.Struct, frozen=True):
    action: Action | None = None
    said: Said | None = None


def is_for(volume: Volume, claim: Claim) -> bool:
    """Whether the volume is reserved for exactly this claim."""
    ref = volume.spec.claim_ref
    if ref is None or (ref.namespace, ref.name) != (claim.metadata.namespace, claim.metadata.name):
        return False
    return not ref.uid or ref.uid == claim.metadata.uid


def mismatch(volume: Volume, claim: Claim) -> str:
    """Why the claim can't have the volume that it names; "" when it can."""
    if volume.metadata.deletion_timestamp:
        return f'the volume is marked for deletion "{volume.metadata.name}"'
    if volume.size < claim.size:
        return "requested PV is too small"
    if volume.class_name != (claim.class_name or ""):
        return "storageClassName does not match"
    if volume.spec.volume_attributes_class_name != claim.spec.volume_attributes_class_name:
        return "volumeAttributesClassName does not match"
    if volume.spec.volume_mode != claim.spec.volume_mode:
        return "incompatible volumeMode"
    if not set(claim.spec.access_modes) <= set(volume.spec.access_modes):
        return "incompatible accessMode"
    return ""


def match(claim: Claim, volumes: Iterable[Volume], *, only_reserved: bool) -> Volume | None:
    """The smallest volume that fits; one that is reserved for the claim wins outright."""
    fitting = []
    for volume in volumes:
        ref = volume.spec.claim_ref
        if (ref is not None and not is_for(volume, claim)) or mismatch(volume, claim):
            continue
        if ref is not None:
            return volume
        selector = claim.spec.selector
        selected = selector is None or selector.matches(volume.metadata.labels)
        if volume.status.phase == "Available" and selected and not only_reserved:
            fitting.append(volume)
    return min(fitting, key=lambda each: (each.size, each.metadata.name), default=None)


def default_class(classes: Iterable[StorageClass], annotation: str) -> StorageClass | None:
    """The newest default class; of equally old ones the first by name."""
    defaults = [each for each in classes if each.metadata.annotations.get(annotation) == "true"]
    by_name = sorted(defaults, key=lambda each: each.metadata.name)
    return max(by_name, key=lambda each: each.metadata.creation_timestamp, default=None)


def unbound_step(
    claim: Claim, found: Volume | None, storage_class: StorageClass | None, default: StorageClass | None
) -> Step:
    """For a claim that names no volume. found: the one that matches; storage_class: the claim's, if it exists."""
    if found is not None:
        return Step(Bind(found, chosen=not is_for(found, claim)))
    name = claim.class_name
    pending = SetPhase("Pending")
    if name is None and default is not None:
        return Step(UseClass(default.metadata.name))
    if not name:
        message = "no persistent volumes available for this claim and no storage class is set"
        return Step(pending, Said("Normal", "FailedBinding", message))
    if storage_class is None:
        message = f'storageclass.storage.k8s.io "{name}" not found'
        return Step(pending, Said("Warning", "ProvisioningFailed", message))
    if storage_class.waits and SELECTED_NODE not in claim.metadata.annotations:
        message = "waiting for first consumer to be created before binding"
        return Step(pending, Said("Normal", "WaitForFirstConsumer", message))
    if storage_class.provisioner == "kubernetes.io/no-provisioner":
        message = "no volume plugin matched name: kubernetes.io/no-provisioner"
        return Step(pending, Said("Warning", "ProvisioningFailed", message))
    return Step(Provision(storage_class.provisioner))


def named_step(claim: Claim, volume: Volume | None) -> Step:
    """For a claim that names a volume and is not bound to it yet."""
    pending = SetPhase("Pending")
    if volume is None:
        return Step(pending)
    if volume.spec.claim_ref is None:
        why = mismatch(volume, claim)
        if why:
            message = f'Cannot bind to requested volume "{volume.metadata.name}": {why}'
            return Step(pending, Said("Warning", "VolumeMismatch", message))
        return Step(Bind(volume, chosen=False))
    if is_for(volume, claim):
        return Step(Bind(volume, chosen=False))
    message = f'volume "{volume.metadata.name}" already bound to a different claim.'
    return Step(pending, Said("Warning", "FailedBinding", message))


def bound_step(claim: Claim, volume: Volume | None) -> Step:
    """For a claim that was bound."""
    lost = SetPhase("Lost")
    if not claim.spec.volume_name:
        return _lost(lost, "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!")
    if volume is None:
        return _lost(lost, "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
    ref = volume.spec.claim_ref
    if ref is None or ref.uid == claim.metadata.uid:
        return Step(Bind(volume, chosen=False))
    message = "Two claims are bound to the same volume, this one is bound incorrectly"
    return Step(lost, Said("Warning", "ClaimMisbound", message))


def _lost(action: Action, message: str) -> Step:
    return Step(action, Said("Warning", "ClaimLost", message))


def volume_step(volume: Volume, claims: Mapping[str, Claim]) -> Step:
    """For a volume. claims: by key."""
    ref = volume.spec.claim_ref
    if ref is None or not ref.uid:
        return Step(SetPhase("Available"))
    claim = claims.get(f"{ref.namespace}/{ref.name}")
    if claim is None or claim.metadata.uid != ref.uid:
        return Step(Release())
    if claim.spec.volume_name == volume.metadata.name:
        return Step(SetPhase("Bound"))
    if not claim.spec.volume_name:
        return Step()
    if PROVISIONED_BY in volume.metadata.annotations and volume.spec.persistent_volume_reclaim_policy == "Delete":
        return Step(Release())
    return Step(Unbind(wholly=BOUND_BY_CONTROLLER in volume.metadata.annotations))


def reclaim(volume: Volume) -> Delete | Said | None:
    """What becomes of a released volume: deleted, failed with a reason, or left to others.

    source  Kubernetes, pkg/controller/volume/persistentvolume: reclaiming; messages are its own
    """
    policy = volume.spec.persistent_volume_reclaim_policy
    if policy == "Retain" or PROVISIONED_BY in volume.metadata.annotations:
        return None
    if policy == "Recycle":
        return Said("Warning", "VolumeFailedRecycle", "No recycler plugin found for the volume!")
    if volume.spec.host_path is None:
        name = volume.metadata.name
        why = f'error getting deleter volume plugin for volume "{name}": no deletable volume plugin matched'
        return Said("Warning", "VolumeFailedDelete", why)
    path = volume.spec.host_path.path
    if not folders.is_temporary(path):
        why = f"host_path deleter only supports /tmp/.+ but received provided {path}"
        return Said("Warning", "VolumeFailedDelete", why)
    return Delete(path)
