"""Whether this process's root is that of its mount namespace, and how runtimes are called where it is not.

In a chroot the two differ: a command that is executed in a container joins the container's namespaces, and would find
itself in the machine's files. There the runtime is called through `own_root` (own_root.c), which makes the two one.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from cybernetes.base.errors import EdgeError, Outcome, Retry

_BINARY = Path(__file__).with_name("own_root")


def is_own() -> bool:
    """False in a chroot, whether its folder is a mount point or not."""
    inside = os.stat("/")
    # Entering a mount namespace, also one's own, leads to its root.
    command = ["nsenter", "--mount=/proc/self/ns/mnt", "stat", "--format=%d:%i", "/"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EdgeError("look at the root of", "this mount namespace", done.stderr.strip(), outcome=Outcome.NOT_DONE)
    return done.stdout.strip() == f"{inside.st_dev}:{inside.st_ino}"


def script(program: str, folder: Path) -> Path:
    """A program's stand-in, in `folder`, which first makes the root the namespace's own."""
    if not _BINARY.exists():
        raise EdgeError("find", str(_BINARY), "run: make build", outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
    place, binary, written = folder / "place", folder / "own_root", folder / program
    place.mkdir(parents=True, exist_ok=True)
    _replace(binary, _BINARY.read_bytes())
    _replace(written, f'#!/bin/sh\nexec {binary} {place} {program} "$@"\n'.encode())
    return written


def _replace(program: Path, content: bytes) -> None:
    """As a whole: shims that outlived a cluster may call it now."""
    staged = program.with_name(f"{program.name}.new")
    staged.write_bytes(content)
    staged.chmod(0o755)
    staged.replace(program)
