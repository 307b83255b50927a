"""A machine in memory, for simulations and hollow nodes: remembers what was asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cybernetes.kubelet.cri_config import Machine
from cybernetes.kubelet.machine import HostFacts, Usage
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.probes import Answer, Result
from cybernetes.kubelet.resources import CgroupLimits
from cybernetes.kubelet.volumes import layout
from cybernetes.kubelet.volumes.layout import MountedVolume, SubPath
from cybernetes.kubelet.volumes.payload import File


class FakeProber:
    """answers: container's name -> what its probes say; all others succeed. hooked: names, as hooks are run."""

    def __init__(self) -> None:
        self.answers: dict[str, Result] = {}
        self.hooked: list[str] = []

    async def probe(self, probe: Object, container: Object, container_id: str, pod_ip: str) -> Result:
        return self.answers.get(container["name"], Result(Answer.SUCCESS))

    async def hook(self, handler: Object, container: Object, container_id: str, pod_ip: str, timeout_s: float) -> str:
        self.hooked.append(container["name"])
        return ""

    async def close(self) -> None:
        """Nothing is open."""


_ROOT = Path("/fake/pods")


class FakeHost:
    def __init__(self, *, cpu_count: int = 4, memory_bytes: int = 8 << 30, disk_bytes: int = 100 << 30) -> None:
        self._cpu_count = cpu_count
        self._memory_bytes = memory_bytes
        self._disk_bytes = disk_bytes
        self.pods: set[str] = set()
        self.cgroups: dict[str, CgroupLimits] = {}
        self.payloads: dict[tuple[str, str], dict[str, bytes]] = {}

    def facts(self) -> HostFacts:
        return HostFacts(
            machine=Machine(self._memory_bytes),
            cpu_count=self._cpu_count,
            machine_id="fake",
            system_uuid="fake",
            boot_id="fake",
            kernel_version="6.0",
            os_image="Fake",
            architecture="amd64",
            hostname="fake",
            swap_bytes=0,
            huge_pages={},
            disk_bytes=self._disk_bytes,
            pids_max=32768,
            cgroup_v2=True,
        )

    def usage(self) -> Usage:
        disk = self._disk_bytes
        return Usage(self._memory_bytes, disk, disk, 1 << 20, 1 << 20, 100, 32768)

    def resolv_conf(self) -> str:
        return ""

    async def prepare_pod(self, uid: str, log_dir: Path) -> None:
        self.pods.add(uid)

    async def ensure_cgroup(self, path: str, limits: CgroupLimits) -> None:
        self.cgroups[path] = limits

    async def remove_cgroup(self, path: str) -> None:
        self.cgroups.pop(path, None)

    async def write_payload(
        self, uid: str, volume: Object, files: Mapping[str, File], suffix: str, now: float, group: int | None
    ) -> MountedVolume:
        self.payloads[uid, volume["name"]] = {name: each.data for name, each in files.items()}
        return MountedVolume(str(layout.volume_dir(_ROOT / uid, volume)), read_only=True)

    async def empty_dir(self, uid: str, volume: Object, size_bytes: int, group: int | None) -> MountedVolume:
        return MountedVolume(str(layout.volume_dir(_ROOT / uid, volume)))

    async def host_path(self, path: str, kind: str) -> MountedVolume:
        return MountedVolume(path)

    async def local_volume(self, uid: str, name: str, path: str, group: int | None) -> MountedVolume:
        return MountedVolume(path)

    async def write_hosts(self, uid: str, text: str | None, render: Callable[[str], str]) -> None:
        """Nobody reads it."""

    async def termination_log(self, uid: str, container: str, name: str) -> Path:
        return _ROOT / uid / "containers" / container / name

    async def bind_sub_path(self, part: SubPath) -> None:
        """Nothing is mounted."""

    async def container_log_dir(self, log_dir: Path, container: str) -> None:
        """Nothing is logged."""

    async def link_log(self, link: str, log_path: str) -> None:
        """Nothing is logged."""

    async def read_tail(self, path: str, size_max: int) -> str:
        return ""

    async def read_inside(self, folder: str, path: str, size_max: int) -> str | None:
        return None

    async def volume_sizes(self, uid: str, volumes: Sequence[Object]) -> dict[str, int]:
        return {each["name"]: 0 for each in volumes}

    async def folder_size(self, path: str) -> int:
        return 0

    async def unmount_pod(self, uid: str) -> None:
        for key in [key for key in self.payloads if key[0] == uid]:
            del self.payloads[key]

    async def remove_pod(self, uid: str, log_dir: Path | None) -> None:
        await self.unmount_pod(uid)
        self.pods.discard(uid)

    async def pods_on_disk(self) -> list[str]:
        return sorted(self.pods)

    async def pod_cgroups(self) -> list[str]:
        return sorted(path for path in self.cgroups if path.rpartition("/")[2].startswith("pod"))
