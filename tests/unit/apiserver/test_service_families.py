"""Services of one address family and of two: what follows from what the client says, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cybernetes.apiserver.registry import Registry
from cybernetes.apiserver.services import families
from cybernetes.apiserver.services.allocator import Allocator
from cybernetes.apiserver.services.pools import Addresses
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError
from cybernetes.base.random import SeededRandom
from cybernetes.model.validation.services import validate_service_update
from cybernetes.store.api import Delete, Put

Object = dict[str, Any]
found = Registry().find("", "v1", "services")
assert found is not None
ROW = found.resource
DUAL = ("IPv4", "IPv6")
BARE = {"clusterIP": "None", "clusterIPs": ["None"]}
HEADLESS = {**BARE, "selector": {"app": "a"}}


def service(**spec: Any) -> Object:
    return {"metadata": {"name": "a", "namespace": "shop"}, "spec": {"type": "ClusterIP", **spec}}


class Silent:
    """A lister that tells of nothing."""

    def subscribe(self, group: str, plural: str, callback: Any) -> None: ...


@pytest.fixture
def allocator() -> Allocator:
    ranges = ("10.96.0.0/24", "fd00:10:96::/112")
    return Allocator(Silent(), ranges, (30000, 30010), SystemClock(), SeededRandom(1))  # type: ignore[arg-type]


def decided(spec: Object, old: Object | None = None, configured: tuple[str, ...] = DUAL) -> tuple[str, list[str]]:
    new = service(**spec)
    families.decide(new, old, configured)
    return new["spec"]["ipFamilyPolicy"], new["spec"]["ipFamilies"]


@pytest.mark.parametrize(
    ("spec", "configured", "policy", "expected"),
    [
        ({}, ("IPv4",), "SingleStack", ["IPv4"]),
        ({}, ("IPv6",), "SingleStack", ["IPv6"]),
        ({}, DUAL, "SingleStack", ["IPv4"]),
        ({}, ("IPv6", "IPv4"), "SingleStack", ["IPv6"]),
        ({"ipFamilies": ["IPv6"]}, DUAL, "SingleStack", ["IPv6"]),
        ({"ipFamilyPolicy": "PreferDualStack"}, ("IPv4",), "PreferDualStack", ["IPv4"]),
        ({"ipFamilyPolicy": "PreferDualStack"}, DUAL, "PreferDualStack", ["IPv4", "IPv6"]),
        ({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"]}, DUAL, "RequireDualStack", ["IPv6", "IPv4"]),
        ({"clusterIP": "fd00::1", "clusterIPs": ["fd00::1"]}, DUAL, "SingleStack", ["IPv6"]),
        (HEADLESS, DUAL, "SingleStack", ["IPv4"]),
        (BARE, ("IPv4",), "RequireDualStack", ["IPv4", "IPv6"]),
        (BARE, DUAL, "RequireDualStack", ["IPv4", "IPv6"]),
        ({**BARE, "ipFamilies": ["IPv6"]}, ("IPv4",), "RequireDualStack", ["IPv6", "IPv4"]),
        ({**BARE, "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"]}, ("IPv4",), "SingleStack", ["IPv6"]),
    ],
)
def test_what_is_left_open_follows_from_the_rest(
    spec: Object, configured: tuple[str, ...], policy: str, expected: list[str]
) -> None:
    assert decided(spec, None, configured) == (policy, expected)


TWO = {"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "fd00:10:96::7"]}
HAS_TWO = {**TWO, "type": "ClusterIP", "ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]}
ONE = {"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"]}


@pytest.mark.parametrize(
    ("spec", "old", "configured", "message"),
    [
        ({"ipFamilyPolicy": "RequireDualStack"}, None, ("IPv4",), "this cluster is not configured for dual-stack"),
        ({"ipFamilies": ["IPv6"]}, None, ("IPv4",), r'spec.ipFamilies\[0\]: Invalid value: "IPv6": not configured on'),
        (
            {"ipFamilies": ["IPv4", "IPv6"]},
            None,
            DUAL,
            "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
        ),
        (TWO, None, DUAL, "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified"),
        (
            {"clusterIP": "fd00::1", "clusterIPs": ["fd00::1"]},
            None,
            ("IPv4",),
            r'spec.clusterIPs\[0\]: Invalid value: \["fd00::1"\]: IPv6 is not configured on this cluster',
        ),
        (
            {**ONE, "ipFamilies": ["IPv6"]},
            None,
            DUAL,
            r"expected an IPv6 value as indicated by `ipFamilies\[0\]`",
        ),
        (ONE, HAS_TWO, DUAL, "must be 'SingleStack' to release the secondary cluster IP"),
        ({**TWO, "ipFamilies": ["IPv4"]}, HAS_TWO, DUAL, "must be 'SingleStack' to release the secondary IP family"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    spec: Object, old: Object | None, configured: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ApiError, match=message) as refused:
        decided(spec, old, configured)
    assert refused.value.code == 422


def give(allocator: Allocator, new: Object, old: Object | None = None) -> list[Put | Delete]:
    allocator.prepare(ROW, new, old)
    if old is not None:
        assert validate_service_update(new, old) == []
    return allocator.allocate(ROW, new, old, dry_run=False).writes


def stored(allocator: Allocator, **spec: Any) -> Object:
    new = service(
        sessionAffinity="None",
        internalTrafficPolicy="Cluster",
        ports=[{"port": 80, "targetPort": 80, "protocol": "TCP"}],
        **spec,
    )
    give(allocator, new)
    return new


def changed(old: Object, **spec: Any) -> Object:
    new = copy.deepcopy(old)
    new["spec"].update(spec)
    return new


def test_both_addresses_come_with_their_records_in_the_order_of_the_families(allocator: Allocator) -> None:
    obj = service(ipFamilyPolicy="RequireDualStack", ipFamilies=["IPv6", "IPv4"])
    writes = give(allocator, obj)
    six, four = obj["spec"]["clusterIPs"]
    assert obj["spec"]["clusterIP"] == six
    assert allocator.addresses["IPv6"].number(six) is not None
    assert allocator.addresses["IPv4"].number(four) is not None
    assert [write.key.rpartition("/")[2] for write in writes] == [six, four]
    assert [b'ip-family":"IPv6"' in writes[0].value, b'ip-family":"IPv4"' in writes[1].value] == [True, True]  # type: ignore[union-attr]


def test_a_node_port_is_one_for_both_families(allocator: Allocator) -> None:
    obj = stored(allocator, ipFamilyPolicy="PreferDualStack")
    new = changed(obj, type="NodePort", externalTrafficPolicy="Cluster")
    keys = [write.key for write in give(allocator, new, obj)]
    assert keys == [f"/nodeports/{new['spec']['ports'][0]['nodePort']}"]


def test_a_service_gets_its_second_address_by_its_policy_and_gives_it_back(allocator: Allocator) -> None:
    old = stored(allocator)
    dual = changed(old, ipFamilyPolicy="PreferDualStack")
    (put,) = give(allocator, dual, old)
    assert dual["spec"]["clusterIPs"][0] == old["spec"]["clusterIP"]
    assert put.key == f"/networking.k8s.io/ipaddresses/{dual['spec']['clusterIPs'][1]}"
    single = changed(dual, ipFamilyPolicy="SingleStack")
    assert give(allocator, single, dual) == [Delete(put.key)]
    assert single["spec"]["clusterIPs"] == old["spec"]["clusterIPs"]
    assert single["spec"]["ipFamilies"] == ["IPv4"]


def test_a_second_address_may_be_asked_for(allocator: Allocator) -> None:
    old = stored(allocator)
    wanted = [old["spec"]["clusterIP"], "FD00:10:96::0:7"]
    dual = changed(old, ipFamilyPolicy="RequireDualStack", clusterIPs=wanted)
    (put,) = give(allocator, dual, old)
    assert put.key == "/networking.k8s.io/ipaddresses/fd00:10:96::7"
    assert dual["spec"]["clusterIPs"] == wanted
    assert [write.key for write in allocator.freed(ROW, dual)][1] == put.key
    other = service(ipFamilyPolicy="RequireDualStack", ipFamilies=["IPv6", "IPv4"], clusterIP="fd00:10:96::7")
    with pytest.raises(ApiError, match=r'\["fd00:10:96::7",""\]: failed to allocate IP fd00:10:96::7: provided IP is'):
        give(allocator, other)


def test_a_failed_write_gives_back_both_addresses(allocator: Allocator) -> None:
    asked = {**TWO, "ipFamilyPolicy": "RequireDualStack"}
    for _ in range(2):
        new = service(**copy.deepcopy(asked))
        allocator.prepare(ROW, new, None)
        allocator.allocate(ROW, new, None, dry_run=False).fail()
    half = service(**{**asked, "clusterIPs": ["10.96.0.7", "fd00:10:97::7"]})
    with pytest.raises(ApiError, match="does not match the current range"):
        give(allocator, half)
    assert give(allocator, service(**copy.deepcopy(asked)))


def test_an_external_name_gives_both_back_and_gets_new_ones_when_it_ends(allocator: Allocator) -> None:
    old = stored(allocator, ipFamilyPolicy="RequireDualStack")
    name = changed(old, type="ExternalName", externalName="x.test")
    freed = give(allocator, name, old)
    assert [write.key.rpartition("/")[2] for write in freed] == old["spec"]["clusterIPs"]
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & set(name["spec"])
    again = changed(name, type="ClusterIP", ipFamilyPolicy="RequireDualStack", internalTrafficPolicy="Cluster")
    assert len(give(allocator, again, name)) == 2


def test_repeating_a_manifest_changes_nothing(allocator: Allocator) -> None:
    old = stored(allocator, ipFamilyPolicy="PreferDualStack")
    new = changed(old)
    for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        del new["spec"][name]
    assert give(allocator, new, old) == []
    assert new == old


def test_a_preference_stays_as_it_is_when_the_cluster_gets_a_second_family(allocator: Allocator) -> None:
    old = stored(allocator, ipFamilyPolicy="SingleStack")
    old["spec"]["ipFamilyPolicy"] = "PreferDualStack"
    new = changed(old, selector={"app": "b"})
    assert give(allocator, new, old) == []
    assert new["spec"]["ipFamilies"] == ["IPv4"]


def test_headless_services_may_change_their_families(allocator: Allocator) -> None:
    old = stored(allocator, **HEADLESS)
    new = changed(old, ipFamilies=["IPv6"])
    assert give(allocator, new, old) == []
    assert new["spec"]["ipFamilies"] == ["IPv6"]


def test_addresses_beyond_those_that_are_picked_may_be_asked_for() -> None:
    addresses = Addresses("fd00:10:96::/64")
    number = addresses.number("fd00:10:96::1:2:3:4")
    assert number is not None
    assert addresses.pool.promise(number)
    assert not addresses.pool.promise(number)
    assert addresses.text(number) == "fd00:10:96:0:1:2:3:4"
    assert addresses.number("fd00:10:96::") is None
