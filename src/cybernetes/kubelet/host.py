"""The machine under the pods: folders, mounts, cgroups, facts. One protocol, a real one and one in memory.

All methods but `facts` may be called again with the same arguments without harm.
"""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from cybernetes.base.errors import EdgeError
from cybernetes.kubelet import machine
from cybernetes.kubelet.cgroups import Cgroups
from cybernetes.kubelet.config import KubeletConfig
from cybernetes.kubelet.machine import HostFacts, Usage
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.resources import CgroupLimits
from cybernetes.kubelet.volumes import atomic, hostpath, kernel, layout
from cybernetes.kubelet.volumes.layout import MountedVolume, SubPath
from cybernetes.kubelet.volumes.local import make_folder
from cybernetes.kubelet.volumes.payload import File, VolumeError
from cybernetes.model import quantity

T = TypeVar("T")


class Host(Protocol):
    def facts(self) -> HostFacts: ...

    def usage(self) -> Usage: ...

    def resolv_conf(self) -> str: ...

    async def prepare_pod(self, uid: str, log_dir: Path) -> None:
        """The pod's own folders."""
        ...

    async def ensure_cgroup(self, path: str, limits: CgroupLimits) -> None: ...

    async def remove_cgroup(self, path: str) -> None: ...

    async def write_payload(
        self, uid: str, volume: Object, files: Mapping[str, File], suffix: str, now: float, group: int | None
    ) -> MountedVolume:
        """A configMap, secret, downwardAPI or projected volume."""
        ...

    async def empty_dir(self, uid: str, volume: Object, size_bytes: int, group: int | None) -> MountedVolume: ...

    async def host_path(self, path: str, kind: str) -> MountedVolume:
        """Raises VolumeError when what is there is not of `kind`."""
        ...

    async def local_volume(self, uid: str, name: str, path: str, group: int | None) -> MountedVolume: ...

    async def write_hosts(self, uid: str, text: str | None, render: Callable[[str], str]) -> None:
        """The pod's /etc/hosts; `render` makes it of the node's own."""
        ...

    async def termination_log(self, uid: str, container: str, name: str) -> Path:
        """An empty file for the container's last words."""
        ...

    async def bind_sub_path(self, part: SubPath) -> None: ...

    async def container_log_dir(self, log_dir: Path, container: str) -> None: ...

    async def link_log(self, link: str, log_path: str) -> None: ...

    async def read_tail(self, path: str, size_max: int) -> str:
        """The end of a file, "" when there is none."""
        ...

    async def read_inside(self, folder: str, path: str, size_max: int) -> str | None:
        """The beginning of a file of a volume, None when there is none. Raises EdgeError where a link leads out."""
        ...

    async def volume_sizes(self, uid: str, volumes: Sequence[Object]) -> dict[str, int]:
        """Bytes that volumes of the kubelet's own take on disk."""
        ...

    async def folder_size(self, path: str) -> int:
        """Bytes on disk of everything below a folder; 0 when there is none."""
        ...

    async def unmount_pod(self, uid: str) -> None:
        """Volumes go, the pod's folder stays."""
        ...

    async def remove_pod(self, uid: str, log_dir: Path | None) -> None:
        """Everything of the pod goes; logs too when told where they are."""
        ...

    async def pods_on_disk(self) -> list[str]: ...

    async def pod_cgroups(self) -> list[str]:
        """Paths of pod cgroups that there are."""
        ...


