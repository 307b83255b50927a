"""Services through the API, the proxy's rules for all of them, and for one that changes; and what a packet pays."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence

import msgspec

from cybernetes.base.errors import EdgeError
from cybernetes.bench import kernel_rules
from cybernetes.bench.connection import Connection, cpu_s, memory_mb, post_all
from cybernetes.bench.kernel_rules import RuleNews, echoing, first_packets
from cybernetes.bench.plane import Plane, running
from cybernetes.bench.result import Result, percentile
from cybernetes.run.config import NetworkConfig, NodeConfig

CLIENTS = 16
FLOWS = 2000
ENDPOINTS = 2
RULES_WITHIN_S = 120.0
# What the proxy logs when the kernel has all rules.
INSTALLED = "rules.installed"
SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
Tell = Callable[[str], None]


class Load(msgspec.Struct, frozen=True):
    services: int
    mode: str = "nftables"
    changes: int = 100


async def run(load: Load, tell: Tell) -> Result:
    """Everything in a network namespace of its own. Raises EdgeError without root, and when a process does not start."""
    kernel_rules.leave_the_machine()
    network = NetworkConfig(proxy_mode=load.mode)  # type: ignore[arg-type]
    node = NodeConfig("node-1", kernel_rules.OWN_ADDRESS)
    with echoing(network.service_ranges[0]), running(nodes=(node,), network=network) as plane:
        await plane.wait_serving()
        connections = await plane.connections(CLIENTS)
        tell(f"creating {load.services} services")
        figures = await _create(load, connections)
        tell("starting the proxy")
        figures |= await _start(plane)
        tell(f"changing {load.changes} of them")
        latencies, cpu_ms = await _change(load, plane, connections[0])
        tell("sending packets")
        flows = await asyncio.to_thread(first_packets, await _address(connections[0]), kernel_rules.ECHO_PORT, FLOWS)
        figures |= {
            "change_proxy_cpu_ms": cpu_ms,
            "first_packet_p50_ms": percentile(flows, 0.5),
            "first_packet_p99_ms": percentile(flows, 0.99),
            "proxy_memory_mb": memory_mb(plane.pid("proxy")),
        }
    return Result(
        workload=f"{load.mode}, {load.services} services",
        nodes=1,
        p50_ms=percentile(latencies, 0.5),
        p99_ms=percentile(latencies, 0.99),
        figures=figures,
    )


async def _create(load: Load, connections: Sequence[Connection]) -> dict[str, float]:
    bodies = [json.dumps(_service(n)).encode() for n in range(load.services)]
    began = time.perf_counter()
    await post_all(connections, SERVICES, bodies)
    took = time.perf_counter() - began
    await post_all(connections[:1], SERVICES, [json.dumps(_echo_service()).encode()])
    slices = [json.dumps(_slice(n)).encode() for n in range(load.services)]
    await post_all(connections, SLICES, [*slices, json.dumps(_echo_slice()).encode()])
    return {"services_created_s": took, "services_created_per_second": load.services / took}


async def _start(plane: Plane) -> dict[str, float]:
    began = time.perf_counter()
    plane.start("proxy")
    await plane.wait_logged("proxy", INSTALLED)
    return {"start_to_all_rules_s": time.perf_counter() - began, "start_cpu_s": cpu_s(plane.pid("proxy"))}


async def _change(load: Load, plane: Plane, connection: Connection) -> tuple[list[float], float]:
    """(milliseconds from each write's answer to the rule in the kernel, sorted; the proxy's CPU for one)."""
    news, latencies = RuleNews(), []
    try:
        await asyncio.sleep(1)
        before = cpu_s(plane.pid("proxy"))
        for n in range(load.changes):
            at = n * load.services // load.changes
            body = json.dumps(_slice(at, moved=1 + n % 200)).encode()
            news.forget()
            heard = asyncio.ensure_future(news.next(RULES_WITHIN_S))
            status, answer = await connection.call("PUT", f"{SLICES}/service-{at}-abcde", body)
            answered = time.perf_counter()
            if status != 200:
                raise EdgeError("change", "an EndpointSlice", answer[:300].decode())
            latencies.append(max(0.0, (await heard - answered) * 1e3))
            await asyncio.sleep(0.02)
        return sorted(latencies), (cpu_s(plane.pid("proxy")) - before) / load.changes * 1e3
    finally:
        news.close()


async def _address(connection: Connection) -> str:
    _, body = await connection.call("GET", f"{SERVICES}/echo")
    address: str = json.loads(body)["spec"]["clusterIP"]
    return address


def _service(n: int) -> dict[str, object]:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {"metadata": {"name": f"service-{n}"}, "spec": {"selector": {"app": f"a{n}"}, "ports": ports}}


def _slice(n: int, moved: int = 0) -> dict[str, object]:
    addresses = [f"10.{128 + (n >> 14)}.{n >> 6 & 255}.{(n & 63) * 4 + each}" for each in range(ENDPOINTS)]
    if moved:
        addresses[0] = f"10.250.{n & 255}.{moved}"
    return {
        "metadata": {"name": f"service-{n}-abcde", "labels": {"kubernetes.io/service-name": f"service-{n}"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [each], "conditions": {"ready": True}, "nodeName": "node-2"} for each in addresses],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


def _echo_service() -> dict[str, object]:
    ports = [{"name": "echo", "port": kernel_rules.ECHO_PORT, "protocol": "UDP"}]
    return {"metadata": {"name": "echo"}, "spec": {"ports": ports}}


def _echo_slice() -> dict[str, object]:
    return {
        "metadata": {"name": "echo-abcde", "labels": {"kubernetes.io/service-name": "echo"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [kernel_rules.ECHO_ADDRESS], "conditions": {"ready": True}}],
        "ports": [{"name": "echo", "port": kernel_rules.ECHO_PORT, "protocol": "UDP"}],
    }
