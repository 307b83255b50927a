"""Replaces a set of files at once: a reader sees all of the old ones or all of the new ones.

Files are in a folder named by the time, `..data` links to it, and every key links through `..data`.
source  kubelet's AtomicWriter
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from cybernetes.kubelet.volumes.kernel import give_to_group
from cybernetes.kubelet.volumes.payload import File

_DATA = "..data"
_NEW_DATA = "..data_tmp"


def write(folder: Path, files: Mapping[str, File], *, now: float, suffix: str, group: int | None) -> bool:
    """Make `files` the content of `folder`; False when they were already.

    group   fsGroup that may read, and that `folder` is given to; None leaves modes alone
    raises  OSError
    """
    folder.mkdir(parents=True, exist_ok=True)
    current = _current(folder)
    if current is not None and _read(current) == {name: each.data for name, each in files.items()}:
        return False
    stamp = time.strftime("..%Y_%m_%d_%H_%M_%S", time.gmtime(now))
    fresh = folder / f"{stamp}.{suffix}"
    _write_all(fresh, files)
    if group is not None:
        give_to_group(folder, group, writable=False)
    _swap(folder, fresh.name)
    _link_keys(folder, files)
    if current is not None and current != fresh:
        shutil.rmtree(current, ignore_errors=True)
    return True


def _current(folder: Path) -> Path | None:
    link = folder / _DATA
    if not link.is_symlink():
        return None
    target = folder / os.readlink(link)
    return target if target.is_dir() else None


def _read(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def _write_all(folder: Path, files: Mapping[str, File]) -> None:
    folder.mkdir(mode=0o755)
    # Whatever the process' umask is: containers of any user have to get in.
    folder.chmod(0o755)
    for name, each in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(each.data)
        path.chmod(each.mode)
        if each.owner is not None:
            os.chown(path, each.owner, -1)


def _swap(folder: Path, target: str) -> None:
    temporary = folder / _NEW_DATA
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(folder / _DATA)


def _link_keys(folder: Path, files: Mapping[str, File]) -> None:
    wanted = {name.partition("/")[0] for name in files}
    for name in wanted:
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(f"{_DATA}/{name}")
    for each in folder.iterdir():
        if not each.name.startswith("..") and each.name not in wanted:
            each.unlink(missing_ok=True)
