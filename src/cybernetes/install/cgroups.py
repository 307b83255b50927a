"""How this machine lays out its cgroups, and what has to be mounted so that every runtime accepts it.

Three layouts: only the old hierarchies, a folder a controller (v1); only the unified tree (v2); both (hybrid). In a
hybrid layout crun refuses to work when the unified tree holds a controller. That is so where nobody mounted the old
hierarchy of a controller, hugetlb as a rule: mounting it takes the controller out of the unified tree.

source  cgroups(7), Documentation/admin-guide/cgroup-v2.rst
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from cybernetes.base.errors import EdgeError

ROOT = Path("/sys/fs/cgroup")
# The source of our mounts, by which they are known again.
_OURS = "cybernetes"


def stray_controllers(root: Path = ROOT) -> list[str]:
    """Controllers that the unified tree of a hybrid layout holds."""
    listed = root / "unified" / "cgroup.controllers"
    return listed.read_text().split() if listed.exists() else []


def mount_strays() -> bool:
    """Give each stray controller its old hierarchy; whether none is left."""
    for controller in stray_controllers():
        point = ROOT / controller
        point.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "cgroup", "-o", controller, _OURS, str(point)], capture_output=True, check=False)
    return not stray_controllers()


def unmount_strays() -> None:
    """Take back what `mount_strays` mounted, unless another cluster's containers are in it."""
    for point in our_mounts(Path("/proc/self/mountinfo").read_text()):
        if any(each.is_dir() for each in point.iterdir()):
            continue
        done = subprocess.run(["umount", str(point)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise EdgeError("unmount", str(point), done.stderr.strip())
        point.rmdir()


def our_mounts(mountinfo: str) -> list[Path]:
    """Mount points with our name in the text of /proc/PID/mountinfo."""
    points = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if after.split()[:2] == ["cgroup", _OURS]:
            points.append(Path(before.split()[4]))
    return points
