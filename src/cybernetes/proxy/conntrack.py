"""UDP flows that the kernel keeps sending to endpoints which are gone: found in a dump, deleted one by one.

TCP needs none of this: a client opens a new connection. A UDP client may use one socket for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from cybernetes.proxy.objects import family_of
from cybernetes.proxy.packets.messages import FAMILIES, nested
from cybernetes.proxy.packets.netlink import Netlink, attributes
from cybernetes.proxy.state import PortView

_CONNTRACK = 1 << 8
_GET, _DELETE = 1, 2
_UDP = 17
FLOWS_PER_CORE = 32_768
FLOWS_MIN = 131_072


class Flow(msgspec.Struct, frozen=True):
    """One conntrack entry. Addresses packed, ports 2 bytes; `original` is its tuple as the kernel encodes it."""

    destination: bytes
    port: bytes
    answers_from: bytes
    original: bytes


class _Table(msgspec.Struct, frozen=True):
    """Destination -> endpoints that serve it; NodePorts by port alone."""

    addresses: dict[tuple[bytes, bytes], frozenset[bytes]]
    node_ports: dict[bytes, frozenset[bytes]]


def stale(flows: Iterable[Flow], views: Sequence[PortView]) -> list[Flow]:
    """Flows of these UDP service ports whose answers come from no endpoint that serves any more.

    A service port without serving endpoints is left alone: its flows time out.
    """
    table = _table(views)
    found = []
    for flow in flows:
        serving = table.addresses.get((flow.destination, flow.port)) or table.node_ports.get(flow.port)
        if serving and flow.answers_from not in serving:
            found.append(flow)
    return found


def _table(views: Sequence[PortView]) -> _Table:
    addresses: dict[tuple[bytes, bytes], frozenset[bytes]] = {}
    node_ports: dict[bytes, frozenset[bytes]] = {}
    for view in views:
        if view.protocol != _UDP or not view.selected.serving:
            continue
        serving = frozenset(view.selected.serving)
        port = view.port.to_bytes(2, "big")
        for address in (view.cluster_ip, *view.external_ips, *view.ingress_ips):
            addresses[address, port] = serving
        if view.node_port:
            node_ports[view.node_port.to_bytes(2, "big")] = serving
    return _Table(addresses, node_ports)


def limits(cores: int) -> dict[str, int]:
    """Sysctls below net/netfilter and the least that each should be; kube-proxy's defaults.

    A node that keeps too few flows drops new connections under load; one that forgets idle ones breaks them.
    """
    return {
        "nf_conntrack_max": max(FLOWS_PER_CORE * cores, FLOWS_MIN),
        "nf_conntrack_tcp_timeout_established": 86_400,
        "nf_conntrack_tcp_timeout_close_wait": 3_600,
    }


def raise_limits(cores: int, root: Path = Path("/proc/sys/net/netfilter")) -> list[str]:
    """Raise those that are lower; returns what could not be, such as in a network namespace of its own."""
    failed = []
    for name, least in limits(cores).items():
        path = root / name
        try:
            if int(path.read_text()) < least:
                path.write_text(str(least))
        except (OSError, ValueError) as why:
            failed.append(f"{name}: {why}")
    return failed


class KernelFlows:
    """The conntrack table of the network namespace this was made in."""

    def __init__(self) -> None:
        self._netlink = Netlink()

    async def clean(self, views: Sequence[PortView]) -> int:
        families = sorted({family_of(view.cluster_ip) for view in views if view.selected.serving})
        cleaned = 0
        for family in families:
            of_family = [view for view in views if family_of(view.cluster_ip) == family]
            cleaned += await asyncio.to_thread(self._clean, family, of_family)
        return cleaned

    def _clean(self, family: int, views: Sequence[PortView]) -> int:
        gone = stale(self._udp_flows(family), views)
        for flow in gone:
            self._delete(family, flow)
        return len(gone)

    def _udp_flows(self, family: int) -> Iterator[Flow]:
        for _, body in self._netlink.dump(_CONNTRACK | _GET, family, b"", "conntrack"):
            flow = _flow(body)
            if flow is not None:
                yield flow

    def _delete(self, family: int, flow: Flow) -> None:
        """A flow that has ended by itself meanwhile is as good as deleted."""
        self._netlink.request(
            _CONNTRACK | _DELETE, FAMILIES[family], nested(1, flow.original), "conntrack", missing_ok=True
        )

    def close(self) -> None:
        self._netlink.close()


def _flow(body: bytes) -> Flow | None:
    """None for a flow of another protocol."""
    entry = attributes(body)
    original, reply = attributes(entry[1]), attributes(entry[2])
    protocol = attributes(original[2])
    if protocol[1][0] != _UDP or 3 not in protocol:
        return None
    destination, source = attributes(original[1]), attributes(reply[1])
    six = 4 in destination
    return Flow(
        destination=destination[4 if six else 2],
        port=protocol[3],
        answers_from=source[3 if six else 1] + attributes(reply[2])[2],
        original=entry[1],
    )
