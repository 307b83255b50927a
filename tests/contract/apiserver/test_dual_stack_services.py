"""Services of two families through the whole write path: addresses, their records, and what a cluster's change means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from cybernetes.apiserver.config import ServerConfig
from cybernetes.apiserver.server import ApiServer, InProcessTransport
from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError
from cybernetes.base.random import SeededRandom
from cybernetes.client.answer import whole_body
from cybernetes.client.api import ApiClient, PatchType
from cybernetes.client.target import Target
from cybernetes.store.api import Store
from cybernetes.store.memory import MemoryStore

SERVICES = Target("", "v1", "services", "Service")
ADDRESSES = Target("networking.k8s.io", "v1", "ipaddresses", "IPAddress", namespaced=False)
RANGES = Target("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", namespaced=False)
FOUR, BOTH = ("10.96.0.0/24",), ("10.96.0.0/24", "fd00:10:96::/112")
SPACE = "default"


@asynccontextmanager
async def serving(store: Store, ranges: tuple[str, ...]) -> AsyncIterator[ApiClient]:
    clock = SystemClock()
    authority = pki.ca("ca", pki.Terms(clock.now(), SeededRandom(1))).certificate
    key = pki.new_key(SeededRandom(1))
    config = ServerConfig(client_authorities=authority, service_account_key=key, service_ranges=ranges)
    server = ApiServer(store, config, clock, SeededRandom(1))
    await server.start()
    await server.ready()
    try:
        yield ApiClient(InProcessTransport(server), user_agent="test", clock=clock)
    finally:
        await server.stop()


def dual(scenario: Callable[[ApiClient], Awaitable[None]]) -> None:
    async def main() -> None:
        async with serving(MemoryStore(SystemClock()), BOTH) as client:
            await scenario(client)

    asyncio.run(main())


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": SPACE}, "spec": {"ports": [{"port": 80}], **spec}}


async def make(client: ApiClient, wanted: dict[str, Any], **query: list[str]) -> dict[str, Any]:
    path = f"/api/v1/namespaces/{SPACE}/services"
    body = orjson.dumps({"apiVersion": "v1", "kind": "Service", **wanted})
    made: dict[str, Any] = orjson.loads(await whole_body(await client.raw("POST", path, body=body, query=query)))
    return made


async def taken(client: ApiClient) -> dict[str, str]:
    """Address -> its family, of all Services but `kubernetes`."""
    found = (await client.list(ADDRESSES)).objects()
    family = "ipaddress.kubernetes.io/ip-family"
    return {
        each["metadata"]["name"]: each["metadata"]["labels"][family]
        for each in found
        if each["spec"]["parentRef"]["name"] != "kubernetes"
    }


async def policy(client: ApiClient, name: str, **spec: Any) -> dict[str, Any]:
    return await client.patch(SERVICES, name, {"spec": spec}, PatchType.MERGE, namespace=SPACE)


def test_addresses_come_and_go_with_their_records() -> None:
    async def scenario(client: ApiClient) -> None:
        made = await make(client, service("a", type="NodePort", ipFamilyPolicy="PreferDualStack"))
        four, six = made["spec"]["clusterIPs"]
        assert made["spec"]["ipFamilies"] == ["IPv4", "IPv6"]
        assert await taken(client) == {four: "IPv4", six: "IPv6"}
        single = await policy(client, "a", ipFamilyPolicy="SingleStack")
        assert (single["spec"]["clusterIPs"], single["spec"]["ipFamilies"]) == ([four], ["IPv4"])
        assert single["spec"]["ports"] == made["spec"]["ports"]
        assert await taken(client) == {four: "IPv4"}
        again = await policy(client, "a", ipFamilyPolicy="RequireDualStack")
        assert set(await taken(client)) == set(again["spec"]["clusterIPs"])
        name = await policy(client, "a", type="ExternalName", externalName="x.test")
        assert "clusterIPs" not in name["spec"] and await taken(client) == {}
        back = await policy(client, "a", type="ClusterIP", externalName=None, ipFamilies=["IPv6"])
        assert await taken(client) == {back["spec"]["clusterIP"]: "IPv6"}
        await client.delete(SERVICES, "a", namespace=SPACE)
        assert await taken(client) == {}

    dual(scenario)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"clusterIPs": ["10.96.0.7"], "clusterIP": "10.96.0.7", "ipFamilies": ["IPv4"]},
            "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": must be 'SingleStack' to release the secondary "
            "cluster IP",
        ),
        (
            {"ipFamilies": ["IPv6", "IPv4"]},
            'spec.clusterIPs[0]: Invalid value: "10.96.0.7": expected an IPv6 value as indicated by `ipFamilies[0]`',
        ),
        (
            {"clusterIPs": ["10.96.0.7", "fd00:10:96::8"]},
            'spec.clusterIPs[1]: Invalid value: ["10.96.0.7","fd00:10:96::8"]: may not change once set',
        ),
    ],
)
def test_changes_that_are_refused_leave_everything_as_it_was(spec: dict[str, Any], message: str) -> None:
    async def scenario(client: ApiClient) -> None:
        asked = {"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "fd00:10:96::7"]}
        made = await make(client, service("a", ipFamilyPolicy="RequireDualStack", **asked))
        with pytest.raises(ApiError) as refused:
            await policy(client, "a", **spec)
        assert message in refused.value.message
        assert await client.get(SERVICES, "a", namespace=SPACE) == made
        assert set(await taken(client)) == set(asked["clusterIPs"])

    dual(scenario)


def test_a_dry_run_shows_both_addresses_and_keeps_none() -> None:
    async def scenario(client: ApiClient) -> None:
        wanted = service("a", ipFamilyPolicy="RequireDualStack")
        shown = await make(client, wanted, dryRun=["All"])
        assert len(shown["spec"]["clusterIPs"]) == 2
        assert await taken(client) == {}

    dual(scenario)


def test_a_cluster_that_gets_a_second_family_has_its_range_and_gives_it_to_who_asks() -> None:
    async def main() -> None:
        store = MemoryStore(SystemClock())
        async with serving(store, FOUR) as client:
            before = await make(client, service("a", ipFamilyPolicy="PreferDualStack"))
            assert before["spec"]["ipFamilies"] == ["IPv4"]
            with pytest.raises(ApiError, match="this cluster is not configured for dual-stack services"):
                await make(client, service("b", ipFamilyPolicy="RequireDualStack"))
        async with serving(store, BOTH) as client:
            assert (await client.get(RANGES, "kubernetes"))["spec"]["cidrs"] == list(BOTH)
            own = await client.get(SERVICES, "kubernetes", namespace=SPACE)
            assert (own["spec"]["clusterIPs"], own["spec"]["ipFamilyPolicy"]) == (["10.96.0.1"], "SingleStack")
            kept = await policy(client, "a", selector={"app": "a"})
            assert kept["spec"]["clusterIPs"] == before["spec"]["clusterIPs"]
            both = await policy(client, "a", ipFamilyPolicy="RequireDualStack")
            assert len(both["spec"]["clusterIPs"]) == 2
        async with serving(store, FOUR) as client:
            await client.delete(SERVICES, "a", namespace=SPACE)
            assert await taken(client) == {}

    asyncio.run(main())


def test_a_cluster_of_ipv6_alone() -> None:
    async def main() -> None:
        async with serving(MemoryStore(SystemClock()), ("fd00:10:96::/112",)) as client:
            own = await client.get(SERVICES, "kubernetes", namespace=SPACE)
            assert (own["spec"]["clusterIP"], own["spec"]["ipFamilies"]) == ("fd00:10:96::1", ["IPv6"])
            made = await make(client, service("a"))
            assert made["spec"]["ipFamilies"] == ["IPv6"]
            with pytest.raises(ApiError, match="not configured on this cluster"):
                await make(client, service("b", ipFamilies=["IPv4"]))

    asyncio.run(main())
