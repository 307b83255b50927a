"""Many pods on many hollow nodes: does the control plane keep Kubernetes' service levels?

source  Kubernetes scalability SLIs and SLOs: 99 of 100 API calls within 1 s, pods started within 5 s
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence

import msgspec

from cybernetes.base.errors import EdgeError
from cybernetes.bench import latency, workloads
from cybernetes.bench.bindings import PATH
from cybernetes.bench.connection import Connection, cpu_s, memory_mb, post_all
from cybernetes.bench.hollow import name_of
from cybernetes.bench.latency import Buckets
from cybernetes.bench.plane import Plane, running
from cybernetes.bench.result import Result, Tell, percentile
from cybernetes.run.config import NetworkConfig

CLIENTS = 8
NODES_PER_PROCESS = 500
LIMIT_S = 3600.0
# The usual range of pods has parts for 256 nodes only.
NETWORK = NetworkConfig(pod_range="10.0.0.0/8", service_range="172.30.0.0/16")
COMPONENTS = ("apiserver", "controller-manager", "scheduler")
NAME = re.compile(rb'"name":"(pod-\d+)"')
READY = re.compile(rb'"status":"True","type":"Ready"|"type":"Ready","status":"True"')


class Load(msgspec.Struct, frozen=True):
    """per_second: pods created a second, 0 for as many as the API server takes."""

    nodes: int
    pods: int
    per_second: float = 0.0


class _Ready:
    """Follows the pods. at: name -> seconds of `time.perf_counter` at which it was seen to be Ready."""

    def __init__(self, connection: Connection) -> None:
        self.at: dict[str, float] = {}
        self._rest = b""
        connection.on_chunk = self._chunk
        connection.send("GET", f"{PATH}?watch=1")

    def _chunk(self, data: bytes) -> None:
        now = time.perf_counter()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if READY.search(line) and (found := NAME.search(line)) is not None:
                self.at.setdefault(found[1].decode(), now)


async def run(load: Load, tell: Tell) -> Result:
    """Raises EdgeError when nodes or pods are not Ready within LIMIT_S."""
    with running(("apiserver",), network=NETWORK) as plane:
        await plane.wait_serving()
        for each in COMPONENTS[1:]:
            plane.start(each)
        connections = await plane.connections(CLIENTS)
        kubelets = _start_kubelets(plane, load.nodes)
        try:
            await _until_ready(plane, connections[0], load.nodes, tell)
            await _prepare(connections[0])
            return await _measure(load, plane, connections, kubelets, tell)
        finally:
            for process in kubelets:
                process.terminate()
            for process in kubelets:
                process.wait()


def _start_kubelets(plane: Plane, nodes: int) -> list[subprocess.Popen[bytes]]:
    found = []
    for first in range(0, nodes, NODES_PER_PROCESS):
        count = min(NODES_PER_PROCESS, nodes - first)
        command = [sys.executable, "-m", "cybernetes.bench.hollow", str(plane.layout.admin_kubeconfig)]
        with plane.layout.log(f"hollow-{first}").open("ab") as log:
            found.append(subprocess.Popen([*command, str(first), str(count)], stdout=log, stderr=log))
    return found


async def _until_ready(plane: Plane, connection: Connection, nodes: int, tell: Tell) -> None:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        _, body = await connection.call("GET", "/api/v1/nodes")
        ready = sum(not (each["spec"].get("taints")) for each in json.loads(body)["items"])
        plane.check_running()
        tell(f"{ready} of {nodes} nodes are Ready")
        if ready == nodes:
            return
        await asyncio.sleep(1)
    raise EdgeError("start", "hollow nodes", f"{name_of(0)} and others are not Ready after {LIMIT_S:g} s")


async def _prepare(connection: Connection) -> None:
    named = json.dumps({"metadata": {"name": workloads.NAMESPACE}}).encode()
    await post_all([connection], "/api/v1/namespaces", [named])
    path = f"/api/v1/namespaces/{workloads.NAMESPACE}/serviceaccounts/default"
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        status, _ = await connection.call("GET", path)
        if status == 200:
            return
        await asyncio.sleep(0.05)
    raise EdgeError("prepare", workloads.NAMESPACE, f"no service account after {LIMIT_S:g} s")


async def _measure(
    load: Load,
    plane: Plane,
    connections: Sequence[Connection],
    kubelets: Sequence[subprocess.Popen[bytes]],
    tell: Tell,
) -> Result:
    (watching,) = await plane.connections(1)
    ready = _Ready(watching)
    before, cpu = await _buckets(connections[0]), _cpu(plane, kubelets)
    began = time.perf_counter()
    created = await _create(load, connections, began, tell)
    deadline = time.monotonic() + LIMIT_S
    while len(ready.at) < load.pods:
        if time.monotonic() > deadline:
            raise EdgeError("start", "pods", f"{len(ready.at)} of {load.pods} are Ready after {LIMIT_S:g} s")
        plane.check_running()
        tell(f"{len(ready.at)} of {load.pods} pods are Ready")
        await asyncio.sleep(0.2)
    after = await _buckets(connections[0])
    spent = {name: value - cpu[name] for name, value in _cpu(plane, kubelets).items()}
    starts = sorted((at - created[name]) * 1e3 for name, at in ready.at.items())
    figures = {f"{name.replace('-', '_')}_cpu_ms": value / load.pods * 1e3 for name, value in spent.items()}
    figures |= {f"{each.replace('-', '_')}_memory_mb": memory_mb(plane.pid(each)) for each in COMPONENTS}
    figures["kubelet_memory_mb"] = sum(memory_mb(each.pid) for each in kubelets) / load.nodes
    figures["api_requests"] = latency.total(before, after)
    figures["api_p50_ms"] = latency.quantile(before, after, 0.5) * 1e3
    figures["api_p99_ms"] = latency.quantile(before, after, 0.99) * 1e3
    return Result(
        workload="hollow",
        nodes=load.nodes,
        pods=load.pods,
        pods_per_second=load.pods / (max(ready.at.values()) - began),
        p50_ms=percentile(starts, 0.5),
        p99_ms=percentile(starts, 0.99),
        figures=figures,
        samples=tuple((at - began, (at - created[name]) * 1e3) for name, at in ready.at.items()),
    )


async def _create(load: Load, connections: Sequence[Connection], began: float, tell: Tell) -> dict[str, float]:
    """When each pod was created."""
    created: dict[str, float] = {}

    async def some(connection: Connection, first: int) -> None:
        for n in range(first, load.pods, len(connections)):
            if load.per_second:
                await asyncio.sleep(max(0.0, began + n / load.per_second - time.perf_counter()))
            created[f"pod-{n}"] = time.perf_counter()
            status, answer = await connection.call("POST", PATH, json.dumps(workloads.pod(f"pod-{n}", {})).encode())
            if status != 201:
                raise EdgeError("create", f"pod-{n}", f"{status} {answer[:300]!r}")
            if n % 500 == 0:
                tell(f"{n} of {load.pods} pods are created")

    async with asyncio.TaskGroup() as group:
        for n, each in enumerate(connections):
            group.create_task(some(each, n), name=f"bench.create-{n}")
    return created


async def _buckets(connection: Connection) -> Buckets:
    _, body = await connection.call("GET", "/metrics", accept="text/plain")
    return latency.buckets(body.decode())


def _cpu(plane: Plane, kubelets: Sequence[subprocess.Popen[bytes]]) -> dict[str, float]:
    found = {each: cpu_s(plane.pid(each)) for each in COMPONENTS}
    return found | {"kubelets": sum(cpu_s(each.pid) for each in kubelets)}
