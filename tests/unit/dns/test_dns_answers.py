"""Names of the cluster and what they stand for."""

from __future__ import annotations

import pytest

from cybernetes.dns.answer import Answer, Domain, Record, answer, turned
from cybernetes.dns.objects import Endpoint, Port, Service, Slice, endpoint_slice, service
from cybernetes.dns.zone import Zone

DOMAIN = Domain("cluster.local", "10.96.0.10", ("10.96.0.0/12", "10.244.0.0/16"))
HTTP = Port("http", "tcp", 80)
WEB = Service("shop", "web", ("10.96.0.5", "fd00::5"), (HTTP, Port("dns", "udp", 53)))
DB = Service("shop", "db", (), (Port("sql", "tcp", 5432),))
DB_SLICE = Slice(
    "shop/db",
    (Port("sql", "tcp", 15432),),
    (Endpoint("10.244.1.7", "db-0"), Endpoint("10.244.2.9", "db-1"), Endpoint("10.244.2.10")),
)


@pytest.fixture
def zone() -> Zone:
    made = Zone()
    for each in (
        WEB,
        DB,
        Service("shop", "empty"),
        Service("shop", "away", external="www.example.com"),
        Service("shop", "alias", external="web.shop.svc.cluster.local"),
    ):
        made.reduce_service(f"{each.namespace}/{each.name}", None, each)
    made.reduce_slice("shop/db-1", None, DB_SLICE)
    return made


def ask(zone: Zone, name: str, kind: str = "A") -> list[str]:
    found = answer(zone, DOMAIN, name, kind)
    assert found.exists, f"{name} does not exist"
    return [each.data for each in found.records]


def test_a_service_has_its_cluster_addresses(zone: Zone) -> None:
    assert ask(zone, "web.shop.svc.cluster.local") == ["10.96.0.5"]
    assert ask(zone, "web.shop.svc.cluster.local", "AAAA") == ["fd00::5"]
    assert ask(zone, "web.shop.svc.cluster.local", "TXT") == []


def test_a_headless_service_has_the_addresses_of_its_endpoints(zone: Zone) -> None:
    assert ask(zone, "db.shop.svc.cluster.local") == ["10.244.1.7", "10.244.2.9", "10.244.2.10"]
    assert ask(zone, "db.shop.svc.cluster.local", "AAAA") == []


def test_addresses_are_told_in_turns() -> None:
    def told(count: int, turn: int) -> list[str]:
        alias = Record("a", "CNAME", "b.")
        addresses = [Record("b", "A", f"10.0.0.{n}") for n in range(count)]
        found = turned(Answer((alias, *addresses)), turn)
        assert found.records[0] == alias and sorted(found.records[1:]) == sorted(addresses)
        return [each.data.removeprefix("10.0.0.") for each in found.records[1:]]

    assert [told(3, turn)[0] for turn in range(4)] == ["0", "1", "2", "0"]
    assert [told(16, turn)[0] for turn in range(8)] == ["0", "2", "4", "6", "8", "10", "12", "14"]
    assert (told(0, 5), told(1, 5)) == ([], ["0"])


def test_endpoints_have_names_by_host_name_or_address(zone: Zone) -> None:
    assert ask(zone, "db-0.db.shop.svc.cluster.local") == ["10.244.1.7"]
    assert ask(zone, "10-244-2-10.db.shop.svc.cluster.local") == ["10.244.2.10"]
    assert not answer(zone, DOMAIN, "db-9.db.shop.svc.cluster.local", "A").exists
    assert not answer(zone, DOMAIN, "10-96-0-5.web.shop.svc.cluster.local", "A").exists


def test_named_ports_have_srv_records(zone: Zone) -> None:
    found = answer(zone, DOMAIN, "_http._tcp.web.shop.svc.cluster.local", "SRV")
    assert [each.data for each in found.records] == ["0 100 80 web.shop.svc.cluster.local."]
    assert Record("web.shop.svc.cluster.local", "A", "10.96.0.5") in found.additional
    headless = answer(zone, DOMAIN, "_sql._tcp.db.shop.svc.cluster.local", "SRV")
    assert [each.data for each in headless.records] == [
        "0 33 15432 db-0.db.shop.svc.cluster.local.",
        "0 33 15432 db-1.db.shop.svc.cluster.local.",
        "0 33 15432 10-244-2-10.db.shop.svc.cluster.local.",
    ]
    assert not answer(zone, DOMAIN, "_https._tcp.web.shop.svc.cluster.local", "SRV").exists
    assert ask(zone, "_http._tcp.web.shop.svc.cluster.local", "A") == []


