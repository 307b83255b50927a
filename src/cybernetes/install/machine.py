"""What this machine is called, and how others reach it."""

from __future__ import annotations

import re
import socket


def name() -> str:
    """The host name as a node name: a lower-case RFC 1123 subdomain."""
    cleaned = re.sub(r"[^a-z0-9.-]", "-", socket.gethostname().lower()).strip("-.")
    return cleaned or "node-1"


def address() -> str:
    """The address that the default route leaves by; loopback where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing; the kernel only chooses the source address.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def free_port(preferred: int) -> int:
    """The preferred port of loopback, or one that the kernel chooses when it is taken."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise AssertionError("the kernel always has a free port")
