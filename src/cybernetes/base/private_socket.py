"""A Unix socket that only its owner may connect to, and that is seen only once it listens."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def listen_private(path: Path, backlog: int) -> socket.socket:
    """A non-inherited stream socket that listens at `path` with mode 0600, in the place of what was there.

    It is bound beside its place and renamed when it listens: whoever sees the path is answered, and nobody
    connects before the mode is set. It is bound by the descriptor of its folder, so that the longer name beside it
    counts nothing of the 107 bytes that the kernel takes.

    Raises OSError.
    """
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        listener.bind(f"/proc/self/fd/{folder}/{beside.name}")
        beside.chmod(0o600)
        listener.listen(backlog)
        beside.rename(path)
    except OSError:
        listener.close()
        beside.unlink(missing_ok=True)
        raise
    finally:
        os.close(folder)
    return listener
