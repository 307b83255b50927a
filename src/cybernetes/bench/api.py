"""Requests to an API server of its own: a second, latencies, processor time; lists; events at watchers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence

from cybernetes.bench.connection import ApiRefused, Connection, cpu_s, memory_mb
from cybernetes.bench.plane import Plane, running
from cybernetes.bench.result import Result, Tell, percentile

CLIENTS = 8
RUN_S = 3.0
# Objects that surely exist after a run of creations, however slow the machine.
KNOWN = 100
LISTS = 5
WATCHERS = 50
WRITES = 100
SPACE = "/api/v1/namespaces/perf"

Call = Callable[[Connection, int], Awaitable[tuple[int, bytes]]]


def pod(name: str) -> bytes:
    """One of a deployment, 1.2 kB."""
    container = {
        "name": "app",
        "image": "registry.example/shop/web:1.4.2",
        "command": ["/bin/web", "--listen=:8080"],
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": f"SETTING_{i}", "value": f"value-{i}"} for i in range(6)],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/web"}],
    }
    obj = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web", "pod-template-hash": "5d4f8c7b9"}},
        "spec": {
            "containers": [container],
            "volumes": [{"name": "config", "configMap": {"name": "web"}}],
            "automountServiceAccountToken": False,
        },
    }
    return json.dumps(obj).encode()


def config_map(name: str, value: str = "x" * 1000) -> bytes:
    return json.dumps({"metadata": {"name": name}, "data": {"key": value}}).encode()


async def run(tell: Tell) -> list[Result]:
    """Raises EdgeError when the server does not start, ApiRefused when it refuses the load."""
    with running() as plane:
        await plane.wait_serving()
        connections = await plane.connections(CLIENTS)
        await connections[0].call("POST", "/api/v1/namespaces", b'{"metadata":{"name":"perf"}}')
        await connections[0].call("POST", f"{SPACE}/serviceaccounts", b'{"metadata":{"name":"default"}}')
        results = []
        for name, call in CALLS.items():
            tell(name)
            results.append(await _rate(name, call, connections, plane))
        tell("lists and watches")
        results += [await _lists(connections[0]), await _watched(plane, connections[0])]
        memory = {"apiserver_memory_mb": memory_mb(plane.pid("apiserver"))}
        return [*results, Result(workload="memory after all", figures=memory)]


CALLS: dict[str, Call] = {
    "create config maps": lambda c, n: c.call("POST", f"{SPACE}/configmaps", config_map(f"m-{n}")),
    "update config maps": lambda c, n: c.call(
        "PUT", f"{SPACE}/configmaps/m-{n % KNOWN}", config_map(f"m-{n % KNOWN}", str(n))
    ),
    "create pods": lambda c, n: c.call("POST", f"{SPACE}/pods", pod(f"p-{n}")),
    "get a pod": lambda c, n: c.call("GET", f"{SPACE}/pods/p-{n % KNOWN}"),
}


async def _rate(name: str, call: Call, connections: Sequence[Connection], plane: Plane) -> Result:
    """All connections busy for RUN_S."""
    server, samples, number = plane.pid("apiserver"), [], -1
    before, began = cpu_s(server), time.perf_counter()

    async def work(connection: Connection) -> None:
        nonlocal number
        while (sent := time.perf_counter()) < began + RUN_S:
            number += 1
            status, body = await call(connection, number)
            if status not in (200, 201):
                raise ApiRefused(f"{name}: {status} {body[:300]!r}")
            now = time.perf_counter()
            samples.append((now - began, (now - sent) * 1e3))

    async with asyncio.TaskGroup() as group:
        for n, each in enumerate(connections):
            group.create_task(work(each), name=f"bench.client-{n}")
    took = time.perf_counter() - began
    ordered = sorted(latency for _, latency in samples)
    return Result(
        workload=name,
        p50_ms=percentile(ordered, 0.5),
        p99_ms=percentile(ordered, 0.99),
        figures={
            "requests_per_second": len(samples) / took,
            "apiserver_cpu_us": (cpu_s(server) - before) / len(samples) * 1e6,
        },
        samples=tuple(samples),
    )


async def _lists(connection: Connection) -> Result:
    took = []
    for _ in range(LISTS):
        began = time.perf_counter()
        await connection.call("GET", f"{SPACE}/pods?limit=500")
        took.append((time.perf_counter() - began) * 1e3)
    took.sort()
    return Result(workload="list a page of 500 pods", p50_ms=percentile(took, 0.5), p99_ms=took[-1])


class _Arrivals:
    """Counts one event's frames at all watchers."""

    def __init__(self, watchers: int) -> None:
        self.all = asyncio.Event()
        self._watchers = watchers
        self._seen = 0

    def expect(self) -> None:
        self._seen = 0
        self.all.clear()

    def chunk(self, data: bytes) -> None:
        self._seen += data.count(b'"type":"MODIFIED"')
        if self._seen >= self._watchers:
            self.all.set()


async def _watched(plane: Plane, writer: Connection) -> Result:
    """From a write's answer to its event at the last of many watchers."""
    arrivals, took = _Arrivals(WATCHERS), []
    watchers = await plane.connections(WATCHERS)
    for each in watchers:
        each.on_chunk = arrivals.chunk
        each.send("GET", f"{SPACE}/configmaps?watch=1&fieldSelector=metadata.name%3Dm-1")
    await asyncio.sleep(0.5)
    for n in range(WRITES):
        arrivals.expect()
        await writer.call("PUT", f"{SPACE}/configmaps/m-1", config_map("m-1", f"written {n}"))
        answered = time.perf_counter()
        await arrivals.all.wait()
        took.append((time.perf_counter() - answered) * 1e3)
    for each in watchers:
        each.close()
    took.sort()
    name = f"write answered to event at the last of {WATCHERS} watchers"
    return Result(workload=name, p50_ms=percentile(took, 0.5), p99_ms=percentile(took, 0.99))
