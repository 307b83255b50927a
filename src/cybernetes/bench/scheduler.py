"""Pods through the API: created there, bound by the scheduler's process, and seen bound there."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence

import msgspec

from cybernetes.base.errors import EdgeError
from cybernetes.bench import workloads
from cybernetes.bench.bindings import PATH, Bindings
from cybernetes.bench.connection import Connection, cpu_s, memory_mb, post_all, send_all
from cybernetes.bench.plane import Plane, running
from cybernetes.bench.result import Result, Tell, percentile

CLIENTS = 8
LIMIT_S = 600.0
# What the scheduler logs when it knows the cluster and begins to decide.
STARTED = "scheduler.started"


class Load(msgspec.Struct, frozen=True):
    """waiting: all pods are there before the scheduler starts; else they are created while it runs."""

    workload: str
    nodes: int
    pods: int
    waiting: bool = True


class _Usage(msgspec.Struct, frozen=True):
    scheduler_s: float
    apiserver_s: float


async def run(load: Load, tell: Tell) -> Result:
    """Raises EdgeError when a process does not start, or when pods are not bound within LIMIT_S."""
    with running() as plane:
        await plane.wait_serving()
        connections = await plane.connections(CLIENTS)
        tell(f"creating {load.nodes} nodes")
        await _prepare(load, connections)
        if load.waiting:
            return await _bind_waiting(load, plane, connections, tell)
        return await _bind_arriving(load, plane, connections, tell)


async def _prepare(load: Load, connections: Sequence[Connection]) -> None:
    named = json.dumps({"metadata": {"name": workloads.NAMESPACE}}).encode()
    account = json.dumps({"metadata": {"name": "default"}}).encode()
    first = connections[:1]
    await post_all(first, "/api/v1/namespaces", [named])
    await post_all(first, f"/api/v1/namespaces/{workloads.NAMESPACE}/serviceaccounts", [account])
    nodes = workloads.nodes_of(load.workload, load.nodes)
    await post_all(connections, "/api/v1/nodes", nodes)
    # A new node is tainted until something says that it is ready; that is done here.
    await send_all(connections, "PUT", [f"/api/v1/nodes/node-{n}" for n in range(load.nodes)], nodes)
    if load.workload == "preemption":
        await post_all(first, "/apis/scheduling.k8s.io/v1/priorityclasses", workloads.priority_classes())
        await post_all(connections, PATH, workloads.victims_of(load.nodes))


async def _bind_waiting(load: Load, plane: Plane, connections: list[Connection], tell: Tell) -> Result:
    tell(f"creating {load.pods} pods")
    await post_all(connections, PATH, workloads.pods_of(load.workload, load.pods, load.nodes))
    seen = await _follow(load, plane)
    tell("binding them")
    plane.start("scheduler")
    # Its start and its first look at the cluster are not the pods' costs.
    await plane.wait_logged("scheduler", STARTED)
    before, began = _usage(plane), time.perf_counter()
    await _until(seen.all, plane, seen, tell)
    return _result(load, plane, before, began, {}, seen)


async def _bind_arriving(load: Load, plane: Plane, connections: list[Connection], tell: Tell) -> Result:
    plane.start("scheduler")
    await plane.wait_logged("scheduler", STARTED)
    seen = await _follow(load, plane)
    tell(f"creating and binding {load.pods} pods")
    before, began = _usage(plane), time.perf_counter()
    created: dict[str, float] = {}
    bodies = workloads.pods_of(load.workload, load.pods, load.nodes)

    async def some(connection: Connection, first: int) -> None:
        for n in range(first, load.pods, len(connections)):
            created[f"pod-{n}"] = time.perf_counter()
            status, answer = await connection.call("POST", PATH, bodies[n])
            assert status == 201, answer[:300]

    async with asyncio.TaskGroup() as group:
        for n, each in enumerate(connections):
            group.create_task(some(each, n), name=f"bench.create-{n}")
    await _until(seen.all, plane, seen, tell)
    return _result(load, plane, before, began, created, seen)


async def _follow(load: Load, plane: Plane) -> Bindings:
    (connection,) = await plane.connections(1)
    seen = Bindings(connection, workloads.expected(load.workload, load.pods))
    seen.follow()
    return seen


async def _until(event: asyncio.Event, plane: Plane, seen: Bindings, tell: Tell) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not event.is_set():
        if time.monotonic() > deadline:
            raise EdgeError("bind", "pods", f"only {len(seen.bound)} are bound after {LIMIT_S:g} s")
        try:
            async with asyncio.timeout(0.5):
                await event.wait()
        except TimeoutError:
            plane.check_running()
            tell(f"{len(seen.bound)} bound")


def _usage(plane: Plane) -> _Usage:
    return _Usage(cpu_s(plane.pid("scheduler")), cpu_s(plane.pid("apiserver")))


def _result(
    load: Load, plane: Plane, before: _Usage, began: float, created: dict[str, float], seen: Bindings
) -> Result:
    after, times = _usage(plane), sorted(seen.bound.values())
    since = {name: created.get(name, began) for name in seen.bound}
    latencies = sorted((at - since[name]) * 1e3 for name, at in seen.bound.items())
    took = max(times[-1] - began, 1e-9)
    figures = {
        "scheduler_cpu_ms": (after.scheduler_s - before.scheduler_s) / load.pods * 1e3,
        "apiserver_cpu_ms": (after.apiserver_s - before.apiserver_s) / load.pods * 1e3,
        "scheduler_memory_mb": memory_mb(plane.pid("scheduler")),
        "apiserver_memory_mb": memory_mb(plane.pid("apiserver")),
    }
    samples = tuple((at - began, (at - since[name]) * 1e3) for name, at in seen.bound.items())
    return Result(
        workload=load.workload,
        nodes=load.nodes,
        pods=load.pods,
        pods_per_second=len(times) / took,
        p50_ms=percentile(latencies, 0.5),
        p99_ms=percentile(latencies, 0.99),
        figures=figures,
        samples=samples,
    )
