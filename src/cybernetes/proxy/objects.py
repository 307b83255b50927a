"""Services, EndpointSlices and the own Node as slim values: only what packet rules depend on.

Addresses are packed (4 or 16 bytes), protocols are IP protocol numbers, so that plans never parse text.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

import msgspec

IPV4 = 4
IPV6 = 6
PROTOCOLS = {"TCP": 6, "UDP": 17, "SCTP": 132}
PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items()}

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
ZONE_LABEL = "topology.kubernetes.io/zone"
DELETION_TAINT = "ToBeDeletedByClusterAutoscaler"
# Another proxy takes care of services with the first label; headless ones have no rules at all.
SERVICES_SELECTOR = "!service.kubernetes.io/service-proxy-name,!service.kubernetes.io/headless"
SLICES_SELECTOR = "!service.kubernetes.io/service-proxy-name,!service.kubernetes.io/headless"

AFFINITY_DEFAULT_S = 10800


class ServicePort(msgspec.Struct, frozen=True, gc=False):
    """node_port is 0 where none is allocated."""

    name: str
    protocol: int
    port: int
    node_port: int = 0


class Service(msgspec.Struct, frozen=True, gc=False):
    """A Service with a cluster address.

    cluster_ips     packed; at most one of each family
    external_ips    packed, any family: spec.externalIPs
    ingress_ips     packed, any family: load balancer addresses that this node has to answer for
    source_ranges   CIDR texts
    affinity_s      how long a client keeps its endpoint; 0 for no affinity
    health_port     spec.healthCheckNodePort, 0 for none
    """

    key: str
    cluster_ips: tuple[bytes, ...]
    ports: tuple[ServicePort, ...]
    external_ips: tuple[bytes, ...] = ()
    ingress_ips: tuple[bytes, ...] = ()
    source_ranges: tuple[str, ...] = ()
    affinity_s: int = 0
    internal_local: bool = False
    external_local: bool = False
    health_port: int = 0


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    address: bytes
    ready: bool
    serving: bool
    terminating: bool
    node: str = ""
    zones: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


class Slice(msgspec.Struct, frozen=True, gc=False):
    """service is the key of the Service; ports are (name, protocol, port)."""

    service: str
    family: int
    ports: tuple[tuple[str, int, int], ...]
    endpoints: tuple[Endpoint, ...]


class NodeFacts(msgspec.Struct, frozen=True, gc=False):
    """What the rules depend on of the own Node object."""

    name: str
    zone: str = ""
    addresses: tuple[bytes, ...] = ()
    pod_ranges: tuple[str, ...] = ()
    leaving: bool = False


def pack(address: str) -> bytes:
    """4 or 16 bytes; ValueError for what is no address."""
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    except OSError as wrong:
        raise ValueError(f"{address!r} is no IP address") from wrong


def unpack(address: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET6 if len(address) == 16 else socket.AF_INET, address)


def family_of(address: bytes) -> int:
    return IPV6 if len(address) == 16 else IPV4


def of_family(addresses: Iterable[bytes], family: int) -> tuple[bytes, ...]:
    return tuple(address for address in addresses if family_of(address) == family)


def ranges_of(ranges: Iterable[str], family: int) -> tuple[str, ...]:
    return tuple(each for each in ranges if ipaddress.ip_network(each, strict=False).version == family)
