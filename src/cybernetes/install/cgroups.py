"""What of this machine's cgroups has to be hidden, so that every runtime accepts them; and how to change them fast.

Three layouts: only the old hierarchies, a folder a controller (v1); only the unified tree (v2); both (hybrid). In a
hybrid layout crun works with the old hierarchies only, and refuses when the unified tree lists a controller of its own:
hugetlb as a rule, where nobody mounted its old hierarchy. An empty file over that list takes nothing from anybody; moving
the controller would leave a hierarchy behind that ends when the kernel likes.

A process is put into the groups of its container by writing to `cgroup.procs`. As a rule the first such write waits until
every processor knows that nobody may fork meanwhile, 15 ms, once for each sandbox and each container. `favordynmods` says
that groups change often: the write does not wait, and each fork and each end of a process takes a lock instead. It is an
option of the unified tree, counts for all hierarchies, and stays; kernels before 6.0 do not know it.

source  cgroups(7), Documentation/admin-guide/cgroup-v2.rst
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from cybernetes.base.errors import EdgeError

ROOT = Path("/sys/fs/cgroup")
# Below the hybrid layout's root.
_LIST = Path("unified/cgroup.controllers")
_FAVOR = "favordynmods"


def stray_controllers(root: Path = ROOT) -> list[str]:
    """Controllers that the unified tree of a hybrid layout lists."""
    listed = root / _LIST
    return listed.read_text().split() if listed.exists() else []


def hide_strays(folder: Path) -> None:
    """Lay an empty file of `folder` over the list where it is not empty. Where that fails, the list stays as it is."""
    if not stray_controllers():
        return
    empty = folder / "no-controllers"
    folder.mkdir(parents=True, exist_ok=True)
    empty.write_bytes(b"")
    subprocess.run(["mount", "--bind", str(empty), str(ROOT / _LIST)], capture_output=True, check=False)


def favor_changes() -> None:
    """Where that fails, containers start as ever."""
    found = unfavored(Path("/proc/self/mountinfo").read_text())
    if found is not None:
        place, options = found
        subprocess.run(["mount", "-o", f"remount,{options},{_FAVOR}", place], capture_output=True, check=False)


def unfavored(mountinfo: str) -> tuple[str, str] | None:
    """Where the text of /proc/PID/mountinfo has the unified tree, and its options, unless it favors changes already."""
    for line in mountinfo.splitlines():
        mount, _, tree = line.partition(" - ")
        kind, _, options = tree.split(" ", 2)
        if kind == "cgroup2":
            return None if _FAVOR in options.split(",") else (mount.split()[4], options)
    return None


def show_strays() -> None:
    """Take the file away again, unless another cluster's nodes have groups here. Raises EdgeError."""
    if not is_hidden(Path("/proc/self/mountinfo").read_text()) or any(ROOT.glob("*/cybernetes-*")):
        return
    done = subprocess.run(["umount", str(ROOT / _LIST)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise EdgeError("unmount", str(ROOT / _LIST), done.stderr.strip())


def is_hidden(mountinfo: str) -> bool:
    """Whether the text of /proc/PID/mountinfo has a mount on the list."""
    return any(line.split()[4] == str(ROOT / _LIST) for line in mountinfo.splitlines())
