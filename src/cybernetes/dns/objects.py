"""Services and EndpointSlices as slim values: only what names depend on."""

from __future__ import annotations

import msgspec

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


class Port(msgspec.Struct, frozen=True, gc=False):
    """protocol in lower case, as SRV names have it."""

    name: str
    protocol: str
    port: int


class Service(msgspec.Struct, frozen=True, gc=False):
    """addresses: cluster addresses, none for a headless one. external: name that this one is an alias of."""

    namespace: str
    name: str
    addresses: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    external: str = ""

    @property
    def headless(self) -> bool:
        return not self.addresses and not self.external


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    address: str
    hostname: str = ""

    @property
    def label(self) -> str:
        """What it is called below its service: its host name, or its address with dashes."""
        return self.hostname or self.address.replace(".", "-").replace(":", "-")


class Slice(msgspec.Struct, frozen=True, gc=False):
    """endpoints: ready ones. service: `NAMESPACE/NAME`."""

    service: str
    ports: tuple[Port, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()


class _Meta(msgspec.Struct, frozen=True, gc=False):
    name: str
    namespace: str = ""
    labels: dict[str, str] | None = None


class _Port(msgspec.Struct, frozen=True, gc=False):
    name: str | None = None
    protocol: str | None = None
    port: int | None = None


class _ServiceSpec(
    msgspec.Struct,
    rename={"cluster_ip": "clusterIP", "cluster_ips": "clusterIPs", "external": "externalName"},
    frozen=True,
    gc=False,
):
    type: str = "ClusterIP"
    cluster_ip: str = ""
    cluster_ips: list[str] | None = None
    external: str = ""
    ports: list[_Port] | None = None


class _Service(msgspec.Struct, frozen=True, gc=False):
    metadata: _Meta
    spec: _ServiceSpec = _ServiceSpec()


class _Conditions(msgspec.Struct, frozen=True, gc=False):
    ready: bool | None = None


class _Endpoint(msgspec.Struct, frozen=True, gc=False):
    addresses: list[str]
    conditions: _Conditions | None = None
    hostname: str | None = None


class _Slice(msgspec.Struct, rename={"address_type": "addressType"}, frozen=True, gc=False):
    metadata: _Meta
    address_type: str = "IPv4"
    endpoints: list[_Endpoint] | None = None
    ports: list[_Port] | None = None


_service = msgspec.json.Decoder(_Service)
_slice = msgspec.json.Decoder(_Slice)


def service(body: bytes) -> Service:
    read = _service.decode(body)
    spec = read.spec
    namespace, name = read.metadata.namespace, read.metadata.name
    if spec.type == "ExternalName":
        return Service(namespace, name, external=spec.external.rstrip(".").lower())
    found = [each for each in spec.cluster_ips or [spec.cluster_ip] if each not in ("", "None")]
    return Service(namespace, name, tuple(found), _ports(spec.ports))


def endpoint_slice(body: bytes) -> Slice:
    """A slice of no service, or of names instead of addresses, comes out empty."""
    read = _slice.decode(body)
    of = (read.metadata.labels or {}).get(SERVICE_NAME_LABEL, "")
    key = f"{read.metadata.namespace}/{of}"
    if not of or read.address_type not in ("IPv4", "IPv6"):
        return Slice(key)
    ready = [
        Endpoint(each.addresses[0], (each.hostname or "").lower())
        for each in read.endpoints or ()
        if each.addresses and (each.conditions is None or each.conditions.ready is not False)
    ]
    return Slice(key, _ports(read.ports), tuple(ready))


def _ports(ports: list[_Port] | None) -> tuple[Port, ...]:
    return tuple(
        Port(each.name or "", (each.protocol or "TCP").lower(), each.port)
        for each in ports or ()
        if each.port is not None
    )
