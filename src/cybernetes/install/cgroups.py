"""What of this machine's cgroups has to be hidden, so that every runtime accepts them.

Three layouts: only the old hierarchies, a folder a controller (v1); only the unified tree (v2); both (hybrid). In a
hybrid layout crun works with the old hierarchies only, and refuses when the unified tree lists a controller of its own:
hugetlb as a rule, where nobody mounted its old hierarchy. An empty file over that list takes nothing from anybody; moving
the controller would leave a hierarchy behind that ends when the kernel likes.

source  cgroups(7), Documentation/admin-guide/cgroup-v2.rst
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from cybernetes.base.errors import EdgeError

ROOT = Path("/sys/fs/cgroup")
# Below the hybrid layout's root.
_LIST = Path("unified/cgroup.controllers")


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
