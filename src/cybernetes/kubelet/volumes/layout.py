"""Where volumes are on disk, and what of them a container mounts. Pure.

source  the kubelet's paths: what is mounted there is found again, also by others
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import msgspec

from cybernetes.kubelet import env
from cybernetes.kubelet.cri_config import Mount
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.volumes.payload import PAYLOAD_KINDS

_PLUGINS = {
    "emptyDir": "kubernetes.io~empty-dir",
    "configMap": "kubernetes.io~configmap",
    "secret": "kubernetes.io~secret",
    "downwardAPI": "kubernetes.io~downward-api",
    "projected": "kubernetes.io~projected",
    "image": "kubernetes.io~image",
}
LOCAL_PLUGIN = "kubernetes.io~local-volume"


class MountedVolume(msgspec.Struct, frozen=True):
    """A volume as set up: `path` on this machine; `read_only` whatever the mount says."""

    path: str
    read_only: bool = False


class SubPath(msgspec.Struct, frozen=True):
    """A mount of a part of a volume: has to be opened without following links out of it.

    volume  its name
    target  where the part is bound to, below the pod's folder
    """

    volume: str
    volume_path: str
    path: str
    target: str
    read_only: bool


def kind_of(volume: Object) -> str:
    return next((kind for kind in volume if kind != "name"), "emptyDir")


def volume_dir(pod_dir: Path, volume: Object) -> Path:
    """The folder of a volume that the kubelet makes itself."""
    return pod_dir / "volumes" / _PLUGINS[kind_of(volume)] / volume["name"]


def is_payload(volume: Object) -> bool:
    return kind_of(volume) in PAYLOAD_KINDS


def image_volumes(pod: Object) -> list[Object]:
    return [each for each in pod["spec"].get("volumes") or () if "image" in each]


def volumes_on_disk(pod: Object) -> list[Object]:
    """Volumes that take of the node's own disk."""
    return [
        each
        for each in pod["spec"].get("volumes") or ()
        if "emptyDir" in each and not (each["emptyDir"] or {}).get("medium")
    ]


def limited_volumes(pod: Object) -> list[Object]:
    """Volumes on disk whose size has a limit; those in memory are limited by the kernel."""
    return [each for each in volumes_on_disk(pod) if (each["emptyDir"] or {}).get("sizeLimit")]


def container_mounts(
    pod_dir: Path,
    container: Object,
    volumes: Mapping[str, MountedVolume],
    variables: Mapping[str, str],
    termination_log: Path,
) -> tuple[list[Mount], list[SubPath]]:
    """The container's mounts in order, and the sub-paths that have to be bound before.

    raises  ConfigError when a subPathExpr names an unknown variable, a sub-path leaves its volume, or a mount can not be
    """
    mounts: list[Mount] = []
    parts: list[SubPath] = []
    for index, wanted in enumerate(container.get("volumeMounts") or ()):
        volume = volumes.get(wanted["name"])
        if volume is None:
            raise env.ConfigError(
                f'cannot find volume "{wanted["name"]}" to mount into container "{container["name"]}"'
            )
        if wanted.get("recursiveReadOnly") == "Enabled":
            told = (
                f'volume "{wanted["name"]}" requested recursive read-only mode, but it is not supported by the runtime'
            )
            raise env.ConfigError(told)
        read_only = bool(wanted.get("readOnly")) or volume.read_only
        host_path = volume.path
        part = _sub_path(wanted, variables)
        if part:
            target = pod_dir / "volume-subpaths" / wanted["name"] / container["name"] / str(index)
            parts.append(SubPath(wanted["name"], volume.path, part, str(target), read_only))
            host_path = str(target)
        mounts.append(
            Mount(_absolute(wanted["mountPath"]), host_path, read_only, wanted.get("mountPropagation") or "None")
        )
    taken = {each.container_path for each in mounts}
    if "/etc/hosts" not in taken:
        mounts.append(Mount("/etc/hosts", str(pod_dir / "etc-hosts")))
    message_path = container.get("terminationMessagePath", "/dev/termination-log")
    if message_path and message_path not in taken:
        mounts.append(Mount(message_path, str(termination_log)))
    return mounts, parts


def _sub_path(wanted: Object, variables: Mapping[str, str]) -> str:
    path = wanted.get("subPath") or ""
    if wanted.get("subPathExpr"):
        path = env.expand_strictly(wanted["subPathExpr"], variables)
    parsed = PurePosixPath(path)
    if parsed.is_absolute():
        raise env.ConfigError(f"error SubPath `{path}` must not be an absolute path")
    if ".." in parsed.parts:
        raise env.ConfigError(f"unable to provision SubPath `{path}`: must not contain '..'")
    return path


def _absolute(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"
