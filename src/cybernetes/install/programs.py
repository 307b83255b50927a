"""Puts the programs that a node's containerd runs where it looks for them: runtimes, shims' starter, CNI plugins.

A container could write to the runtime that joins it, through /proc/PID/exe. So runc and crun copy themselves into memory
first and execute that, at every call. They don't where they find themselves on a read-only mount and are told so by
`_LIBCONTAINER_CLONED_BINARY=1`: such a mount is made here, which halves what a call takes. Without the mount or the
variable they copy themselves as ever. In a chroot they are called by stand-ins (own_root).

Containerd 1.x finds `shim_start` where it looks for its shim, which is a shorter way to it (shim_start.c).

Containerd 1.x looks for CNI plugins in one folder, so those of the machine are linked into the node's. Beside what the
configuration names it calls `loopback` for each pod; that is the plugin of our own, too.

source  CVE-2019-5736; is_self_cloned in cloned_binary.c of runc 1.1 and crun 1.8
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from cybernetes import network
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.install import own_root
from cybernetes.install.containerd import Capabilities, runtimes
from cybernetes.install.removal import unmount_below
from cybernetes.network.plan import PLUGIN
from cybernetes.run.layout import NodeLayout

SHIM = "containerd-shim-runc-v2"
_SHIM_START_BINARY = Path(__file__).with_name("shim_start")
_PLUGIN_BINARY = Path(network.__file__).with_name("cni") / "plugin"


def place(node: NodeLayout, capabilities: Capabilities) -> None:
    """Raises EdgeError when one is missing, or a runtime can't be made read-only."""
    for name in runtimes(capabilities):
        if capabilities.root_is_own:
            read_only_copy(name, node.runtimes)
        else:
            own_root.script(name, node.runtimes)
    place_shim(node.shims, capabilities.config_version)
    place_plugins(node.cni_bin, capabilities.cni_binaries)


def read_only_copy(program: str, folder: Path) -> Path:
    """A copy in `folder` that nobody can write, not even who runs it; where that can be, the same file."""
    found = shutil.which(program)
    if found is None:
        raise EdgeError("find", program, "not installed", outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
    copy = folder / program
    folder.mkdir(parents=True, exist_ok=True)
    unmount_below(copy)
    _replace(copy, Path(found).resolve())
    done = subprocess.run(["mount", "--bind", "-o", "ro", copy, copy], capture_output=True, text=True, check=False)
    if done.returncode:
        raise EdgeError("mount", str(copy), done.stderr.strip(), outcome=Outcome.NOT_DONE)
    return copy


def place_shim(folder: Path, config_version: int) -> None:
    """Containerd 2 keeps its own one: what a shim has to say when it is started is another thing there."""
    if config_version == 2 and shutil.which(SHIM):
        folder.mkdir(parents=True, exist_ok=True)
        _place_built(_SHIM_START_BINARY, folder / SHIM)
    else:
        (folder / SHIM).unlink(missing_ok=True)


def place_plugins(folder: Path, machines: Path) -> None:
    """folder: the node's own; what an administrator has put there stays. machines: where the packages' plugins are."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in folder.iterdir():
        if each.is_symlink():
            each.unlink()
    _place_built(_PLUGIN_BINARY, folder / PLUGIN)
    (folder / "loopback").unlink(missing_ok=True)
    (folder / "loopback").symlink_to(PLUGIN)
    for each in sorted(machines.iterdir()):
        if not (folder / each.name).exists():
            (folder / each.name).symlink_to(each)


def _place_built(program: Path, target: Path) -> None:
    """As a whole: containerd may call it now."""
    if not program.exists():
        raise EdgeError("find", str(program), "run: make build", outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
    staged = target.with_name(f"{target.name}.new")
    _copy(program, staged)
    staged.replace(target)


def _replace(target: Path, program: Path) -> None:
    """Who runs the one from before keeps that. The same file, unless it is on another file system."""
    target.unlink(missing_ok=True)
    if not _linked(target, program):
        _copy(program, target)


def _copy(program: Path, target: Path) -> None:
    shutil.copyfile(program, target)
    target.chmod(0o755)


def _linked(name: Path, program: Path) -> bool:
    try:
        name.hardlink_to(program)
    except OSError:
        return False
    return True
