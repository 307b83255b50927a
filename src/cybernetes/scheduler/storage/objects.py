"""What the scheduler reads of claims, volumes, storage classes and CSI objects; see `scheduler/objects.py`."""

from __future__ import annotations

import msgspec

from cybernetes.scheduler.objects import LabelSelector, Metadata, NodeSelector, Resources, Slim


class ObjectReference(Slim):
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class ClaimSpec(Slim):
    access_modes: list[str] | None = None
    resources: Resources | None = None
    selector: LabelSelector | None = None
    storage_class_name: str | None = None
    volume_mode: str = "Filesystem"
    volume_name: str = ""


class ClaimStatus(Slim):
    phase: str = ""


class ClaimObject(Slim):
    """A PersistentVolumeClaim."""

    metadata: Metadata
    spec: ClaimSpec = msgspec.field(default_factory=ClaimSpec)
    status: ClaimStatus = msgspec.field(default_factory=ClaimStatus)


class CsiSource(Slim):
    driver: str = ""
    volume_handle: str = ""


class VolumeNodeAffinity(Slim):
    required: NodeSelector | None = None


class PersistentVolumeSpec(Slim):
    access_modes: list[str] | None = None
    capacity: dict[str, str | int | float] | None = None
    claim_ref: ObjectReference | None = None
    csi: CsiSource | None = None
    node_affinity: VolumeNodeAffinity | None = None
    storage_class_name: str = ""
    volume_mode: str = "Filesystem"


class PersistentVolumeObject(Slim):
    metadata: Metadata
    spec: PersistentVolumeSpec = msgspec.field(default_factory=PersistentVolumeSpec)
    status: ClaimStatus = msgspec.field(default_factory=ClaimStatus)


class TopologyRequirement(Slim):
    key: str = ""
    values: list[str] | None = None


class TopologyTerm(Slim):
    match_label_expressions: list[TopologyRequirement] | None = None


class StorageClassObject(Slim):
    metadata: Metadata
    provisioner: str = ""
    volume_binding_mode: str = "Immediate"
    allowed_topologies: list[TopologyTerm] | None = None


class CsiAllocatable(Slim):
    count: int | None = None


class CsiNodeDriver(Slim):
    name: str = ""
    allocatable: CsiAllocatable | None = None


class CsiNodeSpec(Slim):
    drivers: list[CsiNodeDriver] | None = None


class CsiNodeObject(Slim):
    metadata: Metadata
    spec: CsiNodeSpec = msgspec.field(default_factory=CsiNodeSpec)


class CsiDriverSpec(Slim):
    storage_capacity: bool = False


class CsiDriverObject(Slim):
    metadata: Metadata
    spec: CsiDriverSpec = msgspec.field(default_factory=CsiDriverSpec)


class CapacityObject(Slim):
    """A CSIStorageCapacity."""

    metadata: Metadata
    storage_class_name: str = ""
    capacity: str | int | None = None
    maximum_volume_size: str | int | None = None
    node_topology: LabelSelector | None = None
