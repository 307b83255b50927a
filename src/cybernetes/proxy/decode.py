"""JSON of the API's objects -> the values in `objects`.

What many objects have is kept once: names of services, nodes, zones and ports, and ports of services and slices.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import sys
from collections.abc import Iterable

import msgspec

from cybernetes.proxy.objects import (
    AFFINITY_DEFAULT_S,
    DELETION_TAINT,
    IPV4,
    IPV6,
    PROTOCOLS,
    SERVICE_NAME_LABEL,
    ZONE_LABEL,
    Endpoint,
    NodeFacts,
    Service,
    ServicePort,
    Slice,
    pack,
)


class _Meta(msgspec.Struct, rename={"deletion_timestamp": "deletionTimestamp"}, gc=False, frozen=True):
    name: str
    namespace: str = ""
    labels: dict[str, str] | None = None
    deletion_timestamp: str | None = None


class _ServicePort(msgspec.Struct, rename={"node_port": "nodePort"}, gc=False, frozen=True):
    port: int
    name: str = ""
    protocol: str = "TCP"
    node_port: int = 0


class _ClientIP(msgspec.Struct, rename={"timeout_s": "timeoutSeconds"}, gc=False, frozen=True):
    timeout_s: int | None = None


class _Affinity(msgspec.Struct, rename={"client_ip": "clientIP"}, gc=False, frozen=True):
    client_ip: _ClientIP | None = None


class _ServiceSpec(
    msgspec.Struct,
    rename={
        "cluster_ip": "clusterIP",
        "cluster_ips": "clusterIPs",
        "external_ips": "externalIPs",
        "affinity": "sessionAffinity",
        "affinity_config": "sessionAffinityConfig",
        "internal_policy": "internalTrafficPolicy",
        "external_policy": "externalTrafficPolicy",
        "source_ranges": "loadBalancerSourceRanges",
        "health_port": "healthCheckNodePort",
    },
    gc=False,
    frozen=True,
):
    type: str = "ClusterIP"
    cluster_ip: str = ""
    cluster_ips: list[str] | None = None
    external_ips: list[str] | None = None
    affinity: str = "None"
    affinity_config: _Affinity | None = None
    internal_policy: str | None = None
    external_policy: str | None = None
    source_ranges: list[str] | None = None
    health_port: int = 0
    ports: list[_ServicePort] | None = None


class _Ingress(msgspec.Struct, rename={"mode": "ipMode"}, gc=False, frozen=True):
    ip: str = ""
    mode: str | None = None


class _LoadBalancer(msgspec.Struct, gc=False, frozen=True):
    ingress: list[_Ingress] | None = None


class _ServiceStatus(msgspec.Struct, rename={"load_balancer": "loadBalancer"}, gc=False, frozen=True):
    load_balancer: _LoadBalancer | None = None


class _Service(msgspec.Struct, gc=False, frozen=True):
    metadata: _Meta
    spec: _ServiceSpec = _ServiceSpec()
    status: _ServiceStatus | None = None


class _Conditions(msgspec.Struct, gc=False, frozen=True):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class _Named(msgspec.Struct, gc=False, frozen=True):
    name: str


class _Hints(msgspec.Struct, rename={"zones": "forZones", "nodes": "forNodes"}, gc=False, frozen=True):
    zones: list[_Named] | None = None
    nodes: list[_Named] | None = None


class _Endpoint(msgspec.Struct, rename={"node": "nodeName"}, gc=False, frozen=True):
    addresses: list[str]
    conditions: _Conditions | None = None
    node: str | None = None
    hints: _Hints | None = None


class _SlicePort(msgspec.Struct, gc=False, frozen=True):
    name: str | None = None
    protocol: str | None = None
    port: int | None = None


class _Slice(msgspec.Struct, rename={"address_type": "addressType"}, gc=False, frozen=True):
    metadata: _Meta
    address_type: str = "IPv4"
    endpoints: list[_Endpoint] | None = None
    ports: list[_SlicePort] | None = None


class _Taint(msgspec.Struct, gc=False, frozen=True):
    key: str = ""


class _NodeSpec(msgspec.Struct, rename={"pod_range": "podCIDR", "pod_ranges": "podCIDRs"}, gc=False, frozen=True):
    pod_range: str = ""
    pod_ranges: list[str] | None = None
    taints: list[_Taint] | None = None


class _NodeAddress(msgspec.Struct, gc=False, frozen=True):
    type: str = ""
    address: str = ""


class _NodeStatus(msgspec.Struct, gc=False, frozen=True):
    addresses: list[_NodeAddress] | None = None


class _Node(msgspec.Struct, gc=False, frozen=True):
    metadata: _Meta
    spec: _NodeSpec = _NodeSpec()
    status: _NodeStatus = _NodeStatus()


# Sets of ports that are recognized as equal to earlier ones; a cluster has few, apart from those with node ports.
KEPT_PORTS_MAX = 256
_LOOPBACK_6 = bytes(15) + b"\1"

_service = msgspec.json.Decoder(_Service)
_slice = msgspec.json.Decoder(_Slice)
_node = msgspec.json.Decoder(_Node)


def service(body: bytes) -> Service:
    """A Service; one that packets never go to (ExternalName, headless) comes out without cluster addresses."""
    decoded = _service.decode(body)
    spec = decoded.spec
    key = sys.intern(f"{decoded.metadata.namespace}/{decoded.metadata.name}")
    if spec.type == "ExternalName" or spec.cluster_ip in ("", "None"):
        return Service(key, (), ())
    return Service(
        key=key,
        cluster_ips=_packed(spec.cluster_ips or [spec.cluster_ip]),
        ports=_service_ports(
            tuple(
                ServicePort(sys.intern(port.name), PROTOCOLS[port.protocol], port.port, port.node_port)
                for port in spec.ports or ()
                if port.protocol in PROTOCOLS
            )
        ),
        external_ips=_packed(spec.external_ips or ()),
        ingress_ips=_ingress(decoded.status) if spec.type == "LoadBalancer" else (),
        source_ranges=tuple(text for each in spec.source_ranges or () if _is_range(text := each.strip())),
        affinity_s=_affinity_s(spec),
        internal_local=spec.internal_policy == "Local",
        external_local=spec.external_policy == "Local",
        health_port=spec.health_port,
    )


@functools.lru_cache(maxsize=KEPT_PORTS_MAX)
def _service_ports(ports: tuple[ServicePort, ...]) -> tuple[ServicePort, ...]:
    """The one tuple for all that are equal."""
    return ports


@functools.lru_cache(maxsize=KEPT_PORTS_MAX)
def _slice_ports(ports: tuple[tuple[str, int, int], ...]) -> tuple[tuple[str, int, int], ...]:
    """The one tuple for all that are equal."""
    return ports


def _packed(addresses: Iterable[str]) -> tuple[bytes, ...]:
    """Those that are addresses: one that an older API server let in must not keep all others from having rules."""
    found = []
    for each in addresses:
        with contextlib.suppress(ValueError):
            found.append(pack(each))
    return tuple(found)


def _is_range(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _ingress(status: _ServiceStatus | None) -> tuple[bytes, ...]:
    """Addresses of mode VIP; those of mode Proxy reach this node as NodePort traffic."""
    if status is None or status.load_balancer is None:
        return ()
    found = status.load_balancer.ingress or ()
    return _packed(each.ip for each in found if each.ip and each.mode in (None, "VIP"))


def _affinity_s(spec: _ServiceSpec) -> int:
    if spec.affinity != "ClientIP":
        return 0
    config = spec.affinity_config
    if config is None or config.client_ip is None or config.client_ip.timeout_s is None:
        return AFFINITY_DEFAULT_S
    return config.client_ip.timeout_s


def endpoint_slice(body: bytes) -> Slice:
    """An EndpointSlice; one of names instead of addresses, or of no service, comes out empty."""
    decoded = _slice.decode(body)
    name = (decoded.metadata.labels or {}).get(SERVICE_NAME_LABEL, "")
    service_key = sys.intern(f"{decoded.metadata.namespace}/{name}")
    if not name or decoded.address_type not in ("IPv4", "IPv6"):
        return Slice(service_key, IPV4, (), ())
    return Slice(
        service=service_key,
        family=IPV6 if decoded.address_type == "IPv6" else IPV4,
        ports=_slice_ports(
            tuple(
                (sys.intern(port.name or ""), PROTOCOLS[port.protocol or "TCP"], port.port)
                for port in decoded.ports or ()
                if port.port is not None and (port.protocol or "TCP") in PROTOCOLS
            )
        ),
        endpoints=tuple(
            each for each in map(_endpoint, _addressed(decoded.endpoints)) if not is_of_one_host(each.address)
        ),
    )


def _addressed(endpoints: list[_Endpoint] | None) -> list[_Endpoint]:
    return [each for each in endpoints or () if each.addresses and _packed(each.addresses[:1])]


def is_of_one_host(address: bytes) -> bool:
    """Loopback, link-local and multicast: to send others' packets there would open what a node keeps to itself.

    The API refuses such endpoints too; this is for those that got past it.
    source  CVE-2021-25737
    """
    if len(address) == 4:
        return address[0] == 127 or address[0] >= 224 or address[:2] == b"\xa9\xfe"
    return address == _LOOPBACK_6 or address[0] == 0xFF or (address[0] == 0xFE and address[1] & 0xC0 == 0x80)


def _endpoint(decoded: _Endpoint) -> Endpoint:
    """Only the first address counts, as the API documents it. An absent condition means the obvious."""
    conditions = decoded.conditions
    ready = conditions is None or conditions.ready is not False
    serving = ready if conditions is None or conditions.serving is None else conditions.serving
    hints = decoded.hints
    return Endpoint(
        pack(decoded.addresses[0]),
        ready,
        serving,
        conditions is not None and conditions.terminating is True,
        sys.intern(decoded.node or ""),
        _names(hints.zones) if hints else (),
        _names(hints.nodes) if hints else (),
    )


def _names(hints: list[_Named] | None) -> tuple[str, ...]:
    return tuple(sys.intern(each.name) for each in hints or ())


def node(body: bytes) -> NodeFacts:
    decoded = _node.decode(body)
    spec = decoded.spec
    ranges = spec.pod_ranges or ([spec.pod_range] if spec.pod_range else [])
    return NodeFacts(
        name=decoded.metadata.name,
        zone=(decoded.metadata.labels or {}).get(ZONE_LABEL, ""),
        addresses=_packed(each.address for each in decoded.status.addresses or () if each.type == "InternalIP"),
        pod_ranges=tuple(ranges),
        leaving=decoded.metadata.deletion_timestamp is not None
        or any(each.key == DELETION_TAINT for each in spec.taints or ()),
    )
