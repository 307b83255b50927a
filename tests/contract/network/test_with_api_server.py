"""Proxy, network and DNS, each as its own user, against a real API server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.message
import pytest

from apiserver_fixture import RunningApi, serving_apiserver
from cybernetes.apiserver.bootstrap import policy
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient
from cybernetes.client.target import (
    ENDPOINT_SLICES,
    NETWORK_POLICIES,
    NODES,
    PODS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Target,
)
from cybernetes.dns.config import DnsConfig
from cybernetes.dns.loop import Dns
from cybernetes.network.links.api import Route
from cybernetes.network.links.fake import FakeLinks
from cybernetes.network.loop import Network
from cybernetes.network.plan import CNI_FILE, NetworkConfig
from cybernetes.network.policy.loop import Policies
from cybernetes.network.policy.script import remove_script
from cybernetes.proxy.config import ProxyConfig
from cybernetes.proxy.dataplane import TableDataplane
from cybernetes.proxy.loop import Proxy
from cybernetes.proxy.objects import pack
from cybernetes.proxy.packets.fake import FakePackets
from cybernetes.proxy.packets.machine import Landed, Machine, Packet

CLOCK = SystemClock()
NODE_IP = "127.0.0.1"


def machine_address() -> str:
    """An address of this machine that endpoints may have; nothing is sent to find it out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 53))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


def client(api: RunningApi, user: str, *groups: str) -> ApiClient:
    return ApiClient(api.transport_as(user, *groups), user_agent=user, clock=CLOCK)


def node(name: str, address: str, pod_range: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"podCIDR": pod_range, "podCIDRs": [pod_range]},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    }


@contextlib.asynccontextmanager
async def serving(tmp_path: Path) -> AsyncIterator[tuple[RunningApi, ApiClient]]:
    async with serving_apiserver(tmp_path) as api:
        admin = ApiClient(api.transport(), user_agent="admin", clock=CLOCK)
        for name, address, pod_range in (("n1", NODE_IP, "10.244.1.0/24"), ("n2", "10.0.0.2", "10.244.2.0/24")):
            created = await admin.create(NODES, node(name, address, pod_range))
            created["status"] = {"addresses": [{"type": "InternalIP", "address": address}]}
            await admin.update(NODES, created, subresource="status")
        yield api, admin


