"""Allocation for one write of a Service: a Grant of addresses and ports that is kept or given back."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any

from cybernetes.apiserver import stored
from cybernetes.apiserver.services import families, fields
from cybernetes.apiserver.services.fields import SPEC, Object, Spec
from cybernetes.apiserver.services.pools import Addresses, Pool, Ports, number_of
from cybernetes.auth.lister import Lister
from cybernetes.base import random
from cybernetes.base.clock import Clock, rfc3339
from cybernetes.base.errors import ApiError
from cybernetes.base.random import Random
from cybernetes.model import field
from cybernetes.model.resource import Resource
from cybernetes.store.api import WRITES_MAX, Check, Delete, Put

_ADDRESS_PREFIX = "/networking.k8s.io/ipaddresses/"
# One key for each node port that is taken, so that no two API servers give away the same.
_PORT_PREFIX = "/nodeports/"
# Leaves room for the Service and its address in one transaction of the store.
_PORTS_AT_ONCE = WRITES_MAX - 8


class Grant:
    """What a write was given. Call `fail` when it did not happen.

    checks, writes  belong into the write's transaction
    """

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.writes: list[Put | Delete] = []
        # Of a write that happened a promise ends when the caches see the Service: `Allocator` takes the number then.
        self._promises: list[tuple[Pool, int]] = []

    def hold(self, pool: Pool, number: int) -> None:
        self._promises.append((pool, number))

    def fail(self) -> None:
        """The write did not happen."""
        for pool, number in self._promises:
            pool.withdraw(number)


NOTHING = Grant()


class Allocator:
    """Follows all Services from its construction on.

    service_ranges  one, or one of each family; Services get addresses of the first unless they say otherwise.
                    ServiceCIDRs add to them, from when they are ready until they are to go
    """

    def __init__(
        self, lister: Lister, service_ranges: Sequence[str], ports: tuple[int, int], clock: Clock, source: Random
    ) -> None:
        self.addresses = {each.family: each for each in map(Addresses, service_ranges)}
        self.ports = Ports(*ports)
        self._clock = clock
        self._random = source
        # By name of their ServiceCIDR.
        self._added: dict[str, list[str]] = {}
        lister.subscribe("networking.k8s.io", "servicecidrs", self._range_changed)
        lister.subscribe("", "services", self._changed)

    def is_given(self, row: Resource) -> bool:
        """Whether objects of this resource are given addresses and ports, and so changed by a try to write them."""
        return _is_service(row)

    def prepare(self, row: Resource, new: Object, old: Object | None) -> None:
        """Fill in and drop what follows from the type, before validation. Raises ApiError 422."""
        if not _is_service(row):
            return
        spec = new.setdefault("spec", {})
        before = old.get("spec", {}) if old is not None else None
        fields.normalize(spec, before)
        if before is not None:
            fields.carry_over(spec, before)
            fields.drop_of_former_type(spec, before)
            if spec.get("type") != "LoadBalancer" and before.get("type") == "LoadBalancer":
                new.setdefault("status", {})["loadBalancer"] = {}
        families.decide(new, before, tuple(self.addresses))

    def allocate(self, row: Resource, new: Object, old: Object | None, *, dry_run: bool) -> Grant:
        """Give the valid Service what it lacks. Raises ApiError 422, 500."""
        if not _is_service(row):
            return NOTHING
        grant = Grant()
        try:
            before = old.get("spec", {}) if old is not None else {}
            self._give_addresses(new, before, grant)
            self._give_ports(new, before, grant)
            self._give_health_port(new, before, grant)
            _mark_ports(new, before, grant)
        except ApiError:
            grant.fail()
            raise
        if dry_run:
            grant.fail()
        return grant

    def freed(self, row: Resource, obj: Object) -> list[Put | Delete]:
        """What goes together with a deleted Service."""
        if not _is_service(row):
            return []
        addresses = map(_address_key, _addresses(obj["spec"]))
        return [Delete(key) for key in (*addresses, *map(_port_key, sorted(_node_ports(obj["spec"]))))]

    def _give_addresses(self, service: Object, before: Spec, grant: Grant) -> None:
        spec, had, has = service["spec"], _addresses(before), []
        if fields.needs_address(spec) and not fields.headless(spec):
            asked = list(spec.get("clusterIPs") or ())
            asked += [""] * (len(spec["ipFamilies"]) - len(asked))
            for family, address in zip(spec["ipFamilies"], asked, strict=True):
                kept = address and address in had
                has.append(address if kept else self._give_address(service, family, address, asked, grant))
            spec["clusterIP"], spec["clusterIPs"] = has[0], has
        grant.writes += [Delete(_address_key(address)) for address in had if address not in has]

    def _give_address(self, service: Object, family: str, address: str, asked: list[str], grant: Grant) -> str:
        pool = self.addresses[family]
        if address:
            _hold_address(service, pool, address, asked, grant)
        else:
            address = self._pick_address(pool, grant)
        grant.checks.append(Check(_address_key(address), 0))
        grant.writes.append(Put(_address_key(address), self._ip_address(address, service)))
        return address

    def _pick_address(self, addresses: Addresses, grant: Grant) -> str:
        number = addresses.pool.pick(self._random)
        if number is None:
            raise _used_up("failed to allocate a serviceIP: range is full")
        grant.hold(addresses.pool, number)
        return addresses.text(number)

    def _give_ports(self, service: Object, before: Spec, grant: Grant) -> None:
        spec = service["spec"]
        if not fields.may_have_node_ports(spec):
            return
        mine = {port["nodePort"] for port in before.get("ports") or () if port.get("nodePort")}
        for i, port in enumerate(spec.get("ports") or ()):
            asked = port.get("nodePort", 0)
            if asked and asked not in mine:
                self._hold_port(service, SPEC.child("ports").index(i).child("nodePort"), asked, grant)
                mine.add(asked)
        if not fields.needs_node_ports(spec):
            return
        for port in spec.get("ports") or ():
            if not port.get("nodePort"):
                port["nodePort"] = _of_other_protocol(spec, port) or self._pick_port(grant)

    def _hold_port(self, service: Object, path: field.Path, asked: int, grant: Grant) -> None:
        number = self.ports.number(asked)
        if number is None:
            span = f"{self.ports.first}-{self.ports.last}"
            why = f"provided port is not in the valid range. The range of valid ports is {span}"
            raise fields.invalid(service, [field.invalid(path, asked, why)])
        if not self.ports.pool.promise(number):
            raise fields.invalid(service, [field.invalid(path, asked, "provided port is already allocated")])
        grant.hold(self.ports.pool, number)

    def _pick_port(self, grant: Grant) -> int:
        number = self.ports.pool.pick(self._random)
        if number is None:
            raise _used_up("failed to allocate a nodePort: range is full")
        grant.hold(self.ports.pool, number)
        return number

    def _give_health_port(self, service: Object, before: Spec, grant: Grant) -> None:
        spec = service["spec"]
        if not fields.needs_health_port(spec):
            return
        asked = spec.get("healthCheckNodePort", 0)
        if not asked:
            spec["healthCheckNodePort"] = self._pick_port(grant)
        elif asked != before.get("healthCheckNodePort"):
            self._hold_port(service, SPEC.child("healthCheckNodePort"), asked, grant)

    def _ip_address(self, address: str, service: Object) -> bytes:
        """The IPAddress that marks an address as taken, in the form in which it is stored."""
        metadata = service["metadata"]
        obj = {
            "metadata": {
                "name": _canonical(address),
                "uid": random.uid(self._random),
                "creationTimestamp": rfc3339(self._clock.now()),
                "labels": {
                    "ipaddress.kubernetes.io/ip-family": families.family_of(address),
                    "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
                },
            },
            "spec": {
                "parentRef": {
                    "group": "",
                    "resource": "services",
                    "namespace": metadata.get("namespace", ""),
                    "name": metadata["name"],
                }
            },
        }
        return stored.encode(obj, "networking.k8s.io/v1", "IPAddress")

    def _range_changed(self, old: Object | None, new: Object | None) -> None:
        for each in (old, new):
            if each is not None:
                self._added.pop(each["metadata"]["name"], None)
        if new is not None and _gives_addresses(new):
            self._added[new["metadata"]["name"]] = new["spec"]["cidrs"]
        added = [cidr for name in sorted(self._added) for cidr in self._added[name]]
        for family, addresses in self.addresses.items():
            addresses.add(cidr for cidr in added if families.family_of(cidr) == family)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        """Take what the new state holds before giving back the old one's, so that nothing is free in between."""
        for pool, number in self._numbers(new):
            pool.take(number)
        for pool, number in self._numbers(old):
            pool.give_back(number)

    def _numbers(self, service: Object | None) -> Iterator[tuple[Pool, int]]:
        if service is None:
            return
        spec = service.get("spec", {})
        for address in _addresses(spec):
            # Whatever range it is from: that one may be told of later.
            family = families.family_of(address)
            number = number_of(address, family)
            if family in self.addresses and number is not None:
                yield self.addresses[family].pool, number
        for port in sorted(_node_ports(spec)):
            number = self.ports.number(port)
            if number is not None:
                yield self.ports.pool, number


