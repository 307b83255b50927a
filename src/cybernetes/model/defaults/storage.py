"""Storage classes and CSI drivers."""

from __future__ import annotations

from typing import Any

STORAGE = "io.k8s.api.storage.v1."


def storage_class(obj: dict[str, Any]) -> None:
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


def csi_driver(spec: dict[str, Any]) -> None:
    spec.setdefault("attachRequired", True)
    spec.setdefault("podInfoOnMount", False)
    spec.setdefault("storageCapacity", False)
    spec.setdefault("fsGroupPolicy", "ReadWriteOnceWithFSType")
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]
    spec.setdefault("requiresRepublish", False)
    spec.setdefault("seLinuxMount", False)


DEFAULTS = {STORAGE + "StorageClass": storage_class, STORAGE + "CSIDriverSpec": csi_driver}
