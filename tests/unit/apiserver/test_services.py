"""Addresses and ports of Services: who gets what, and that nothing is given twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cybernetes.apiserver.registry import Registry
from cybernetes.apiserver.services import fields
from cybernetes.apiserver.services.allocator import Allocator, Grant
from cybernetes.apiserver.services.pools import Addresses, Pool, spans_of
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError
from cybernetes.base.random import SeededRandom
from cybernetes.store.api import Check, Delete, Put

Object = dict[str, Any]
found = Registry().find("", "v1", "services")
assert found is not None
ROW = found.resource


class Services:
    """A lister that only tells of services, and of ranges for them."""

    def __init__(self) -> None:
        self.tell: Callable[[Object | None, Object | None], None] = lambda old, new: None
        self.tell_range: Callable[[Object | None, Object | None], None] = lambda old, new: None

    def subscribe(self, group: str, plural: str, callback: Callable[[Object | None, Object | None], None]) -> None:
        if plural == "servicecidrs":
            self.tell_range = callback
        else:
            self.tell = callback

    def get(self, group: str, plural: str, namespace: str, name: str) -> Object | None:
        return None

    def list(self, group: str, plural: str, namespace: str | None = None) -> list[Object]:
        return []


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
def allocator(services: Services) -> Allocator:
    return Allocator(services, ("10.96.0.0/28",), (30000, 30003), SystemClock(), SeededRandom(1))


def service(name: str = "a", **spec: Any) -> Object:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"type": "ClusterIP", **spec}}


def give(allocator: Allocator, new: Object, old: Object | None = None, *, dry_run: bool = False) -> Grant:
    """As the write path does it; what it validates in between is tested elsewhere."""
    allocator.prepare(ROW, new, old)
    return allocator.allocate(ROW, new, old, dry_run=dry_run)


def test_a_service_gets_an_address_and_its_record_in_one_transaction(allocator: Allocator) -> None:
    obj = service()
    grant = give(allocator, obj)
    address = obj["spec"]["clusterIP"]
    assert obj["spec"]["clusterIPs"] == [address]
    assert obj["spec"]["ipFamilies"] == ["IPv4"]
    assert [check.key for check in grant.checks] == [f"/networking.k8s.io/ipaddresses/{address}"]
    assert b'"resource":"services"' in grant.writes[0].value  # type: ignore[union-attr]


def test_no_address_is_given_twice_while_writes_are_in_flight(allocator: Allocator) -> None:
    given = []
    for n in range(14):
        obj = service(f"s-{n}")
        give(allocator, obj)
        given.append(obj["spec"]["clusterIP"])
    assert len(set(given)) == 14
    with pytest.raises(ApiError, match="range is full"):
        give(allocator, service("one-more"))


def test_a_failed_write_gives_back_what_it_had(allocator: Allocator) -> None:
    asked = service(clusterIP="10.96.0.7", clusterIPs=["10.96.0.7"])
    give(allocator, asked).fail()
    give(allocator, service("b", clusterIP="10.96.0.7"))
    with pytest.raises(ApiError, match="provided IP is already allocated"):
        give(allocator, service("c", clusterIP="10.96.0.7"))


def test_a_dry_run_keeps_nothing(allocator: Allocator) -> None:
    for _ in range(40):
        give(allocator, service(), dry_run=True)


def test_deleted_services_free_their_address(allocator: Allocator, services: Services) -> None:
    obj = service(clusterIP="10.96.0.7")
    give(allocator, obj)
    services.tell(None, obj)
    with pytest.raises(ApiError, match="already allocated"):
        give(allocator, service("b", clusterIP="10.96.0.7"))
    services.tell(obj, None)
    give(allocator, service("b", clusterIP="10.96.0.7"))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"clusterIP": "192.168.0.1"}, "the provided network does not match the current range"),
        ({"ipFamilyPolicy": "RequireDualStack"}, "this cluster is not configured for dual-stack services"),
        ({"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]}, "The range of valid ports is 30000-30003"),
    ],
)
def test_what_cannot_be_given_is_invalid(allocator: Allocator, spec: Object, message: str) -> None:
    with pytest.raises(ApiError, match=message) as refused:
        give(allocator, service(**spec))
    assert refused.value.code == 422


def test_node_ports_are_unique_and_shared_between_protocols(allocator: Allocator) -> None:
    ports = [{"port": 53, "protocol": "UDP", "name": "dns"}, {"port": 53, "protocol": "TCP", "name": "dns-tcp"}]
    obj = service(type="NodePort", ports=ports)
    give(allocator, obj)
    assert obj["spec"]["ports"][0]["nodePort"] == obj["spec"]["ports"][1]["nodePort"]
    other = service("b", type="NodePort", ports=[{"port": 80, "protocol": "TCP"}])
    give(allocator, other)
    assert other["spec"]["ports"][0]["nodePort"] != obj["spec"]["ports"][0]["nodePort"]


def test_node_ports_are_marked_in_the_writes_own_transaction(allocator: Allocator) -> None:
    ports = [{"port": 80, "protocol": "TCP", "nodePort": 30001}, {"port": 81, "protocol": "TCP", "nodePort": 30002}]
    old = service(type="NodePort", clusterIP="10.96.0.7", clusterIPs=["10.96.0.7"], ports=ports)
    new = service(type="NodePort", clusterIP="10.96.0.7", clusterIPs=["10.96.0.7"], ports=[{**ports[0]}])
    new["spec"]["ports"].append({"port": 82, "protocol": "TCP", "nodePort": 30003})
    grant = give(allocator, new, old)
    assert grant.checks == [Check("/nodeports/30003", 0)]
    assert grant.writes == [Put("/nodeports/30003", b"a"), Delete("/nodeports/30002")]
    assert {write.key for write in allocator.freed(ROW, new)} >= {"/nodeports/30001", "/nodeports/30003"}


def test_headless_services_get_no_address(allocator: Allocator) -> None:
    obj = service(clusterIP="None", clusterIPs=["None"], selector={"a": "b"})
    grant = give(allocator, obj)
    assert not grant.writes
    assert obj["spec"]["ipFamilyPolicy"] == "SingleStack"


def test_repeating_a_manifest_keeps_what_was_allocated(allocator: Allocator) -> None:
    ports = [{"port": 80, "name": "http"}]
    old = service(type="NodePort", clusterIP="10.96.0.7", clusterIPs=["10.96.0.7"])
    old["spec"]["ports"] = [{"port": 80, "name": "http", "nodePort": 30001}]
    new = service(type="NodePort", ports=ports)
    allocator.prepare(ROW, new, old)
    assert new["spec"]["clusterIP"] == "10.96.0.7"
    assert new["spec"]["ports"][0]["nodePort"] == 30001


def test_a_change_of_type_drops_what_only_the_former_type_had(allocator: Allocator) -> None:
    old = service(type="NodePort", clusterIP="10.96.0.7", clusterIPs=["10.96.0.7"], externalTrafficPolicy="Cluster")
    old["spec"]["ports"] = [{"port": 80, "nodePort": 30001}]
    new = {**old, "spec": {**old["spec"], "type": "ExternalName", "externalName": "x.test"}}
    new["spec"]["ports"] = [dict(old["spec"]["ports"][0])]
    fields.drop_of_former_type(new["spec"], old["spec"])
    assert new["spec"] == {"type": "ExternalName", "externalName": "x.test", "ports": [{"port": 80}]}
    grant = give(allocator, new, old)
    assert [write.key for write in grant.writes] == ["/networking.k8s.io/ipaddresses/10.96.0.7", "/nodeports/30001"]


def test_picks_leave_the_first_part_to_those_who_ask() -> None:
    pool, random = Pool(spans_of(0, 100, 20)), SeededRandom(3)
    assert all((pool.pick(random) or 0) >= 20 for _ in range(80))
    assert (pool.pick(random) or 0) < 20


def test_the_edges_of_a_range_are_never_given() -> None:
    addresses = Addresses("10.96.0.0/29")
    given = [n for n in range(8) if addresses.number(f"10.96.0.{n}") is not None]
    assert given == [1, 2, 3, 4, 5, 6]
    assert addresses.text(addresses.number("10.96.0.1") or 0) == "10.96.0.1"


def cidr(*cidrs: str, ready: bool = True, **metadata: str) -> Object:
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {
        "metadata": {"name": "more", **metadata},
        "spec": {"cidrs": list(cidrs)},
        "status": {"conditions": [condition]},
    }


def test_a_range_of_a_service_cidr_gives_addresses_while_it_is_ready(allocator: Allocator, services: Services) -> None:
    def given(address: str) -> bool:
        try:
            give(allocator, service(clusterIP=address)).fail()
        except ApiError as error:
            assert "does not match the current range" in error.message
            return False
        return True

    more = cidr("192.168.7.0/24", "fd00::/112")
    assert not given("192.168.7.5")
    services.tell_range(None, cidr(ready=False))
    assert not given("192.168.7.5")
    services.tell_range(None, more)
    assert given("192.168.7.5")
    assert not given("192.168.7.255")
    services.tell_range(more, cidr("192.168.7.0/24", deletionTimestamp="2026-01-01T00:00:00Z"))
    assert not given("192.168.7.5")
    services.tell_range(more, None)
    assert given("10.96.0.5")


def test_when_a_range_is_full_addresses_come_from_the_next(allocator: Allocator, services: Services) -> None:
    services.tell(None, service("before", clusterIPs=["192.168.7.1"]))
    services.tell_range(None, cidr("192.168.7.0/30"))
    addresses = []
    for n in range(15):
        obj = service(f"s-{n}")
        give(allocator, obj)
        addresses.append(obj["spec"]["clusterIP"])
    assert [each for each in addresses if each.startswith("192.168.7.")] == ["192.168.7.2"]
    with pytest.raises(ApiError, match="range is full"):
        give(allocator, service("one-more"))
