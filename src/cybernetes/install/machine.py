"""What this machine is called, and how others reach it."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence

from cybernetes.base.errors import EdgeError
from cybernetes.base.random import SystemRandom

# Below the NodePorts, and below what Linux gives to connections that go out.
OWN_PORTS = range(20_000, 30_000)
PORTS_TRIED_MAX = 100


def name() -> str:
    """The host name as a node name: a lower-case RFC 1123 subdomain."""
    cleaned = re.sub(r"[^a-z0-9.-]", "-", socket.gethostname().lower()).strip("-.")
    return cleaned or "node-1"


def address(version: int = 4) -> str:
    """The address of this family that the default route leaves by; loopback where there is none."""
    family, anywhere, loopback = _FAMILIES[version]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing; the kernel only chooses the source address.
            probe.connect((anywhere, 9))
        except OSError:
            return loopback
        return str(probe.getsockname()[0])


# Addresses for documentation: nobody has them, so the default route leads there.
_FAMILIES = {4: (socket.AF_INET, "192.0.2.1", "127.0.0.1"), 6: (socket.AF_INET6, "2001:db8::1", "::1")}


def second_address(families: Sequence[int]) -> str:
    """The address of the second family; "" where there is no such family, or no way out with it."""
    if len(families) < 2:
        return ""
    found = address(families[1])
    return "" if found == _FAMILIES[families[1]][2] else found


def free_port(preferred: int) -> int:
    """The preferred port of loopback (0: none), or one of OWN_PORTS when it is taken.

    The kernel would give one out of those that it also gives to connections that go out: it may be taken again before
    anybody listens, and at each restart.
    """
    random = SystemRandom()
    candidates = (OWN_PORTS.start + random.below(len(OWN_PORTS)) for _ in range(PORTS_TRIED_MAX))
    for port in (preferred, *candidates):
        if port and _is_free(port):
            return port
    raise EdgeError("find a free port", "127.0.0.1", f"{PORTS_TRIED_MAX} of {OWN_PORTS} are taken")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