def _gives_addresses(cidr: Object) -> bool:
    conditions = (cidr.get("status") or {}).get("conditions") or ()
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and not cidr["metadata"].get("deletionTimestamp")


def _hold_address(service: Object, addresses: Addresses, address: str, asked: list[str], grant: Grant) -> None:
    number = addresses.number(address)
    if number is None:
        raise _no_address(service, address, asked, "the provided network does not match the current range")
    if not addresses.pool.promise(number):
        raise _no_address(service, address, asked, "provided IP is already allocated")
    grant.hold(addresses.pool, number)


def _no_address(service: Object, address: str, asked: list[str], why: str) -> ApiError:
    error = field.invalid(SPEC.child("clusterIPs"), asked, f"failed to allocate IP {address}: {why}")
    return fields.invalid(service, [error])


def _address_key(address: str) -> str:
    return f"{_ADDRESS_PREFIX}{_canonical(address)}"


def _canonical(address: str) -> str:
    """As IPAddresses are named: a Service keeps the spelling in which it was asked for."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def _node_ports(spec: Spec) -> set[int]:
    ports = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
    return ports | {spec["healthCheckNodePort"]} if spec.get("healthCheckNodePort") else ports


def _port_key(port: int) -> str:
    return f"{_PORT_PREFIX}{port}"


def _mark_ports(service: Object, before: Spec, grant: Grant) -> None:
    """Put into the write's transaction which node ports it takes and gives back. Raises ApiError 422."""
    had, has = _node_ports(before), _node_ports(service["spec"])
    if len(had ^ has) > _PORTS_AT_ONCE:
        raise fields.invalid(service, [field.too_many(SPEC.child("ports"), len(has), _PORTS_AT_ONCE)])
    taken = [_port_key(port) for port in sorted(has - had)]
    grant.checks += [Check(key, 0) for key in taken]
    grant.writes += [Put(key, service["metadata"]["name"].encode()) for key in taken]
    grant.writes += [Delete(_port_key(port)) for port in sorted(had - has)]


def _of_other_protocol(spec: Spec, port: Object) -> int:
    """The node port that the same port has with another protocol: one number serves both."""
    same = [each for each in spec["ports"] if each["port"] == port["port"] and each.get("nodePort")]
    mine = port.get("protocol", "TCP")
    used = {each["nodePort"] for each in same if each.get("protocol", "TCP") == mine}
    return next((each["nodePort"] for each in same if each["nodePort"] not in used), 0)


def _is_service(row: Resource) -> bool:
    return row.kind == "Service" and row.group == ""


def _addresses(spec: Spec) -> list[str]:
    return [each for each in spec.get("clusterIPs") or () if each and each != fields.NONE]


def _used_up(why: str) -> ApiError:
    details: dict[str, Any] = {"causes": [{"message": why}]}
    return ApiError(500, "InternalError", f"Internal error occurred: {why}", details)
