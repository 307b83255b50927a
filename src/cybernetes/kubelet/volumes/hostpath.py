"""Checks and makes what a hostPath volume asks for.

source  kubernetes.io "Volumes", hostPath volume types
"""

from __future__ import annotations

from pathlib import Path

from cybernetes.kubelet.volumes.payload import VolumeError

_CHECKS = {
    "Directory": (Path.is_dir, "a directory"),
    "File": (Path.is_file, "a file"),
    "Socket": (Path.is_socket, "a socket file"),
    "CharDevice": (Path.is_char_device, "a character device"),
    "BlockDevice": (Path.is_block_device, "a block device"),
}


def check(path: Path, kind: str) -> None:
    """Raises VolumeError when `path` is not what `kind` says; "" asks for nothing."""
    if not kind:
        return
    if kind == "DirectoryOrCreate":
        if not path.exists():
            path.mkdir(parents=True, mode=0o755)
        kind = "Directory"
    elif kind == "FileOrCreate":
        if not path.parent.is_dir():
            raise VolumeError(f"open {path}: no such file or directory")
        if not path.exists():
            path.touch(mode=0o644)
        kind = "File"
    test, word = _CHECKS[kind]
    if not test(path):
        raise VolumeError(f"hostPath type check failed: {path} is not {word}")
