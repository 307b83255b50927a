"""What the kernel and the distribution say of the machine, and what is in use of it now.

source  proc(5), sysfs(5), os-release(5)
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

import msgspec

from cybernetes.kubelet.cri_config import Machine

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


class HostFacts(msgspec.Struct, frozen=True):
    """What a Node says of its machine. booted_at: seconds of the epoch."""

    machine: Machine
    cpu_count: int
    machine_id: str
    system_uuid: str
    boot_id: str
    kernel_version: str
    os_image: str
    architecture: str
    hostname: str
    swap_bytes: int
    huge_pages: Mapping[str, int]
    disk_bytes: int
    pids_max: int
    cgroup_v2: bool
    booted_at: int = 0


class Usage(msgspec.Struct, frozen=True):
    """Now: of memory, of the disk below the kubelet's root, of process ids; cpu_ns, page faults: since the start.

    memory_rss  of processes, without files and the kernel
    """

    memory_available: int
    disk_available: int
    disk_capacity: int
    inodes_free: int
    inodes: int
    pids: int
    pids_max: int
    cpu_ns: int = 0
    memory_rss: int = 0
    page_faults: int = 0
    major_page_faults: int = 0


def facts(root_dir: Path, cgroup_v2: bool) -> HostFacts:
    memory = _memory()
    disk = os.statvfs(_existing(root_dir))
    return HostFacts(
        machine=Machine(
            memory_bytes=memory.get("MemTotal", 0),
            page_sizes=tuple(_page_size_names()),
            thermal_paths=tuple(map(str, sorted(Path("/sys/devices/system/cpu").glob("cpu*/thermal_throttle")))),
        ),
        cpu_count=os.cpu_count() or 1,
        machine_id=read("/etc/machine-id") or read("/var/lib/dbus/machine-id"),
        system_uuid=read("/sys/class/dmi/id/product_uuid") or read("/etc/machine-id"),
        boot_id=read("/proc/sys/kernel/random/boot_id"),
        kernel_version=platform.release(),
        os_image=_os_image(),
        architecture=_ARCHITECTURES.get(platform.machine(), platform.machine()),
        hostname=platform.node(),
        swap_bytes=memory.get("SwapTotal", 0),
        huge_pages=_huge_pages(),
        disk_bytes=disk.f_blocks * disk.f_frsize,
        pids_max=int(read("/proc/sys/kernel/pid_max") or 0),
        cgroup_v2=cgroup_v2,
        booted_at=_counters("/proc/stat").get("btime", 0),
    )


def usage(root_dir: Path) -> Usage:
    """Of the disk, that of the kubelet's root."""
    disk = os.statvfs(_existing(root_dir))
    memory, counted = _memory(), _counters("/proc/vmstat")
    return Usage(
        memory_available=memory.get("MemAvailable", 0),
        disk_available=disk.f_bavail * disk.f_frsize,
        disk_capacity=disk.f_blocks * disk.f_frsize,
        inodes_free=disk.f_favail,
        inodes=disk.f_files,
        pids=int(read("/proc/loadavg").split()[3].partition("/")[2]),
        pids_max=int(read("/proc/sys/kernel/pid_max") or 0),
        cpu_ns=_cpu_ns(),
        memory_rss=memory.get("AnonPages", 0),
        page_faults=counted.get("pgfault", 0),
        major_page_faults=counted.get("pgmajfault", 0),
    )


def read(path: str, *, strip: bool = True) -> str:
    """A small text file; "" where there is none."""
    try:
        text = Path(path).read_text()
    except OSError:
        return ""
    return text.strip() if strip else text


def _cpu_ns() -> int:
    """source  proc(5), /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal in ticks"""
    user, nice, system, _, _, irq, softirq, *_ = map(int, read("/proc/stat").split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + softirq) * 10**9 // os.sysconf("SC_CLK_TCK")


def _counters(path: str) -> dict[str, int]:
    """The lines that are a name and a number."""
    rows = (line.split() for line in read(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2}


def _memory() -> dict[str, int]:
    rows = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) == 3}


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _os_image() -> str:
    for line in read("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return platform.system()


def _page_sizes_kib() -> list[int]:
    folder = Path("/sys/kernel/mm/hugepages")
    if not folder.is_dir():
        return []
    return sorted(int(each.name.removeprefix("hugepages-").removesuffix("kB")) for each in folder.iterdir())


def _page_size_names() -> list[str]:
    return [f"{size >> 20}GB" if size >= 1 << 20 else f"{size >> 10}MB" for size in _page_sizes_kib()]


def _huge_pages() -> dict[str, int]:
    """`hugepages-2Mi` -> bytes set aside."""
    result = {}
    for size in _page_sizes_kib():
        name = f"hugepages-{size >> 20}Gi" if size >= 1 << 20 else f"hugepages-{size >> 10}Mi"
        count = int(read(f"/sys/kernel/mm/hugepages/hugepages-{size}kB/nr_hugepages") or 0)
        result[name] = count * size * 1024
    return result
