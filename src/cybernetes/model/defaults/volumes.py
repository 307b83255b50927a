"""Volumes, claims and persistent volumes."""

from __future__ import annotations

from typing import Any

from cybernetes.model.defaults.pods import pull_policy

CORE = "io.k8s.api.core.v1."
FILE_MODE = 0o644
TOKEN_SECONDS = 3600


def volume(obj: dict[str, Any]) -> None:
    if all(name == "name" for name in obj):
        obj["emptyDir"] = {}
    image = obj.get("image")
    if image is not None and not image.get("pullPolicy"):
        image["pullPolicy"] = pull_policy(image.get("reference", ""))


def file_mode(source: dict[str, Any]) -> None:
    source.setdefault("defaultMode", FILE_MODE)


def token_projection(source: dict[str, Any]) -> None:
    source.setdefault("expirationSeconds", TOKEN_SECONDS)


def host_path(source: dict[str, Any]) -> None:
    source.setdefault("type", "")


def iscsi(source: dict[str, Any]) -> None:
    source.setdefault("iscsiInterface", "default")


def rbd(source: dict[str, Any]) -> None:
    source.setdefault("pool", "rbd")
    source.setdefault("user", "admin")
    source.setdefault("keyring", "/etc/ceph/keyring")


def azure_disk(source: dict[str, Any]) -> None:
    source.setdefault("cachingMode", "ReadWrite")
    source.setdefault("kind", "Shared")
    source.setdefault("fsType", "ext4")
    source.setdefault("readOnly", False)


def scale_io(source: dict[str, Any]) -> None:
    source.setdefault("storageMode", "ThinProvisioned")
    source.setdefault("fsType", "xfs")


def persistent_volume(spec: dict[str, Any]) -> None:
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")


def pending(status: dict[str, Any]) -> None:
    status.setdefault("phase", "Pending")


def claim_spec(spec: dict[str, Any]) -> None:
    spec.setdefault("volumeMode", "Filesystem")


DEFAULTS = {
    CORE + "Volume": volume,
    CORE + "SecretVolumeSource": file_mode,
    CORE + "ConfigMapVolumeSource": file_mode,
    CORE + "DownwardAPIVolumeSource": file_mode,
    CORE + "ProjectedVolumeSource": file_mode,
    CORE + "ServiceAccountTokenProjection": token_projection,
    CORE + "HostPathVolumeSource": host_path,
    CORE + "ISCSIVolumeSource": iscsi,
    CORE + "ISCSIPersistentVolumeSource": iscsi,
    CORE + "RBDVolumeSource": rbd,
    CORE + "RBDPersistentVolumeSource": rbd,
    CORE + "AzureDiskVolumeSource": azure_disk,
    CORE + "ScaleIOVolumeSource": scale_io,
    CORE + "ScaleIOPersistentVolumeSource": scale_io,
    CORE + "PersistentVolumeSpec": persistent_volume,
    CORE + "PersistentVolumeStatus": pending,
    CORE + "PersistentVolumeClaimStatus": pending,
    CORE + "PersistentVolumeClaimSpec": claim_spec,
}
