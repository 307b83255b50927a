"""Pod and QoS cgroups on this machine: version 1 hierarchies or the unified version 2 tree.

source  kernel documentation "cgroup-v1", "cgroup-v2"
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from pathlib import Path

from cybernetes.base.errors import EdgeError
from cybernetes.kubelet import resources
from cybernetes.kubelet.resources import CgroupLimits

_MOUNT = Path("/sys/fs/cgroup")
# Hierarchies that the kubelet sets limits in; containerd makes its own folders in the others.
_V1_LIMITED = ("cpu", "memory", "pids")
_V2_CONTROLLERS = ("cpu", "cpuset", "memory", "pids", "hugetlb", "io")
_REMOVE_TRIES = 50
_REMOVE_WAIT_S = 0.01


class Cgroups:
    def __init__(self, mount: Path = _MOUNT) -> None:
        self._mount = mount
        self.v2 = (mount / "cgroup.controllers").exists()
        self._hierarchies = [mount] if self.v2 else self._find_hierarchies()

    def _find_hierarchies(self) -> list[Path]:
        # The unified tree of a hybrid layout too: crun makes groups there.
        found = {each.resolve() for each in self._mount.iterdir() if (each / "cgroup.procs").exists()}
        return sorted(found)

    def ensure(self, path: str, limits: CgroupLimits) -> None:
        """Make the cgroup and set its limits. Raises EdgeError."""
        try:
            if self.v2:
                self._ensure_v2(path, limits)
            else:
                self._ensure_v1(path, limits)
        except OSError as error:
            raise EdgeError("make cgroup", path, str(error)) from error

    def remove(self, path: str) -> None:
        """Remove the cgroup and those below it, killing what is left inside. Raises EdgeError when it stays busy."""
        for hierarchy in self._hierarchies:
            folder = hierarchy / path.lstrip("/")
            if folder.is_dir():
                self._remove_tree(folder)

    def children(self, path: str) -> list[str]:
        """Names of cgroups right below `path`."""
        folder = (self._mount if self.v2 else self._mount / "cpu") / path.lstrip("/")
        return sorted(each.name for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []

    def _ensure_v1(self, path: str, limits: CgroupLimits) -> None:
        folders = {}
        for name in _V1_LIMITED:
            folder = self._mount / name / path.lstrip("/")
            if (self._mount / name).is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                folders[name] = folder
        if "cpu" in folders:
            _write(folders["cpu"] / "cpu.shares", limits.cpu_shares)
            quota = -1 if limits.cpu_quota_us is None else limits.cpu_quota_us
            with contextlib.suppress(FileNotFoundError):
                _write(folders["cpu"] / "cpu.cfs_quota_us", quota)
        if "memory" in folders:
            _write(folders["memory"] / "memory.limit_in_bytes", limits.memory_bytes or -1)
        if "pids" in folders and limits.pids_max:
            _write(folders["pids"] / "pids.max", limits.pids_max)

    def _ensure_v2(self, path: str, limits: CgroupLimits) -> None:
        folder = self._mount
        for part in path.strip("/").split("/"):
            _enable_controllers(folder)
            folder = folder / part
            folder.mkdir(exist_ok=True)
        _enable_controllers(folder)
        _write(folder / "cpu.weight", resources.weight(limits.cpu_shares))
        quota = "max" if limits.cpu_quota_us is None else str(limits.cpu_quota_us)
        _write(folder / "cpu.max", f"{quota} {resources.QUOTA_PERIOD_US}")
        _write(folder / "memory.max", limits.memory_bytes or "max")
        if limits.pids_max:
            _write(folder / "pids.max", limits.pids_max)

    def _remove_tree(self, folder: Path) -> None:
        for root, _, _ in os.walk(folder, topdown=False):
            self._remove_one(Path(root))

    def _remove_one(self, folder: Path) -> None:
        for _ in range(_REMOVE_TRIES):
            try:
                folder.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise EdgeError("remove cgroup", str(folder), str(error)) from error
                _kill_all(folder)
                time.sleep(_REMOVE_WAIT_S)
        raise EdgeError("remove cgroup", str(folder), "processes in it do not end")


def _enable_controllers(folder: Path) -> None:
    available = (folder / "cgroup.controllers").read_text().split()
    wanted = [f"+{name}" for name in _V2_CONTROLLERS if name in available]
    _write(folder / "cgroup.subtree_control", " ".join(wanted))


def _write(path: Path, value: object) -> None:
    path.write_text(f"{value}\n")


def _kill_all(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        for pid in (folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
