"""Claims, volumes and classes as the binder sees them."""

from __future__ import annotations

import msgspec

from cybernetes.controllers.objects import Meta, Selector, View
from cybernetes.model import quantity

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
PROVISIONER = "volume.kubernetes.io/storage-provisioner"
PROVISIONER_BETA = "volume.beta.kubernetes.io/storage-provisioner"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class ClaimReference(View, frozen=True, gc=False):
    namespace: str = ""
    name: str = ""
    uid: str = ""


class HostPath(View, frozen=True, gc=False):
    path: str = ""


class VolumeSpec(View, frozen=True, gc=False):
    capacity: dict[str, str | int | float] = {}
    access_modes: tuple[str, ...] = ()
    claim_ref: ClaimReference | None = None
    storage_class_name: str = ""
    volume_mode: str = "Filesystem"
    volume_attributes_class_name: str | None = None
    persistent_volume_reclaim_policy: str = "Retain"
    host_path: HostPath | None = None


class Phase(View, frozen=True, gc=False):
    phase: str = ""


class Volume(View, frozen=True, gc=False):
    metadata: Meta
    spec: VolumeSpec = VolumeSpec()
    status: Phase = Phase()

    @property
    def size(self) -> int:
        return _size(self.spec.capacity)

    @property
    def class_name(self) -> str:
        return self.metadata.annotations.get("volume.beta.kubernetes.io/storage-class", self.spec.storage_class_name)


class Resources(View, frozen=True, gc=False):
    requests: dict[str, str | int | float] = {}


class ClaimSpec(View, frozen=True, gc=False):
    access_modes: tuple[str, ...] = ()
    resources: Resources = Resources()
    selector: Selector | None = None
    storage_class_name: str | None = None
    volume_name: str = ""
    volume_mode: str = "Filesystem"
    volume_attributes_class_name: str | None = None


class AttributesChange(View, frozen=True, gc=False):
    target_volume_attributes_class_name: str = ""


class ClaimStatus(View, frozen=True, gc=False):
    phase: str = ""
    current_volume_attributes_class_name: str | None = None
    modify_volume_status: AttributesChange | None = None


class Claim(View, frozen=True, gc=False):
    metadata: Meta
    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()

    @property
    def size(self) -> int:
        return _size(self.spec.resources.requests)

    @property
    def class_name(self) -> str | None:
        """None where the claim leaves the class to the cluster's default."""
        return self.metadata.annotations.get("volume.beta.kubernetes.io/storage-class", self.spec.storage_class_name)

    @property
    def bound(self) -> bool:
        return BIND_COMPLETED in self.metadata.annotations


class StorageClass(View, frozen=True, gc=False):
    metadata: Meta
    provisioner: str = ""
    volume_binding_mode: str = "Immediate"
    reclaim_policy: str = "Delete"

    @property
    def waits(self) -> bool:
        return self.volume_binding_mode == "WaitForFirstConsumer"


def _size(amounts: dict[str, str | int | float]) -> int:
    """Nano-bytes of the storage asked for or offered."""
    return quantity.nano(amounts.get("storage", 0))


class Said(msgspec.Struct, frozen=True):
    """An Event to be told."""

    type: str
    reason: str
    message: str
