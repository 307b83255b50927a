"""From API objects to rules, through the loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from list_watch import Api

from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient
from cybernetes.proxy.config import ProxyConfig
from cybernetes.proxy.dataplane import TableDataplane
from cybernetes.proxy.loop import Proxy
from cybernetes.proxy.objects import pack
from cybernetes.proxy.packets.fake import FakePackets
from cybernetes.proxy.packets.machine import Dropped, Fate, Landed, Machine, Packet, Rejected

NODE, CLIENT, VIP = pack("10.0.0.1"), pack("198.51.100.7"), pack("10.96.0.5")
NODE6, CLIENT6, VIP6 = pack("fd02::1"), pack("2001:db8::7"), pack("fd96::5")


def service(**spec: Any) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": 30080}]
    given = {"type": "NodePort", "clusterIP": "10.96.0.5", "clusterIPs": ["10.96.0.5"], "ports": ports}
    return {"metadata": {"name": "web", "namespace": "shop"}, "spec": {**given, **spec}}


def endpoint_slice(*addresses: str, name: str = "web-1") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [each], "conditions": {"ready": True}, "nodeName": "n1"} for each in addresses],
    }


def node(address: str = "10.0.0.1") -> dict[str, Any]:
    return {
        "metadata": {"name": "n1"},
        "spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"]},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    }


class NoFlows:
    async def clean(self, views: object) -> int:
        return 0


class Running:
    def __init__(self, api: Api, cluster_ranges: tuple[str, ...] = ()) -> None:
        self.api = api
        self.packets, self.packets6 = FakePackets(4), FakePackets(6)
        self.is_ready = asyncio.Event()
        client = ApiClient(api, user_agent="test", clock=SystemClock())
        config = ProxyConfig(
            node="n1",
            cluster_ranges=cluster_ranges,
            bind="127.0.0.1",
            health_port=0,
            metrics_port=0,
            sync_min_s=0.001,
            sync_period_s=0.1,
        )
        self.proxy = Proxy(
            client,
            [TableDataplane(self.packets), TableDataplane(self.packets6)],
            NoFlows(),
            SystemClock(),
            SeededRandom(1),
            config,
            ready=self.is_ready.set,
        )

    def fate(self, destination: bytes, port: int, source: bytes = b"") -> Fate:
        packets, outside = (self.packets6, CLIENT6) if len(destination) == 16 else (self.packets, CLIENT)
        source = source or outside
        return Machine(packets, frozenset((NODE, NODE6)), SeededRandom(1)).send(Packet(source, destination, 6, port))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def running(api: Api, cluster_ranges: tuple[str, ...] = ()) -> AsyncIterator[Running]:
    made = Running(api, cluster_ranges)
    task = asyncio.create_task(made.proxy.run())
    try:
        async with asyncio.timeout(60):
            await made.is_ready.wait()
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def api() -> Api:
    made = Api()
    made.put("nodes", node())
    made.put("services", service())
    made.put("endpointslices", endpoint_slice("10.244.1.2"))
    return made


def test_what_exists_at_the_start_is_installed_in_one_transaction(api: Api) -> None:
    async def run() -> None:
        async with running(api) as made:
            assert made.fate(VIP, 80) == Landed(pack("10.244.1.2"), 8080, True)
            assert made.fate(NODE, 30080) == Landed(pack("10.244.1.2"), 8080, True)
            assert made.packets.commits == 1

    asyncio.run(run())


def test_endpoints_services_and_ports_are_followed(api: Api) -> None:
    async def run() -> None:
        async with running(api) as made:
            api.put("endpointslices", endpoint_slice("10.244.1.3"))
            await made.until(lambda: made.fate(VIP, 80) == Landed(pack("10.244.1.3"), 8080, True))
            api.delete("endpointslices", "shop/web-1")
            await made.until(lambda: made.fate(VIP, 80) == Rejected())
            api.put("services", service(ports=[{"name": "https", "port": 443}]))
            await made.until(lambda: made.fate(NODE, 30080) == Landed(NODE, 30080, False))
            assert made.fate(VIP, 443) == Rejected()
            api.delete("services", "shop/web")
            await made.until(lambda: made.fate(VIP, 443) == Landed(VIP, 443, False))
            assert not made.packets.rows - {b"\x01" + NODE}

    asyncio.run(run())


def test_a_refused_transaction_is_repaired_from_a_dump(api: Api) -> None:
    async def run() -> None:
        async with running(api) as made:
            made.packets.refuse = 2
            api.put("endpointslices", endpoint_slice("10.244.1.3"))
            await made.until(lambda: made.fate(VIP, 80) == Landed(pack("10.244.1.3"), 8080, True))

    asyncio.run(run())


def test_rules_that_others_flushed_come_back(api: Api) -> None:
    async def run() -> None:
        async with running(api) as made:
            await made.packets.remove()
            assert made.fate(VIP, 80) == Landed(VIP, 80, False)
            await made.until(lambda: made.fate(VIP, 80) == Landed(pack("10.244.1.2"), 8080, True))

    asyncio.run(run())


def test_a_new_node_address_takes_node_port_traffic(api: Api) -> None:
    async def run() -> None:
        async with running(api) as made:
            api.put("nodes", node("10.0.0.2"))
            other = pack("10.0.0.2")
            await made.until(lambda: made.fate(other, 30080) == Landed(pack("10.244.1.2"), 8080, True))

    asyncio.run(run())


def test_a_headless_service_has_no_rules(api: Api) -> None:
    async def run() -> None:
        api.put("services", service(type="ClusterIP", clusterIP="None", clusterIPs=["None"]))
        async with running(api) as made:
            assert not made.packets.rows - {b"\x01" + NODE}

    asyncio.run(run())


def test_each_family_of_a_service_has_rules_and_endpoints_of_its_own(api: Api) -> None:
    async def run() -> None:
        addresses = [{"type": "InternalIP", "address": each} for each in ("10.0.0.1", "fd02::1")]
        api.put("nodes", {**node(), "status": {"addresses": addresses}})
        api.put("services", service(clusterIPs=["10.96.0.5", "fd96::5"]))
        six = endpoint_slice("fd77::2", name="web-2")
        api.put("endpointslices", {**six, "addressType": "IPv6"})
        async with running(api) as made:
            assert made.fate(VIP, 80) == Landed(pack("10.244.1.2"), 8080, True)
            assert made.fate(VIP6, 80) == Landed(pack("fd77::2"), 8080, False)
            assert made.fate(NODE6, 30080) == Landed(pack("fd77::2"), 8080, True)
            api.delete("endpointslices", "shop/web-2")
            await made.until(lambda: made.fate(VIP6, 80) == Rejected())
            assert made.fate(VIP, 80) == Landed(pack("10.244.1.2"), 8080, True)
            api.put("services", service())
            await made.until(lambda: made.fate(VIP6, 80) == Landed(VIP6, 80, False))

    asyncio.run(run())


def test_a_service_of_the_second_family_alone_has_no_rules_of_the_first(api: Api) -> None:
    async def run() -> None:
        api.put("services", service(clusterIP="fd96::5", clusterIPs=["fd96::5"]))
        async with running(api) as made:
            assert made.fate(VIP, 80) == Landed(VIP, 80, False)
            assert made.fate(VIP6, 80) == Rejected()

    asyncio.run(run())


def test_services_of_other_proxies_and_headless_ones_are_not_asked_for(api: Api) -> None:
    async def run() -> None:
        async with running(api):
            chosen = "!service.kubernetes.io/service-proxy-name,!service.kubernetes.io/headless"
            assert api.selections["services"] == (chosen, "")
            assert api.selections["endpointslices"] == (chosen, "")
            assert api.selections["nodes"] == ("", "metadata.name=n1")

    asyncio.run(run())


def test_under_policy_local_pods_of_this_node_get_anywhere_and_those_of_others_are_outsiders(api: Api) -> None:
    async def run() -> None:
        far = endpoint_slice("10.244.2.2")
        far["endpoints"][0]["nodeName"] = "n2"
        api.put("services", service(externalTrafficPolicy="Local"))
        api.put("endpointslices", far)
        async with running(api, ("10.244.0.0/16",)) as made:
            assert made.fate(NODE, 30080, pack("10.244.1.9")) == Landed(pack("10.244.2.2"), 8080, False)
            assert made.fate(NODE, 30080, pack("10.244.2.9")) == Dropped()
            assert made.fate(VIP, 80, pack("10.244.2.9")) == Landed(pack("10.244.2.2"), 8080, False)

    asyncio.run(run())


def test_families_are_those_of_the_service_ranges() -> None:
    assert ProxyConfig(node="n1").families == (4,)
    assert ProxyConfig(node="n1", service_ranges=("fd96::/112",)).families == (6,)
    assert ProxyConfig(node="n1", service_ranges=("fd96::/112", "10.96.0.0/12")).families == (4, 6)
