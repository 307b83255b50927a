"""Two API servers on one store never give away the same address or port, though they draw the same numbers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cybernetes.apiserver.config import ServerConfig
from cybernetes.apiserver.server import ApiServer, InProcessTransport
from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError
from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient, PatchType
from cybernetes.client.target import Target
from cybernetes.store.memory import MemoryStore

SERVICES = Target("", "v1", "services", "Service")
SPACE = "default"


@asynccontextmanager
async def two_servers() -> AsyncIterator[tuple[ApiServer, ApiServer]]:
    clock = SystemClock()
    store = MemoryStore(clock)
    authority = pki.ca("ca", pki.Terms(clock.now(), SeededRandom(1))).certificate
    config = ServerConfig(
        client_authorities=authority, service_account_key=pki.new_key(SeededRandom(1)), shared_store=True
    )
    servers = [ApiServer(store, config, clock, SeededRandom(n)) for n in range(2)]
    for each in servers:
        await each.start()
        await each.ready()
    try:
        yield servers[0], servers[1]
    finally:
        for each in servers:
            await each.stop()


def clients_of(servers: tuple[ApiServer, ApiServer]) -> list[ApiClient]:
    """From here on both servers draw the same numbers."""
    for each in servers:
        each.core.allocator._random = SeededRandom(7)
    return [ApiClient(InProcessTransport(each), user_agent="test", clock=SystemClock()) for each in servers]


def service(name: str, kind: str = "NodePort", **port: int) -> dict:
    spec = {"type": kind, "ports": [{"port": 80, **port}]}
    return {"metadata": {"name": name, "namespace": SPACE}, "spec": spec}


def port(obj: dict) -> int:
    return obj["spec"]["ports"][0]["nodePort"]


def test_the_loser_draws_another_number() -> None:
    async def scenario() -> None:
        async with two_servers() as servers:
            made = await asyncio.gather(
                *(
                    each.create(SERVICES, service(f"s-{n}"), namespace=SPACE)
                    for n, each in enumerate(clients_of(servers))
                )
            )
            assert port(made[0]) != port(made[1])
            assert made[0]["spec"]["clusterIP"] != made[1]["spec"]["clusterIP"]

    asyncio.run(scenario())


def test_of_two_who_ask_for_the_same_port_one_is_refused() -> None:
    async def scenario() -> None:
        async with two_servers() as servers:
            asked = [
                each.create(SERVICES, service(f"s-{n}", nodePort=30500), namespace=SPACE)
                for n, each in enumerate(clients_of(servers))
            ]
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
            (refused,) = [each for each in outcomes if isinstance(each, ApiError)]
            assert refused.code == 422 and "provided port is already allocated" in refused.message

    asyncio.run(scenario())


@pytest.mark.parametrize("named", [False, True], ids=["any version", "a certain version"])
def test_an_update_that_needs_a_port_draws_again_too(named: bool) -> None:
    async def scenario() -> None:
        async with two_servers() as servers:
            made = [
                await clients_of(servers)[0].create(SERVICES, service(f"s-{n}", "ClusterIP"), namespace=SPACE)
                for n in range(2)
            ]
            changing = []
            for each, obj in zip(clients_of(servers), made, strict=True):
                patch: dict = {"spec": {"type": "NodePort"}}
                if named:
                    patch["metadata"] = {"resourceVersion": obj["metadata"]["resourceVersion"]}
                name = obj["metadata"]["name"]
                changing.append(each.patch(SERVICES, name, patch, PatchType.MERGE, namespace=SPACE))
            one, other = await asyncio.gather(*changing)
            assert port(one) != port(other)

    asyncio.run(scenario())
