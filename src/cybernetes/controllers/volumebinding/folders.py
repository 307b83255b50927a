"""Removes folders of this machine that were volumes: the one thing that this package does outside of the API.

source  Kubernetes, pkg/volume/hostpath: a volume of type hostPath is deleted below /tmp only, on a cluster of one machine
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import PurePosixPath

from cybernetes.base.errors import EdgeError, Outcome

TEMPORARY = "/tmp"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def is_temporary(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return parts[:2] == ("/", "tmp") and len(parts) > 2 and ".." not in parts


async def remove(path: str) -> None:
    """Of a temporary one. Raises EdgeError."""
    await asyncio.to_thread(remove_below, TEMPORARY, path)


def remove_below(top: str, path: str) -> None:
    """What is gone already is removed. A link on the way is not followed: whoever made it could have anything removed.

    Blocks. Raises EdgeError.
    """
    *way, last = PurePosixPath(path).relative_to(top).parts
    folder = os.open(top, _FOLDER)
    try:
        for part in way:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        _remove(last, folder)
    except FileNotFoundError:
        return
    except OSError as failed:
        raise EdgeError("remove", path, str(failed), outcome=Outcome.UNKNOWN) from failed
    finally:
        os.close(folder)


def _remove(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        shutil.rmtree(name, dir_fd=folder)