@contextlib.asynccontextmanager
async def running(component: Coroutine[object, object, None], ready: asyncio.Event) -> AsyncIterator[None]:
    task = asyncio.ensure_future(component)
    waiting = asyncio.ensure_future(ready.wait())
    try:
        await asyncio.wait((task, waiting), timeout=60, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        assert ready.is_set()
        yield
    finally:
        waiting.cancel()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_the_proxy_follows_services_and_slices(tmp_path: Path) -> None:
    async with serving(tmp_path) as (api, admin):
        packets, ready = FakePackets(4), asyncio.Event()
        config = ProxyConfig(node="n1", bind="127.0.0.1", health_port=0, metrics_port=0)
        proxy = Proxy(
            client(api, "system:kube-proxy"),
            [TableDataplane(packets)],
            _NoFlows(),
            CLOCK,
            SeededRandom(1),
            config,
            ready=ready.set,
        )
        async with running(proxy.run(), ready):
            spec = {"ports": [{"name": "http", "port": 80}]}
            made = await admin.create(SERVICES, {"metadata": {"name": "web"}, "spec": spec}, namespace="default")
            vip = pack(made["spec"]["clusterIP"])
            sliced = {
                "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
                "endpoints": [{"addresses": ["10.244.1.7"], "nodeName": "n1"}],
            }
            await admin.create(ENDPOINT_SLICES, sliced, namespace="default")
            machine = frozenset((pack("10.0.0.1"),))

            def lands() -> bool:
                through = Machine(packets, machine, SeededRandom(1))
                fate = through.send(Packet(pack("10.244.1.9"), vip, 6, 80))
                return fate == Landed(pack("10.244.1.7"), 8080, False)

            await until(lands)


class _NoFlows:
    async def clean(self, views: object) -> int:
        return 0


async def test_the_network_follows_nodes(tmp_path: Path) -> None:
    async with serving(tmp_path) as (api, admin):
        links, ready = FakeLinks(), asyncio.Event()
        config = NetworkConfig(node="n1", conf_dir=tmp_path / "net.d", state_dir=tmp_path / "networks")
        network = Network(client(api, "system:kube-proxy"), links, CLOCK, SeededRandom(1), config, ready=ready.set)
        async with running(network.run(), ready):
            assert set(links.table.values()) == {Route("10.244.2.0/24", "10.0.0.2")}
            assert (config.conf_dir / CNI_FILE).exists()
            await admin.delete(NODES, "n2")
            await until(lambda: not links.table)


async def allow_own_components(admin: ApiClient) -> None:
    """What an installation gives the users of components that Kubernetes does not have."""
    for each in policy.load("own.yaml"):
        group, _, version = each["apiVersion"].partition("/")
        namespaced = not each["kind"].startswith("Cluster")
        target = Target(group, version, f"{each['kind'].lower()}s", each["kind"], namespaced=namespaced)
        await admin.create(target, each, namespace=each["metadata"].get("namespace", ""))


class _Scripts:
    """A kernel that takes everything."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    async def run(self, script: str) -> None:
        self.ran.append(script)


async def test_policies_are_installed_changed_and_removed(tmp_path: Path) -> None:
    async with serving(tmp_path) as (api, admin):
        await allow_own_components(admin)
        kernel = _Scripts()
        policies = Policies(client(api, "system:kube-proxy"), kernel, CLOCK, SeededRandom(1), "n1")
        started = asyncio.Event()
        started.set()
        async with running(policies.run(), started):
            await until(lambda: kernel.ran == [remove_script()])
            spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}
            pod = {"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": spec}
            await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, namespace="default")
            created = await admin.create(PODS, pod, namespace="default")
            created["status"] = {"phase": "Running", "podIPs": [{"ip": "10.244.1.7"}], "podIP": "10.244.1.7"}
            created = await admin.update(PODS, created, subresource="status")
            denied = {"metadata": {"name": "deny"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}
            await admin.create(NETWORK_POLICIES, denied, namespace="default")
            await until(lambda: "ingress4 { 10.244.1.7 : goto" in kernel.ran[-1])
            assert kernel.ran[-1].startswith("add table inet cybernetes-policy\ndelete table")
            created["status"]["phase"] = "Failed"
            await admin.update(PODS, created, subresource="status")
            await until(lambda: kernel.ran[-1].startswith("delete element inet cybernetes-policy ingress4"))
            await admin.delete(NETWORK_POLICIES, "deny", namespace="default")
            await until(lambda: kernel.ran[-1] == remove_script())


async def test_dns_answers_publishes_itself_and_outlives_the_api_server(tmp_path: Path) -> None:
    ready, own = asyncio.Event(), machine_address()
    resolv_conf, names = tmp_path / "resolv.conf", tmp_path / "names.json"
    config = DnsConfig(node="n1", address=own, port=0, resolv_conf=resolv_conf, snapshot=names)
    async with contextlib.AsyncExitStack() as stack:
        async with serving(tmp_path) as (api, admin):
            await allow_own_components(admin)
            server = Dns(client(api, "system:cybernetes:dns"), CLOCK, SeededRandom(1), config, ready=ready.set)
            await stack.enter_async_context(running(server.run(), ready))

            async def ask(name: str, kind: str = "A") -> list[str]:
                query = dns.message.make_query(name, kind)
                response = await dns.asyncquery.udp(query, own, timeout=60, port=server.server.port)
                return [record.to_text() for each in response.answer for record in each]

            spec = {"clusterIP": "None", "ports": [{"name": "sql", "port": 5432}]}
            await admin.create(SERVICES, {"metadata": {"name": "db"}, "spec": spec}, namespace="default")
            sliced = {
                "metadata": {"name": "db-1", "labels": {"kubernetes.io/service-name": "db"}},
                "addressType": "IPv4",
                "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}],
                "endpoints": [{"addresses": ["10.244.1.7"], "hostname": "db-0"}],
            }
            await admin.create(ENDPOINT_SLICES, sliced, namespace="default")
            await until(lambda: bool(server.zone.at("10.244.1.7")) and "default/db" in server.zone.services)
            assert await ask("db-0.db.default.svc.cluster.local") == ["10.244.1.7"]
            assert await ask("db.default.svc.cluster.local", "SRV") == ["0 100 5432 db-0.db.default.svc.cluster.local."]
            await until(lambda: bool(server.zone.at("10.96.0.10")) and bool(server.zone.at(own)))
            published = await admin.get(SERVICES, "kube-dns", namespace="kube-system")
            assert published["spec"]["trafficDistribution"] == "PreferSameNode"
            slices = await admin.get(ENDPOINT_SLICES, "kube-dns-n1", namespace="kube-system")
            assert slices["endpoints"][0]["hints"] == {"forNodes": [{"name": "n1"}]}
            assert await ask("kube-dns.kube-system.svc.cluster.local") == ["10.96.0.10"]
        assert await ask("db-0.db.default.svc.cluster.local") == ["10.244.1.7"]
    # The server is gone too; the next one starts without an API server to ask.
    ready.clear()
    server = Dns(client(api, "system:cybernetes:dns"), CLOCK, SeededRandom(1), config, ready=ready.set)
    async with running(server.run(), ready):
        assert await ask("db-0.db.default.svc.cluster.local") == ["10.244.1.7"]


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")
