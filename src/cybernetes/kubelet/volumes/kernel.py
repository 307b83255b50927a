"""The kernel's part of volumes: mounts, owners, and opening a path inside of a folder without leaving it."""

from __future__ import annotations

import ctypes
import os
import stat
from pathlib import Path

from cybernetes.base.errors import EdgeError

MS_RDONLY = 1
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

_SETGID = stat.S_ISGID
_ALL = 0o777
_RW_GROUP = 0o660
_RO_GROUP = 0o440
_EXECUTE = 0o110
# As many as Linux follows in one path.
_LINKS_MAX = 40

_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    done = _libc.mount(
        source.encode(), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags), options.encode() or None
    )
    if done != 0:
        error = ctypes.get_errno()
        raise EdgeError("mount", str(target), os.strerror(error))


def unmount(target: Path) -> None:
    """Detach whatever is mounted at `target`, however often; success when nothing is."""
    while _libc.umount2(os.fsencode(target), MNT_DETACH | UMOUNT_NOFOLLOW) == 0:
        pass


def mounts_below(folder: Path) -> list[Path]:
    """Mount points at or below `folder`, deepest first."""
    return points_below(Path("/proc/self/mountinfo").read_text(), folder)


def points_below(mountinfo: str, folder: Path) -> list[Path]:
    """As `mounts_below`, of the text of /proc/PID/mountinfo."""
    prefix = str(folder)
    found = []
    for line in mountinfo.splitlines():
        # Of the hundreds of mounts that pods have few are taken apart; an escaped name could be any.
        if prefix not in line and "\\" not in line:
            continue
        point = line.split(" ", 5)[4].encode().decode("unicode_escape")
        if point == prefix or point.startswith(f"{prefix}/"):
            found.append(Path(point))
    return sorted(found, key=lambda path: len(path.parts), reverse=True)


def mount_memory(target: Path, size_bytes: int) -> None:
    """A file system in memory; size 0 leaves the kernel's default, half of the memory."""
    options = f"size={size_bytes}" if size_bytes else ""
    mount("tmpfs", target, "tmpfs", 0, options)


def open_to_all(folder: Path) -> None:
    """Let everybody read and write; that only owners take away what is theirs stays, as in file systems in memory."""
    if folder.stat().st_mode & _ALL != _ALL:
        folder.chmod(_ALL)


def is_mount_point(path: Path) -> bool:
    return os.path.ismount(path)


def give_to_group(folder: Path, group: int, *, writable: bool) -> None:
    """Let `group` read everything below `folder`, and write where `writable`. Links are not followed.

    source  Kubernetes documentation "Configure a Security Context", fsGroup
    """
    mask = _RW_GROUP if writable else _RO_GROUP
    for root, folders, names in os.walk(folder, followlinks=False):
        _give(Path(root), group, mask | _EXECUTE | _SETGID)
        for name in names:
            _give(Path(root, name), group, mask)
        for name in folders:
            if Path(root, name).is_symlink():
                os.chown(Path(root, name), -1, group, follow_symlinks=False)


def _give(path: Path, group: int, mask: int) -> None:
    status = path.lstat()
    os.chown(path, -1, group, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        path.chmod(stat.S_IMODE(status.st_mode) | mask)


class NoSuchEntry(EdgeError):
    """A volume has no file or folder of this path."""


def open_inside(folder: str, path: str, *, create: bool) -> int:
    """A descriptor of `path` below `folder`, opened step by step: links are followed as long as they stay inside.

    create  make missing folders, with the mode that `folder` has: who may write into the volume may write into them
    raises  EdgeError when a step leads out, is missing, or is a file where a folder has to be
    source  CVE-2017-1002101, CVE-2021-25741: a sub-path checked by name and mounted by name can be swapped
    """
    if ".." in path.split("/"):
        raise EdgeError("open", f"{folder}/{path}", "a sub-path must not go up")
    opened = [os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]
    try:
        mode = stat.S_IMODE(os.fstat(opened[0]).st_mode) if create else None
        _walk(opened, path, mode)
        return opened.pop()
    finally:
        for each in opened:
            os.close(each)


def _walk(opened: list[int], path: str, mode: int | None) -> None:
    """Put a descriptor onto `opened` for each step down, the last being where `path` leads; take one off for each up."""
    steps, links = _steps(path), 0
    while steps:
        name = steps.pop(0)
        if name == "..":
            if len(opened) == 1:
                raise EdgeError("open", path, "a sub-path must not be a link out of its volume")
            os.close(opened.pop())
            continue
        found = _step(opened[-1], name, mode)
        if not stat.S_ISLNK(os.fstat(found).st_mode):
            opened.append(found)
            continue
        # An empty name reads the link that is open, whatever has its name by now.
        target = os.readlink("", dir_fd=found)
        os.close(found)
        links += 1
        if target.startswith("/") or links > _LINKS_MAX:
            raise EdgeError("open", path, "a sub-path must not be a link out of its volume")
        steps = _steps(target) + steps


def _steps(path: str) -> list[str]:
    return [each for each in path.split("/") if each not in ("", ".")]


def _step(parent: int, name: str, mode: int | None) -> int:
    """mode: of the folder that is made where there is none; None makes none."""
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=parent)
    except NotADirectoryError:
        raise EdgeError("open", name, "a sub-path must not go through a file") from None
    except FileNotFoundError:
        if mode is None:
            raise NoSuchEntry("open", name, "no such file or folder in the volume") from None
    os.mkdir(name, 0o700, dir_fd=parent)
    made = os.open(name, flags | os.O_DIRECTORY, dir_fd=parent)
    # Whatever the process' umask is; by the descriptor, as the name may be another's by now.
    os.chmod(f"/proc/self/fd/{made}", mode)
    return made


def bind_inside(folder: str, path: str, target: Path, *, read_only: bool) -> None:
    """Bind `path` below `folder` to `target`; what is bound is what was opened, whatever happens to the name."""
    descriptor = open_inside(folder, path, create=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            target.mkdir(exist_ok=True)
        else:
            target.touch(exist_ok=True)
        unmount(target)
        mount(f"/proc/self/fd/{descriptor}", target, "", MS_BIND | MS_REC)
    finally:
        os.close(descriptor)
    if read_only:
        mount("", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY)


def bind(source: str, target: Path, *, read_only: bool) -> None:
    target.mkdir(parents=True, exist_ok=True)
    mount(source, target, "", MS_BIND | MS_REC)
    if read_only:
        mount("", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY)
