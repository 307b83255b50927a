"""Takes a node's traces off the machine: processes, mounts, network namespaces, cgroups.

Works from what the kernel shows, not from what we remember, so that it also cleans up after a
crash. Nothing outside the node's own folders and cgroups is touched.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from cybernetes.base.errors import EdgeError
from cybernetes.run.layout import NodeLayout

_MNT_DETACH = 2
_KILL_TIMEOUT_S = 10
_CGROUP_MOUNT = Path("/sys/fs/cgroup")
# Where shims have runtimes keep what they know, and containerd what CNI plugins answered: for the whole machine.
RUNTIME_STATES = Path("/run/containerd/runc/k8s.io")
CNI_RESULTS = Path("/var/lib/cni/results")
_libc = ctypes.CDLL(None, use_errno=True)


def remove_node(node: NodeLayout, cgroup_root: str) -> None:
    """Kill the node's containers and take back what they held.

    cgroup_root  the kubelet's cgroup below each hierarchy, "/cybernetes-a"; never "/"
    raises       EdgeError when a process would not die
    """
    namespaces = list(_network_namespaces(node))
    containers = sorted(each.name for each in _tasks(node).glob("*"))
    _kill(node, cgroup_root)
    unmount_below(node.root)
    for each in namespaces:
        _remove_namespace(each)
    _remove_cgroups(cgroup_root)
    forget(containers)


def forget(containers: Iterable[str], states: Path = RUNTIME_STATES, results: Path = CNI_RESULTS) -> None:
    """Remove what the machine remembers of containers and sandboxes that nobody could end properly."""
    for each in containers:
        shutil.rmtree(states / each, ignore_errors=True)
        for result in results.glob(f"*-{each}-*"):
            result.unlink()


def unmount_below(folder: Path) -> None:
    """Detach every mount below a folder, innermost first."""
    for point in sorted(_mount_points(folder), key=len, reverse=True):
        _libc.umount2(point.encode(), _MNT_DETACH)


def _mount_points(folder: Path) -> Iterator[str]:
    prefix = f"{folder}/"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4].encode().decode("unicode_escape")
        if point.startswith(prefix) or point == str(folder):
            yield point


def _network_namespaces(node: NodeLayout) -> Iterator[Path]:
    """Paths of the network namespaces that sandboxes of this node were given."""
    for config in sorted(_tasks(node).glob("*/config.json")):
        with contextlib.suppress(ValueError, OSError):
            spec = json.loads(config.read_text())
            for namespace in spec.get("linux", {}).get("namespaces", ()):
                path = namespace.get("path", "")
                if namespace.get("type") == "network" and "/netns/cni-" in path:
                    yield Path(path)


def _tasks(node: NodeLayout) -> Path:
    """A folder for each container and sandbox, by its id."""
    return node.containerd_state / "io.containerd.runtime.v2.task" / "k8s.io"


def _kill(node: NodeLayout, cgroup_root: str) -> None:
    """Shims first, so that none starts a container again or reports an exit to a containerd that is gone."""
    deadline = time.monotonic() + _KILL_TIMEOUT_S
    while found := _processes(node, cgroup_root):
        if time.monotonic() > deadline:
            raise EdgeError("kill processes of", str(node.root), f"still there: {sorted(found)}")
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _processes(node: NodeLayout, cgroup_root: str) -> set[int]:
    return set(_shims(node)) | set(_cgroup_processes(cgroup_root))


def _shims(node: NodeLayout) -> Iterator[int]:
    address = str(node.containerd_socket).encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
                if address in arguments and b"shim" in arguments[0]:
                    yield int(entry.name)


def _cgroup_folders(cgroup_root: str) -> Iterator[Path]:
    name = cgroup_root.strip("/")
    assert name, "the whole machine is not ours to clean"
    for hierarchy in (_CGROUP_MOUNT, *sorted(_CGROUP_MOUNT.iterdir())):
        folder = hierarchy / name
        if folder.is_dir() and not hierarchy.is_symlink():
            yield folder


def _cgroup_processes(cgroup_root: str) -> Iterator[int]:
    for top in _cgroup_folders(cgroup_root):
        for folder, _, _ in os.walk(top):
            with contextlib.suppress(OSError):
                yield from map(int, (Path(folder) / "cgroup.procs").read_text().split())


def _remove_cgroups(cgroup_root: str) -> None:
    for top in _cgroup_folders(cgroup_root):
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)


def _remove_namespace(path: Path) -> None:
    """A named namespace is a bind mount on an empty file; its links go with it."""
    _libc.umount2(str(path).encode(), _MNT_DETACH)
    path.unlink(missing_ok=True)
