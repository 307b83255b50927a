"""Looks at a machine before anything fails on it: each check says what is wrong and how to mend it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from cybernetes.install import machine
from cybernetes.run.config import ClusterConfig
from cybernetes.run.layout import Layout

Level = Literal["ok", "warning", "error"]
_LOOPBACK = "127.0.0.1"
# A cluster of one node with its images; less, and the first pulls fill the disk.
_FREE_BYTES_MIN = 2 * 1024**3
# sockaddr_un has room for 108 bytes, with the end mark; containerd takes no more than this.
_SOCKET_PATH_MAX = 104
_TTRPC = ".ttrpc"
_PROGRAMS = {
    "containerd": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
}


class Finding(msgspec.Struct, frozen=True):
    """mend is what a person can do; "" when nothing is wrong."""

    level: Level
    subject: str
    text: str
    mend: str = ""


def run_all(config: ClusterConfig, layout: Layout) -> Iterator[Finding]:
    """All findings, in the order in which a person would mend them."""
    checks: tuple[Callable[[ClusterConfig, Layout], Iterator[Finding]], ...] = (
        _root,
        _programs,
        _kernel,
        _families,
        _cgroups,
        _capabilities,
        ports,
        _route,
        _disk,
        _socket_paths,
    )
    for check in checks:
        yield from check(config, layout)


def _root(config: ClusterConfig, layout: Layout) -> Iterator[Finding]:
    if os.geteuid() == 0:
        yield Finding("ok", "user", "root")
    else:
        yield Finding("error", "user", "containers and packet rules need root", "run it with sudo")


def _programs(config: ClusterConfig, layout: Layout) -> Iterator[Finding]:
    missing = [package for program, package in _PROGRAMS.items() if not shutil.which(program)]
    if not any((folder / "bridge").exists() for folder in (Path("/usr/lib/cni"), Path("/opt/cni/bin"))):
        missing.append("containernetworking-plugins")
    if missing:
        yield Finding("error", "programs", f"missing: {', '.join(missing)}", f"apt-get install {' '.join(missing)}")
    else:
        yield Finding("ok", "programs", "containerd, crun or runc, CNI plugins, nft, iptables, conntrack, ip")
    if shutil.which("containerd"):
        yield _containerd_version()


def _containerd_version() -> Finding:
    printed = subprocess.run(["containerd", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\sv?(\d+)\.(\d+)\.(\d+)", printed)
    if found is None:
        return Finding("warning", "containerd", f"cannot read its version from {printed.strip()!r}")
    version = tuple(map(int, found.groups()))
    text = ".".join(map(str, version))
    if version < (1, 7):
        return Finding(
            "warning",
            "containerd",
            f"{text}: no user namespaces and no image volumes; no longer maintained upstream",
            "install containerd 2.2 or later when your distribution has it",
        )
    return Finding("ok", "containerd", text)


def _kernel(config: ClusterConfig, layout: Layout) -> Iterator[Finding]:
    release = os.uname().release
    known = Path("/proc/filesystems").read_text()
    if "overlay" in known or _modprobe("overlay"):
        yield Finding("ok", "kernel", f"{release}, overlayfs")
    else:
        yield Finding("error", "kernel", f"{release} has no overlayfs", "modprobe overlay")
    probe = (
        subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False) if _has("nft") else None
    )
    if probe is not None and probe.returncode:
        yield Finding("error", "nf_tables", probe.stderr.strip(), "modprobe nf_tables; or set proxyMode: iptables")
    elif probe is not None:
        yield Finding("ok", "nf_tables", "answers")


def _families(config: ClusterConfig, layout: Layout) -> Iterator[Finding]:
    """Only of clusters that have IPv6."""
    if 6 not in config.network.families:
        return
    if not Path("/proc/sys/net/ipv6").exists():
        yield Finding(
            "error", "IPv6", "the kernel has none", "boot without ipv6.disable=1; or leave IPv6 out of podRange"
        )
        return
    yield Finding("ok", "IPv6", "the kernel has it")
    if len(config.network.families) > 1:
        for each in config.nodes:
            if not each.second_address:
                text = (
                    f"{each.name} has no address of the second family: pods of other nodes don't reach its by that one"
                )
                yield Finding("warning", "addresses", text, "set nodes[].secondAddress in config.yaml")


def _has(program: str) -> bool:
    return shutil.which(program) is not None


def _modprobe(module: str) -> bool:
    return _has("modprobe") and subprocess.run(["modprobe", module], capture_output=True, check=False).returncode == 0


def _cgroups(config: ClusterConfig, layout: Layout) -> Iterator[Finding]:
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        controllers = (root / "cgroup.controllers").read_text().split()
        kind = "v2"
    else:
        controllers = [name for name in ("cpu", "memory", "pids", "cpuset") if (root / name).is_dir()]
        kind = "v1"
    missing = {"cpu", "memory", "pids"} - set(controllers)
    if missing:
        yield Finding(
            "error",
            "cgroups",
            f"{kind} without {', '.join(sorted(missing))}",
            "boot with cgroup_enable=memory, or mount the cgroup hierarchies",
        )
    else:
        yield Finding("ok", "cgroups", f"{kind}: {', '.join(sorted(controllers))}")


def _capabilities(config: ClusterConfig, layout: Layout) -> Iterator[Finding]:
    effective = int(re.search(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())[1], 16)  # type: ignore[index]
    needed = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_MKNOD": 27}
    missing = [name for name, bit in needed.items() if not effective >> bit & 1]
    if missing:
        yield Finding(
            "error", "capabilities", f"missing: {', '.join(missing)}", "run on the machine itself, or privileged"
        )
    elif not effective >> 24 & 1:
        yield Finding("warning", "capabilities", "no CAP_SYS_RESOURCE: containers keep the OOM score of their parent")
    else:
        yield Finding("ok", "capabilities", "all that are needed")


def ports(config: ClusterConfig, layout: Layout) -> Iterator[Finding]:
    wanted = {config.api_server.port: "API server"} if config.runs("apiserver") else {}
    if config.runs("kubelet") and not any(each.network for each in config.nodes):
        wanted |= {10250: "kubelet", 10256: "proxy health"}
    # Others may listen on the same port of another address: two API servers, each on one of its own.
    at = {config.api_server.port: config.api_server.bind_address}
    taken = [f"{port} ({user})" for port, user in wanted.items() if _is_taken(at.get(port, "0.0.0.0"), port)]
    if taken and not layout.control_socket.exists():
        yield Finding("error", "ports", f"taken: {', '.join(taken)}", "stop what listens there: ss -ltnp")
    else:
        yield Finding("ok", "ports", ", ".join(map(str, wanted)))


def _is_taken(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False


def _route(config: ClusterConfig, layout: Layout) -> Iterator[Finding]:
    """Without a route for it the kernel refuses a connection before any rule could send it elsewhere."""
    if any(each.network for each in config.nodes) or machine.address() != _LOOPBACK:
        yield Finding("ok", "route", "addresses of Services can be reached from this machine")
        return
    yield Finding(
        "warning",
        "route",
        "no default route: this machine itself won't reach addresses of Services; pods will",
        f"ip route add {config.network.service_ranges[0]} dev INTERFACE",
    )


def _disk(config: ClusterConfig, layout: Layout) -> Iterator[Finding]:
    existing = next(each for each in (layout.data_dir, *layout.data_dir.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    text = f"{free / 1024**3:.1f} GiB free below {existing}"
    if free < _FREE_BYTES_MIN:
        yield Finding("error", "disk", text, "free some space, or choose another --data-dir")
    else:
        yield Finding("ok", "disk", text)


def _socket_paths(config: ClusterConfig, layout: Layout) -> Iterator[Finding]:
    runtimes = (f"{layout.node(each.name).containerd_socket}{_TTRPC}" for each in config.nodes)
    longest = max(len(each) for each in (str(layout.control_socket), *runtimes))
    if longest > _SOCKET_PATH_MAX:
        yield Finding(
            "error",
            "data directory",
            f"its sockets would have paths of {longest} bytes, the kernel allows {_SOCKET_PATH_MAX}",
            "choose a shorter --data-dir",
        )
