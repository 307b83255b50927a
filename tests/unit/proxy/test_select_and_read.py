"""Which endpoints count, and what is read of the API's objects."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from cybernetes.base.clock import SystemClock
from cybernetes.proxy import decode
from cybernetes.proxy.config import ProxyConfig
from cybernetes.proxy.conntrack import Flow, limits, raise_limits, stale
from cybernetes.proxy.health import Health
from cybernetes.proxy.objects import Endpoint, NodeFacts, Service, ServicePort, Slice, pack
from cybernetes.proxy.select import Selected, select
from cybernetes.proxy.state import PortView, State
from cybernetes.wire.http.message import Request

A, B, C = (pack(f"10.244.0.{n}") for n in (1, 2, 3))


def endpoint(address: bytes, node: str = "far", **further: object) -> Endpoint:
    given: dict[str, object] = {"ready": True, "serving": True, "terminating": False, "node": node}
    return Endpoint(address, **{**given, **further})  # type: ignore[arg-type]


def chosen(*endpoints: Endpoint, zone: str = "") -> tuple[list[bytes], list[bytes]]:
    found = select([(each, 80) for each in endpoints], "here", zone)
    return [each[:-2] for each in found.cluster], [each[:-2] for each in found.local]


ENDING = {"ready": False, "serving": True, "terminating": True}
GONE = {"ready": False, "serving": False, "terminating": True}


@pytest.mark.parametrize(
    ("endpoints", "cluster", "local"),
    [
        ([endpoint(A), endpoint(B, "here")], [A, B], [B]),
        ([endpoint(B), endpoint(A), endpoint(A)], [A, B], []),
        ([endpoint(A, ready=False), endpoint(B)], [B], []),
        ([endpoint(A, **ENDING), endpoint(B)], [B], []),
        ([endpoint(A, **ENDING), endpoint(B, **GONE)], [A], []),
        ([endpoint(A, "here", **ENDING), endpoint(B)], [B], [A]),
        ([endpoint(A, "here", **ENDING), endpoint(B, "here")], [B], [B]),
        ([endpoint(A, **GONE)], [], []),
    ],
)
def test_ready_endpoints_count_and_ending_ones_only_without_any(
    endpoints: list[Endpoint], cluster: list[bytes], local: list[bytes]
) -> None:
    assert chosen(*endpoints) == (cluster, local)


def test_hints_count_when_all_ready_endpoints_have_them_and_one_means_this_node() -> None:
    near = endpoint(A, nodes=("here",), zones=("z1",))
    far = endpoint(B, nodes=("far",), zones=("z2",))
    assert chosen(near, far)[0] == [A]
    assert chosen(near, far, endpoint(C))[0] == [A, B, C]
    assert chosen(far, zone="z2")[0] == [B]
    assert chosen(endpoint(A, zones=("z1",)), endpoint(B, zones=("z2",)), zone="z1")[0] == [A]
    assert chosen(endpoint(A, zones=("z1",)), endpoint(B, zones=("z2",)), zone="z3")[0] == [A, B]
    assert chosen(endpoint(A, zones=("z1",)), endpoint(B, zones=("z2",)))[0] == [A, B]


def test_hints_do_not_narrow_local_endpoints() -> None:
    hinted = endpoint(A, "here", zones=("z2",))
    assert chosen(hinted, endpoint(B, zones=("z1",)), zone="z1") == ([B], [A])


def body(**spec: object) -> bytes:
    return orjson.dumps({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec})


def test_a_service_is_read() -> None:
    read = decode.service(
        orjson.dumps(
            {
                "metadata": {"name": "web", "namespace": "shop"},
                "spec": {
                    "type": "LoadBalancer",
                    "clusterIP": "10.96.0.5",
                    "clusterIPs": ["10.96.0.5", "fd00::5"],
                    "externalIPs": ["192.0.2.1"],
                    "externalTrafficPolicy": "Local",
                    "internalTrafficPolicy": "Cluster",
                    "healthCheckNodePort": 31000,
                    "sessionAffinity": "ClientIP",
                    "loadBalancerSourceRanges": ["10.0.0.0/8", " 192.0.2.0/24"],
                    "ports": [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": 30080}],
                },
                "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}, {"ip": "192.0.2.8", "ipMode": "Proxy"}]}},
            }
        )
    )
    assert read == Service(
        key="shop/web",
        cluster_ips=(pack("10.96.0.5"), pack("fd00::5")),
        ports=(ServicePort("http", 6, 80, 30080),),
        external_ips=(pack("192.0.2.1"),),
        ingress_ips=(pack("192.0.2.9"),),
        source_ranges=("10.0.0.0/8", "192.0.2.0/24"),
        affinity_s=10800,
        external_local=True,
        health_port=31000,
    )


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "ExternalName", "externalName": "example.com"},
        {"clusterIP": "None"},
        {"clusterIP": ""},
    ],
)
def test_services_that_packets_never_go_to_have_no_addresses(spec: dict[str, object]) -> None:
    assert decode.service(body(**spec)).cluster_ips == ()


def test_absent_conditions_mean_the_obvious() -> None:
    sliced = {
        "metadata": {"name": "x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "any"}],
        "endpoints": [
            {"addresses": ["10.244.0.1"]},
            {"addresses": ["10.244.0.2"], "conditions": {"ready": False}},
            {"addresses": ["10.244.0.3"], "conditions": {"ready": False, "serving": True, "terminating": True}},
        ],
    }
    read = decode.endpoint_slice(orjson.dumps(sliced))
    assert read.ports == (("http", 6, 8080),)
    assert [(each.ready, each.serving, each.terminating) for each in read.endpoints] == [
        (True, True, False),
        (False, False, False),
        (False, True, True),
    ]


def test_what_is_no_address_is_left_out_and_the_rest_stays() -> None:
    read = decode.service(
        body(
            clusterIP="10.96.0.5",
            externalIPs=["010.0.0.1", "192.0.2.1"],
            loadBalancerSourceRanges=["10.0.0.0/8", "nonsense"],
            ports=[{"port": 80}],
        )
    )
    assert read.external_ips == (pack("192.0.2.1"),)
    assert read.source_ranges == ("10.0.0.0/8",)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255"])
def test_endpoints_that_mean_the_node_itself_are_left_out(address: str) -> None:
    sliced = {
        "metadata": {"name": "x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [{"addresses": [address]}, {"addresses": ["10.244.0.1"]}],
    }
    assert [each.address for each in decode.endpoint_slice(orjson.dumps(sliced)).endpoints] == [A]
    assert decode.is_of_one_host(pack("fe80::1"))
    assert decode.is_of_one_host(pack("::1"))
    assert not decode.is_of_one_host(pack("fd00::1"))


def view(*serving: bytes, **further: object) -> PortView:
    targets = tuple(each + (5353).to_bytes(2, "big") for each in serving)
    given: dict[str, object] = {
        "name": "shop/dns",
        "protocol": 17,
        "cluster_ip": pack("10.96.0.5"),
        "port": 53,
        "node_port": 30053,
        "selected": Selected(serving=targets),
    }
    return PortView(**{**given, **further})  # type: ignore[arg-type]


def flow(destination: str, port: int, answers_from: bytes) -> Flow:
    return Flow(pack(destination), port.to_bytes(2, "big"), answers_from + (5353).to_bytes(2, "big"), b"")


def test_udp_flows_to_endpoints_that_are_gone_are_stale() -> None:
    gone, kept = flow("10.96.0.5", 53, B), flow("10.96.0.5", 53, A)
    by_node_port, other = flow("10.0.0.1", 30053, B), flow("10.96.0.6", 53, B)
    assert stale([gone, kept, by_node_port, other], [view(A)]) == [gone, by_node_port]
    assert stale([gone], [view()]) == []
    assert stale([gone], [view(A, protocol=6)]) == []


def test_limits_are_raised_and_never_lowered(tmp_path: Path) -> None:
    for name, value in {**limits(8), "nf_conntrack_max": 1_000_000, "nf_conntrack_tcp_timeout_close_wait": 60}.items():
        (tmp_path / name).write_text(str(value))
    assert raise_limits(8, tmp_path) == []
    assert int((tmp_path / "nf_conntrack_max").read_text()) == 1_000_000
    assert int((tmp_path / "nf_conntrack_tcp_timeout_close_wait").read_text()) == 3600
    assert limits(8)["nf_conntrack_max"] == 262_144
    assert len(raise_limits(8, tmp_path / "nowhere")) == 3


def test_slices_of_names_and_slices_without_a_service_come_out_empty() -> None:
    labels = {"kubernetes.io/service-name": "web"}
    given = {"ports": [{"port": 80}], "endpoints": [{"addresses": ["10.244.0.1"]}]}
    metadata = {"name": "x", "namespace": "shop"}
    named = {**given, "metadata": {**metadata, "labels": labels}, "addressType": "FQDN"}
    assert decode.endpoint_slice(orjson.dumps(named)).endpoints == ()
    assert decode.endpoint_slice(orjson.dumps({**given, "metadata": metadata, "addressType": "IPv4"})).endpoints == ()


def test_a_view_has_the_addresses_and_ranges_of_its_family_and_a_name_with_the_port_s() -> None:
    state = State(NodeFacts("here"))
    given = Service(
        "shop/web",
        (pack("10.96.0.5"), pack("fd96::5")),
        (ServicePort("", 6, 80), ServicePort("tls", 6, 443)),
        external_ips=(pack("192.0.2.1"), pack("fd98::1")),
        ingress_ips=(pack("fd98::2"),),
        source_ranges=("10.0.0.0/8", "fd00::/8"),
    )
    state.reduce_service("shop/web", given)
    plain, tls = state.views("shop/web", 6)
    assert (plain.key, tls.key) == ("shop/web/TCP", "shop/web:tls/TCP")
    assert (plain.cluster_ip, plain.external_ips, plain.ingress_ips, plain.source_ranges) == (
        pack("fd96::5"),
        (pack("fd98::1"),),
        (pack("fd98::2"),),
        ("fd00::/8",),
    )
    assert state.views("shop/web", 4)[0].ingress_ips == ()


@pytest.mark.parametrize(
    ("metadata", "taints", "leaving"),
    [
        ({}, [], False),
        ({}, [{"key": "node.kubernetes.io/unreachable"}], False),
        ({}, [{"key": "ToBeDeletedByClusterAutoscaler"}], True),
        ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, [], True),
    ],
)
def test_the_own_node_is_read(metadata: dict[str, object], taints: list[object], leaving: bool) -> None:
    given = {
        "metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "z1"}, **metadata},
        "spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24", "fd77:1::/64"], "taints": taints},
        "status": {
            "addresses": [
                {"type": "Hostname", "address": "n1"},
                {"type": "InternalIP", "address": "10.0.0.1"},
                {"type": "InternalIP", "address": "fd02::1"},
            ]
        },
    }
    assert decode.node(orjson.dumps(given)) == NodeFacts(
        "n1", "z1", (pack("10.0.0.1"), pack("fd02::1")), ("10.244.1.0/24", "fd77:1::/64"), leaving
    )


class SetClock(SystemClock):
    at = 1000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


def test_health_of_the_proxy() -> None:
    async def run() -> None:
        clock = SetClock()
        health = Health(clock, ProxyConfig(node="n1", sync_period_s=30))
        good = await health.handle(Request("GET", "/healthz"))
        assert good.status == 200
        assert orjson.loads(bytes(good.body)) == {  # type: ignore[arg-type]
            "lastUpdated": "1970-01-01T00:16:40.000000000Z",
            "currentTime": "1970-01-01T00:16:40.000000000Z",
            "nodeEligible": True,
        }
        health.leaving = True
        assert (await health.handle(Request("GET", "/healthz"))).status == 503
        assert (await health.handle(Request("GET", "/livez"))).status == 200
        health.queued()
        clock.at += 61
        assert (await health.handle(Request("GET", "/livez"))).status == 503
        health.synced()
        assert (await health.handle(Request("GET", "/livez"))).status == 200
        assert (await health.handle(Request("GET", "/other"))).status == 404

    asyncio.run(run())


def test_health_of_a_service_on_this_node() -> None:
    async def run() -> None:
        health = Health(SetClock(), ProxyConfig(node="here"))
        state = State(NodeFacts("here"))
        service = Service(
            "ns/svc", (pack("10.96.0.5"),), (ServicePort("", 6, 80, 30080),), external_local=True, health_port=31000
        )
        state.reduce_service("ns/svc", service)
        state.reduce_slice("ns/x", None, Slice("ns/svc", 4, (("", 6, 8080),), (endpoint(A, "here"), endpoint(B))))
        health.set_services(state, (4,))
        good = health.answer_service(31000)
        assert good.status == 200
        assert ("X-Load-Balancing-Endpoint-Weight", "1") in good.headers
        assert good.body == (
            b'{\n\t"service": {\n\t\t"namespace": "ns",\n\t\t"name": "svc"\n\t},\n'
            b'\t"localEndpoints": 1,\n\t"serviceProxyHealthy": true\n}\n'
        )
        ending = endpoint(A, "here", **ENDING)
        state.reduce_slice("ns/x", None, Slice("ns/svc", 4, (("", 6, 8080),), (ending, endpoint(B))))
        health.change_services(state, ["ns/svc"], (4, 6))
        assert health.answer_service(31000).status == 503, "it answers still, but nothing new is to come"
        state.reduce_slice("ns/x", None, Slice("ns/svc", 4, (("", 6, 8080),), (endpoint(B),)))
        health.change_services(state, ["ns/svc"], (4, 6))
        assert health.answer_service(31000).status == 503
        state.reduce_service("ns/svc", None)
        health.change_services(state, ["ns/svc"], (4, 6))
        assert health.answer_service(31000).status == 404

    asyncio.run(run())


def test_metrics_and_mode() -> None:
    async def run() -> None:
        health = Health(SetClock(), ProxyConfig(node="n1"))
        health.observe(0.003)
        shown = await health.handle_metrics(Request("GET", "/metrics"))
        assert b'kubeproxy_sync_proxy_rules_duration_seconds_bucket{le="0.004"} 1' in bytes(shown.body)  # type: ignore[arg-type]
        assert (await health.handle_metrics(Request("GET", "/proxyMode"))).body == b"nftables"
        assert (await health.handle_metrics(Request("GET", "/configz"))).status == 200
        verbose = await health.handle_metrics(Request("GET", "/healthz", query={"verbose": [""]}))
        assert verbose.body == b"[+]ping ok\nhealthz check passed\n"
        counted = await health.handle_metrics(Request("GET", "/metrics/slis"))
        assert b'kubernetes_healthchecks_total{name="ping",status="success",type="healthz"} 1' in bytes(counted.body)  # type: ignore[arg-type]

    asyncio.run(run())