def test_an_external_name_is_an_alias(zone: Zone) -> None:
    found = answer(zone, DOMAIN, "away.shop.svc.cluster.local", "A")
    assert [(each.type, each.data) for each in found.records] == [("CNAME", "www.example.com.")]
    assert found.alias == "www.example.com"
    assert answer(zone, DOMAIN, "away.shop.svc.cluster.local", "CNAME").alias == ""
    inside = answer(zone, DOMAIN, "alias.shop.svc.cluster.local", "A")
    assert [(each.type, each.data) for each in inside.records] == [
        ("CNAME", "web.shop.svc.cluster.local."),
        ("A", "10.96.0.5"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "nowhere.shop.svc.cluster.local",
        "web.other.svc.cluster.local",
        "other.svc.cluster.local",
        "empty.shop.svc.cluster.local",
        "a.b.c.web.shop.svc.cluster.local",
        "web.shop.cluster.local",
        "x.y.shop.pod.cluster.local",
        "nonsense.shop.pod.cluster.local",
    ],
)
def test_names_that_do_not_exist(zone: Zone, name: str) -> None:
    assert answer(zone, DOMAIN, name, "A") == Answer(exists=False)


@pytest.mark.parametrize(
    "name",
    [
        "cluster.local",
        "svc.cluster.local",
        "pod.cluster.local",
        "shop.svc.cluster.local",
        "dns.cluster.local",
        "_tcp.web.shop.svc.cluster.local",
    ],
)
def test_names_that_exist_only_because_of_names_below(zone: Zone, name: str) -> None:
    assert answer(zone, DOMAIN, name, "A") == Answer()


def test_a_pod_s_address_is_in_its_name(zone: Zone) -> None:
    assert ask(zone, "10-244-1-7.shop.pod.cluster.local") == ["10.244.1.7"]
    assert ask(zone, "fd01--7.shop.pod.cluster.local", "AAAA") == ["fd01::7"]


def test_addresses_have_names(zone: Zone) -> None:
    assert ask(zone, "5.0.96.10.in-addr.arpa", "PTR") == ["web.shop.svc.cluster.local."]
    assert ask(zone, "7.1.244.10.in-addr.arpa", "PTR") == ["db-0.db.shop.svc.cluster.local."]
    six = "5." + "0." * 27 + "0.0.d.f.ip6.arpa"
    assert ask(zone, six, "PTR") == ["web.shop.svc.cluster.local."]
    assert not answer(zone, DOMAIN, "9.9.244.10.in-addr.arpa", "PTR").exists


def test_which_names_are_answered_here() -> None:
    assert DOMAIN.holds("web.shop.svc.cluster.local")
    assert DOMAIN.holds("9.9.244.10.in-addr.arpa")
    assert not DOMAIN.holds("8.8.8.8.in-addr.arpa")
    assert not DOMAIN.holds("notcluster.local")
    assert not DOMAIN.holds("web.shop.svc.cluster.local.example.com")


def test_the_schema_s_version_and_the_zone_s_name_server(zone: Zone) -> None:
    assert ask(zone, "dns-version.cluster.local", "TXT") == ['"1.1.0"']
    assert ask(zone, "cluster.local", "NS") == ["ns.dns.cluster.local."]
    assert ask(zone, "ns.dns.cluster.local") == ["10.96.0.10"]


def test_a_zone_forgets_what_is_gone(zone: Zone) -> None:
    zone.reduce_slice("shop/db-1", DB_SLICE, Slice("shop/db", DB_SLICE.ports, DB_SLICE.endpoints[:1]))
    assert ask(zone, "db.shop.svc.cluster.local") == ["10.244.1.7"]
    assert not answer(zone, DOMAIN, "9.2.244.10.in-addr.arpa", "PTR").exists
    for key in list(zone.services):
        zone.reduce_service(key, zone.services[key], None)
    assert not answer(zone, DOMAIN, "shop.svc.cluster.local", "A").exists


def test_an_endpoint_in_two_slices_keeps_its_name_when_one_goes(zone: Zone) -> None:
    twin = Slice("shop/db", DB_SLICE.ports, DB_SLICE.endpoints[:1])
    zone.reduce_slice("shop/db-2", None, twin)
    zone.reduce_slice("shop/db-1", DB_SLICE, None)
    assert ask(zone, "7.1.244.10.in-addr.arpa", "PTR") == ["db-0.db.shop.svc.cluster.local."]


def test_objects_are_read() -> None:
    body = b'{"metadata":{"name":"web","namespace":"shop"},"spec":{"clusterIP":"10.96.0.5","ports":[{"name":"http","port":80,"protocol":"TCP"}]}}'
    assert service(body) == Service("shop", "web", ("10.96.0.5",), (HTTP,))
    headless = b'{"metadata":{"name":"db","namespace":"shop"},"spec":{"clusterIP":"None","clusterIPs":["None"]}}'
    assert service(headless).headless
    sliced = (
        b'{"metadata":{"name":"x","namespace":"shop","labels":{"kubernetes.io/service-name":"db"}},"addressType":"IPv4",'
        b'"ports":[{"name":"sql","port":1,"protocol":"TCP"}],"endpoints":['
        b'{"addresses":["10.244.1.7"],"hostname":"db-0","conditions":{"ready":true}},'
        b'{"addresses":["10.244.1.8"],"conditions":{"ready":false}},{"addresses":["10.244.1.9"]}]}'
    )
    assert endpoint_slice(sliced) == Slice(
        "shop/db", (Port("sql", "tcp", 1),), (Endpoint("10.244.1.7", "db-0"), Endpoint("10.244.1.9"))
    )
