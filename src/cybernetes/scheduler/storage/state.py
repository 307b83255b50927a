"""The storage objects of the cluster, by name, and what has been promised but is not written yet."""

from __future__ import annotations

from typing import Any

from cybernetes.client.target import (
    CSI_NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    STORAGE_CLASSES,
    Target,
)
from cybernetes.scheduler.storage.objects import (
    CapacityObject,
    ClaimObject,
    CsiDriverObject,
    CsiNodeObject,
    PersistentVolumeObject,
    StorageClassObject,
)

CSI_DRIVERS = Target("storage.k8s.io", "v1", "csidrivers", "CSIDriver", namespaced=False)
CAPACITIES = Target("storage.k8s.io", "v1", "csistoragecapacities", "CSIStorageCapacity")

KINDS: tuple[tuple[Target, Any], ...] = (
    (PERSISTENT_VOLUME_CLAIMS, ClaimObject),
    (PERSISTENT_VOLUMES, PersistentVolumeObject),
    (STORAGE_CLASSES, StorageClassObject),
    (CSI_NODES, CsiNodeObject),
    (CSI_DRIVERS, CsiDriverObject),
    (CAPACITIES, CapacityObject),
)

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
DELAYED = "WaitForFirstConsumer"
NO_PROVISIONER = "kubernetes.io/no-provisioner"


class Storage:
    def __init__(self) -> None:
        self.claims: dict[str, ClaimObject] = {}
        self.volumes: dict[str, PersistentVolumeObject] = {}
        self.classes: dict[str, StorageClassObject] = {}
        self.csi_nodes: dict[str, CsiNodeObject] = {}
        self.csi_drivers: dict[str, CsiDriverObject] = {}
        self.capacities: dict[str, CapacityObject] = {}
        # Volume -> claim, and claim -> node, of decisions that are being written.
        self.promised: dict[str, str] = {}
        self.selected: dict[str, str] = {}

    def change(self, target: Target, key: str, new: Any) -> None:
        table = self._table(target)
        if new is None:
            table.pop(key, None)
        else:
            table[key] = new

    def is_bound(self, claim: ClaimObject) -> bool:
        return bool(claim.spec.volume_name) and BIND_COMPLETED in (claim.metadata.annotations or {})

    def class_of(self, claim: ClaimObject) -> StorageClassObject | None:
        return self.classes.get(claim.spec.storage_class_name or "")

    def is_delayed(self, claim: ClaimObject) -> bool:
        found = self.class_of(claim)
        return found is not None and found.volume_binding_mode == DELAYED

    def _table(self, target: Target) -> dict[str, Any]:
        match target.plural:
            case "persistentvolumeclaims":
                return self.claims
            case "persistentvolumes":
                return self.volumes
            case "storageclasses":
                return self.classes
            case "csinodes":
                return self.csi_nodes
            case "csidrivers":
                return self.csi_drivers
        return self.capacities


def claim_key(claim: ClaimObject) -> str:
    return f"{claim.metadata.namespace}/{claim.metadata.name}"
