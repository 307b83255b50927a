"""Services and EndpointSlices, folded into what each service port means on this node."""

from __future__ import annotations

import sys

import msgspec

from cybernetes.proxy.objects import (
    PROTOCOL_NAMES,
    Endpoint,
    NodeFacts,
    Service,
    ServicePort,
    Slice,
    of_family,
    ranges_of,
)
from cybernetes.proxy.select import NONE, Selected, Target, select


class PortView(msgspec.Struct, frozen=True, gc=False):
    """One service port of one address family, with the endpoints selected for this node.

    name  `NAMESPACE/NAME:PORT`, without the colon for a port that has no name
    """

    name: str
    protocol: int
    cluster_ip: bytes
    port: int
    selected: Selected = NONE
    external_ips: tuple[bytes, ...] = ()
    ingress_ips: tuple[bytes, ...] = ()
    node_port: int = 0
    source_ranges: tuple[str, ...] = ()
    affinity_s: int = 0
    internal_local: bool = False
    external_local: bool = False
    health_port: int = 0

    @property
    def key(self) -> str:
        """One string, however many keep it."""
        return sys.intern(f"{self.name}/{PROTOCOL_NAMES[self.protocol]}")

    @property
    def internal(self) -> tuple[Target, ...]:
        """Where traffic to the cluster address goes."""
        return self.selected.local if self.internal_local else self.selected.cluster

    @property
    def external(self) -> tuple[Target, ...]:
        """Where traffic from outside goes."""
        return self.selected.local if self.external_local else self.selected.cluster

    @property
    def any_endpoint(self) -> bool:
        return bool(self.selected.cluster or self.selected.local)

    @property
    def is_external(self) -> bool:
        return bool(self.node_port or self.external_ips or self.ingress_ips)


class State:
    """Owned by the loop. `changed` holds the keys of services whose rules may be different now."""

    def __init__(self, node: NodeFacts) -> None:
        self.node = node
        self.services: dict[str, Service] = {}
        self.changed: set[str] = set()
        # Service -> its slices by key; pairs, because mostly there is one.
        self._slices: dict[str, tuple[tuple[str, Slice], ...]] = {}

    def reduce_service(self, key: str, new: Service | None) -> None:
        """new is None for a service that is gone, or that packets never go to."""
        if new is None or not new.cluster_ips:
            self.services.pop(key, None)
        else:
            self.services[key] = new
        self.changed.add(key)

    def reduce_slice(self, key: str, old: Slice | None, new: Slice | None) -> None:
        if old is not None and (new is None or new.service != old.service):
            self._hold(old.service, self._others(old.service, key))
        if new is not None:
            self._hold(new.service, (*self._others(new.service, key), (key, new)))

    def _others(self, service: str, key: str) -> tuple[tuple[str, Slice], ...]:
        held = self._slices.get(service, ())
        return tuple([each for each in held if each[0] != key]) if held else held

    def _hold(self, service: str, slices: tuple[tuple[str, Slice], ...]) -> None:
        if slices:
            self._slices[service] = slices
        else:
            self._slices.pop(service, None)
        self.changed.add(service)

    def reduce_node(self, new: NodeFacts) -> bool:
        """Whether the rules of every service may be different now."""
        old, self.node = self.node, new
        if (old.name, old.zone) == (new.name, new.zone):
            return False
        self.changed.update(self.services)
        return True

    def take_changed(self) -> list[str]:
        """The services to plan again, sorted; forgets them."""
        changed = sorted(self.changed)
        self.changed.clear()
        return changed

    def views(self, service_key: str, family: int) -> list[PortView]:
        """What each port of the service means; empty when the service is gone or not of the family."""
        service = self.services.get(service_key)
        if service is None:
            return []
        addresses = of_family(service.cluster_ips, family)
        if not addresses:
            return []
        slices = [each for _, each in self._slices.get(service_key, ()) if each.family == family]
        return [self._view(service, port, addresses[0], slices, family) for port in service.ports]

    def _view(
        self, service: Service, port: ServicePort, cluster_ip: bytes, slices: list[Slice], family: int
    ) -> PortView:
        candidates = _candidates(slices, port)
        return PortView(
            name=f"{service.key}:{port.name}" if port.name else service.key,
            protocol=port.protocol,
            cluster_ip=cluster_ip,
            port=port.port,
            selected=select(candidates, self.node.name, self.node.zone),
            external_ips=of_family(service.external_ips, family) if service.external_ips else (),
            ingress_ips=of_family(service.ingress_ips, family) if service.ingress_ips else (),
            node_port=port.node_port,
            source_ranges=ranges_of(service.source_ranges, family) if service.source_ranges else (),
            affinity_s=service.affinity_s,
            internal_local=service.internal_local,
            external_local=service.external_local,
            health_port=service.health_port,
        )


def _candidates(slices: list[Slice], port: ServicePort) -> list[tuple[Endpoint, int]]:
    return [
        (endpoint, number)
        for each in slices
        for name, protocol, number in each.ports
        if name == port.name and protocol == port.protocol
        for endpoint in each.endpoints
    ]
