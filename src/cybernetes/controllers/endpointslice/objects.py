"""EndpointSlices as their controllers see them."""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.controllers.objects import Meta, View


class TargetRef(View, frozen=True, gc=False):
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class Conditions(View, frozen=True, gc=False):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Named(View, frozen=True, gc=False):
    name: str


class Hints(View, frozen=True, gc=False):
    for_zones: tuple[Named, ...] = ()
    for_nodes: tuple[Named, ...] = ()


class Endpoint(View, frozen=True, gc=False):
    addresses: tuple[str, ...]
    conditions: Conditions = Conditions()
    hostname: str | None = None
    target_ref: TargetRef | None = None
    node_name: str | None = None
    zone: str | None = None
    hints: Hints | None = None

    @property
    def identity(self) -> tuple[Any, ...]:
        """What makes it the same endpoint as before, though its condition may differ."""
        ref = self.target_ref
        return (self.addresses[0], ref.uid or ref.name if ref else "")


class Port(View, frozen=True, gc=False, order=True):
    name: str = ""
    port: int = 0
    protocol: str = "TCP"
    app_protocol: str = ""


Ports = tuple[Port, ...]


class Slice(View, frozen=True, gc=False):
    metadata: Meta
    address_type: str = "IPv4"
    endpoints: tuple[Endpoint, ...] | None = ()
    ports: Ports | None = ()

    @property
    def listed(self) -> tuple[Endpoint, ...]:
        return self.endpoints or ()

    @property
    def port_set(self) -> Ports:
        return tuple(sorted(self.ports or ()))


def ports_json(ports: Ports) -> list[dict[str, Any]]:
    """Names are written even when empty, as Kubernetes does."""
    listed = []
    for each in ports:
        row: dict[str, Any] = {"name": each.name, "port": each.port, "protocol": each.protocol}
        if each.app_protocol:
            row["appProtocol"] = each.app_protocol
        listed.append(row)
    return listed


def endpoints_json(endpoints: tuple[Endpoint, ...]) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(each) for each in endpoints]


def target_ref_json(metadata: Meta) -> dict[str, str]:
    return {"kind": "Pod", "namespace": metadata.namespace, "name": metadata.name, "uid": metadata.uid}