class LinuxHost:
    def __init__(self, config: KubeletConfig) -> None:
        self._config = config
        self._cgroups = Cgroups()

    def facts(self) -> HostFacts:
        return machine.facts(self._config.root_dir, self._cgroups.v2)

    def usage(self) -> Usage:
        return machine.usage(self._config.root_dir)

    def resolv_conf(self) -> str:
        try:
            return self._config.resolv_conf.read_text()
        except OSError:
            return ""

    async def prepare_pod(self, uid: str, log_dir: Path) -> None:
        _at_once(self._prepare, uid, log_dir)

    def _prepare(self, uid: str, log_dir: Path) -> None:
        for name in ("volumes", "plugins", "containers"):
            (self._config.pod_dir(uid) / name).mkdir(parents=True, exist_ok=True, mode=0o750)
        log_dir.mkdir(parents=True, exist_ok=True, mode=0o755)

    async def ensure_cgroup(self, path: str, limits: CgroupLimits) -> None:
        await _worker(self._cgroups.ensure, path, limits)

    async def remove_cgroup(self, path: str) -> None:
        await _worker(self._cgroups.remove, path)

    async def write_payload(
        self, uid: str, volume: Object, files: Mapping[str, File], suffix: str, now: float, group: int | None
    ) -> MountedVolume:
        folder = layout.volume_dir(self._config.pod_dir(uid), volume)
        await _worker(self._write_payload, folder, files, suffix, now, group)
        return MountedVolume(str(folder), read_only=True)

    def _write_payload(
        self, folder: Path, files: Mapping[str, File], suffix: str, now: float, group: int | None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # In memory, so that secrets are on no disk.
        if not kernel.is_mount_point(folder) and not self._config_allows_disk(folder):
            kernel.mount_memory(folder, 0)
        kernel.open_to_all(folder)
        atomic.write(folder, files, now=now, suffix=suffix, group=group)

    @staticmethod
    def _config_allows_disk(folder: Path) -> bool:
        return folder.parent.name == "kubernetes.io~configmap"

    async def empty_dir(self, uid: str, volume: Object, size_bytes: int, group: int | None) -> MountedVolume:
        folder = layout.volume_dir(self._config.pod_dir(uid), volume)
        medium = (volume.get("emptyDir") or {}).get("medium") or ""
        await _worker(self._empty_dir, folder, medium, size_bytes, group)
        return MountedVolume(str(folder))

    def _empty_dir(self, folder: Path, medium: str, size_bytes: int, group: int | None) -> None:
        known = folder.is_dir() and (medium == "" or kernel.is_mount_point(folder))
        if known:
            return
        folder.mkdir(parents=True, exist_ok=True)
        if medium == "Memory":
            kernel.mount_memory(folder, size_bytes)
        elif medium.startswith("HugePages"):
            size = medium.partition("-")[2] or "2Mi"
            kernel.mount("nodev", folder, "hugetlbfs", 0, f"pagesize={quantity.value(size)}")
        kernel.open_to_all(folder)
        if group is not None:
            kernel.give_to_group(folder, group, writable=True)

    async def host_path(self, path: str, kind: str) -> MountedVolume:
        await _worker(hostpath.check, Path(path), kind)
        return MountedVolume(path)

    async def local_volume(self, uid: str, name: str, path: str, group: int | None) -> MountedVolume:
        target = self._config.pod_dir(uid) / "volumes" / layout.LOCAL_PLUGIN / name
        await _worker(self._local_volume, path, target, group)
        return MountedVolume(str(target))

    def _local_volume(self, path: str, target: Path, group: int | None) -> None:
        if kernel.is_mount_point(target):
            return
        if Path(path).parent == self._config.local_volumes:
            make_folder(Path(path))
        if not Path(path).is_dir():
            raise VolumeError(f'path "{path}" does not exist')
        kernel.bind(path, target, read_only=False)
        if group is not None:
            kernel.give_to_group(target, group, writable=True)

    async def write_hosts(self, uid: str, text: str | None, render: Callable[[str], str]) -> None:
        content = render(machine.read("/etc/hosts", strip=False)) if text is None else text
        path = self._config.pod_dir(uid) / "etc-hosts"
        _at_once(_write_if_new, path, content)

    async def termination_log(self, uid: str, container: str, name: str) -> Path:
        path = self._config.pod_dir(uid) / "containers" / container / name
        _at_once(self._make_termination_log, path)
        return path

    def _make_termination_log(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        path.touch()
        # The container's user, whoever it is, writes it.
        path.chmod(0o666)

    async def bind_sub_path(self, part: SubPath) -> None:
        await _worker(self._bind, part)

    @staticmethod
    def _bind(part: SubPath) -> None:
        kernel.bind_inside(part.volume_path, part.path, Path(part.target), read_only=False)

    async def container_log_dir(self, log_dir: Path, container: str) -> None:
        (log_dir / container).mkdir(parents=True, exist_ok=True)

    async def link_log(self, link: str, log_path: str) -> None:
        folder = self._config.container_log_dir
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / link
        if not path.is_symlink():
            path.symlink_to(log_path)

    async def read_tail(self, path: str, size_max: int) -> str:
        return await _worker(_tail, path, size_max)

    async def read_inside(self, folder: str, path: str, size_max: int) -> str | None:
        return await _worker(_inside, folder, path, size_max)

    async def volume_sizes(self, uid: str, volumes: Sequence[Object]) -> dict[str, int]:
        pod_dir = self._config.pod_dir(uid)
        return {each["name"]: await _worker(_disk_usage, layout.volume_dir(pod_dir, each)) for each in volumes}

    async def folder_size(self, path: str) -> int:
        return await _worker(_disk_usage, Path(path))

    async def unmount_pod(self, uid: str) -> None:
        await _worker(self._unmount, uid)

    def _unmount(self, uid: str) -> None:
        for point in kernel.mounts_below(self._config.pod_dir(uid)):
            kernel.unmount(point)
        for name in ("volumes", "volume-subpaths"):
            _remove_tree(self._config.pod_dir(uid) / name)

    async def remove_pod(self, uid: str, log_dir: Path | None) -> None:
        await _worker(self._remove_pod, uid, log_dir)

    def _remove_pod(self, uid: str, log_dir: Path | None) -> None:
        self._unmount(uid)
        _remove_tree(self._config.pod_dir(uid))
        if log_dir is None:
            return
        self._unlink_logs(log_dir)
        _remove_tree(log_dir)

    def _unlink_logs(self, log_dir: Path) -> None:
        folder = self._config.container_log_dir
        if folder is None or not folder.is_dir():
            return
        for link in folder.iterdir():
            if link.is_symlink() and os.readlink(link).startswith(f"{log_dir}/"):
                link.unlink(missing_ok=True)

    async def pods_on_disk(self) -> list[str]:
        folder = self._config.root_dir / "pods"
        return sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []

    async def pod_cgroups(self) -> list[str]:
        top = f"{self._config.cgroup_root.rstrip('/')}/kubepods"
        found = []
        for parent in (top, f"{top}/burstable", f"{top}/besteffort"):
            found += [f"{parent}/{name}" for name in self._cgroups.children(parent) if name.startswith("pod")]
        return found


def _at_once(work: Callable[..., T], *arguments: object) -> T:
    """A few names and small files: over before a thread would have begun."""
    try:
        return work(*arguments)
    except OSError as error:
        raise _refused(work, error) from error


async def _worker(work: Callable[..., T], *arguments: object) -> T:
    """Blocking work beside the loop; whatever the system refuses becomes an EdgeError."""
    try:
        return await asyncio.to_thread(functools.partial(work, *arguments))
    except OSError as error:
        raise _refused(work, error) from error


def _refused(work: Callable[..., T], error: OSError) -> EdgeError:
    return EdgeError(work.__name__.strip("_").replace("_", " "), error.filename or "", str(error))


def _remove_tree(folder: Path) -> None:
    """Raises OSError; never crosses into something mounted."""
    if kernel.mounts_below(folder):
        raise OSError(f"{folder} has mounts below it")
    if folder.exists():
        shutil.rmtree(folder)


def _write_if_new(path: Path, content: str) -> None:
    if not path.exists() or path.read_text() != content:
        # In place: the file is mounted into containers, which would not see a new one under its name.
        path.write_text(content)
        path.chmod(0o644)


def _inside(folder: str, path: str, size_max: int) -> str | None:
    try:
        descriptor = kernel.open_inside(folder, path, create=False)
    except kernel.NoSuchEntry:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise EdgeError("read", f"{folder}/{path}", "not a file")
        with open(f"/proc/self/fd/{descriptor}", "rb") as file:
            return file.read(size_max).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def _tail(path: str, size_max: int) -> str:
    try:
        # A link would let a pod that mounts the folder read other files of the node.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - size_max))
            return file.read(size_max).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _disk_usage(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_blocks * 512
            except FileNotFoundError:
                # Removed while we looked.
                continue
    return total
