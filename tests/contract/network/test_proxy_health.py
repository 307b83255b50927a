"""Health of services as a load balancer asks for it: over HTTP, on ports that come and go."""

from __future__ import annotations

import asyncio
import http.client
import json

from cybernetes.base.clock import SystemClock
from cybernetes.install.machine import free_port
from cybernetes.proxy.config import ProxyConfig
from cybernetes.proxy.health import Health
from cybernetes.proxy.objects import Endpoint, NodeFacts, Service, ServicePort, Slice, pack
from cybernetes.proxy.state import State

ADDRESS, SECOND_ADDRESS, LOOPBACK = "127.0.0.3", "127.0.0.2", "127.0.0.1"
PATIENCE_S = 60


def ask(port: int, path: str, host: str = ADDRESS) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def placed(*nodes: str) -> Slice:
    endpoints = (Endpoint(pack(f"10.244.0.{n}"), True, True, False, node) for n, node in enumerate(nodes, 1))
    return Slice("shop/web", 4, (("", 6, 8080),), tuple(endpoints))


async def until_answered(port: int, path: str, host: str = ADDRESS) -> tuple[int, dict[str, str], bytes]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await asyncio.to_thread(ask, port, path, host)
            except ConnectionError:
                await asyncio.sleep(0.01)


async def until_refused(port: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await asyncio.to_thread(ask, port, "/")
            except ConnectionError:
                return
            await asyncio.sleep(0.01)


def test_a_health_check_node_port_tells_how_many_endpoints_are_here() -> None:
    async def run() -> None:
        port, own, metrics = (free_port(0) for _ in range(3))
        config = ProxyConfig(
            node="here", bind=ADDRESS, second_bind=SECOND_ADDRESS, health_port=own, metrics_port=metrics
        )
        health = Health(SystemClock(), config)
        state = State(NodeFacts("here"))
        given = Service(
            "shop/web", (pack("10.96.0.5"),), (ServicePort("", 6, 80),), external_local=True, health_port=port
        )
        state.reduce_service("shop/web", given)
        state.reduce_slice("shop/web-1", None, placed("here", "here", "far"))
        serving = asyncio.create_task(health.run())
        try:
            health.set_services(state, (4,))
            status, headers, body = await until_answered(port, "/any/path")
            assert (await until_answered(port, "/any/path", SECOND_ADDRESS))[0] == 200
            assert status == 200
            assert headers["Content-Type"] == "application/json"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Load-Balancing-Endpoint-Weight"] == "2"
            assert json.loads(body) == {
                "service": {"namespace": "shop", "name": "web"},
                "localEndpoints": 2,
                "serviceProxyHealthy": True,
            }
            state.reduce_slice("shop/web-1", placed("here"), placed("far"))
            health.change_services(state, ["shop/web"], (4,))
            status, headers, _ = await until_answered(port, "/")
            assert (status, headers["X-Load-Balancing-Endpoint-Weight"]) == (503, "0")
            for host in (ADDRESS, SECOND_ADDRESS, LOOPBACK):
                assert (await until_answered(own, "/healthz", host))[0] == 200
            assert (await until_answered(metrics, "/proxyMode", LOOPBACK))[2] == b"nftables"
            state.reduce_service("shop/web", None)
            health.change_services(state, ["shop/web"], (4,))
            await until_refused(port)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(run())
