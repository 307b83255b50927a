"""The systemd notify protocol, both sides: components say READY=1, the supervisor listens.

source  sd_notify(3)
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

READY = b"READY=1"


def notify_ready() -> None:
    """Tell whoever started this process that it serves; nothing happens where nobody asked."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto(READY, address)


class NotifyListener:
    """Receives READY=1 with the sender's process id, which the kernel vouches for."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(str(path))
        path.chmod(0o600)

    def ready_processes(self) -> Iterator[int]:
        """Process ids of all that have said READY=1 since the last call."""
        while True:
            try:
                data, ancillary, _, _ = self.socket.recvmsg(256, socket.CMSG_SPACE(struct.calcsize("3i")))
            except BlockingIOError:
                return
            for level, kind, payload in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS and READY in data.split(b"\n"):
                    yield struct.unpack("3i", payload)[0]
