"""Many pods on many hollow nodes: does the control plane keep Kubernetes' service levels?

source  Kubernetes scalability SLIs and SLOs: 99 of 100 API calls within 1 s, pods started within 5 s
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from cybernetes.base.errors import EdgeError
from cybernetes.bench import latency, workloads
from cybernetes.bench.bindings import PATH
from cybernetes.bench.connection import Connection, cpu_s, post_all, pss_mb
from cybernetes.bench.hollow import PREFIX
from cybernetes.bench.plane import Plane, last_words, running
from cybernetes.bench.readiness import Readiness
from cybernetes.bench.result import Result, Tell, percentile
from cybernetes.run.config import CONTROL_PLANE, NetworkConfig

# As many creations wait for answers at most, so that pods come at the rate that was asked for while answers are slow.
CLIENTS = 32
NODES_PER_PROCESS = 250
# Kubelets that are not Ready yet; all at once would only wait for each other.
STARTING_AT_ONCE = 40
LIMIT_S = 3600.0
LOOK_S = 0.2
STOP_TIMEOUT_S = 30.0
# The usual range of pods has parts for 256 nodes only.
NETWORK = NetworkConfig(pod_range="10.0.0.0/8", service_range="172.30.0.0/16")
POD_PREFIX = "pod-"


class Load(msgspec.Struct, frozen=True):
    """per_second: pods created a second, 0 for as many as the API server takes; idle_s: how long nothing happens before.

    servers: processes of the API server, on one port and one store.
    """

    nodes: int
    pods: int
    per_second: float = 0.0
    idle_s: float = 30.0
    servers: int = 1


class _Look(msgspec.Struct, frozen=True):
    """What has been used up to a moment: cpu in seconds by name of the process, and the server's own numbers."""

    at: float
    cpu: dict[str, float]
    buckets: dict[str, latency.Buckets]
    refused: float


class _Cluster:
    """The plane, and processes of hollow kubelets; `kubelets` stands for all of them together."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self._kubelets: list[subprocess.Popen[bytes]] = []
        self._admitted = 0
        # How often controllers or scheduler had to be started again: they end when they can't renew their lease in time.
        self.restarts = 0

    def start_kubelets(self, nodes: int) -> None:
        """Processes for so many; `admit` lets the kubelets start."""
        for first in range(0, nodes, NODES_PER_PROCESS):
            count = min(NODES_PER_PROCESS, nodes - first)
            command = [sys.executable, "-m", "cybernetes.bench.hollow", str(self.plane.layout.data_dir)]
            with self.plane.layout.log(f"{PREFIX}{first}").open("ab") as log:
                self._kubelets.append(
                    subprocess.Popen(
                        [*command, str(first), str(count)],
                        stdin=subprocess.PIPE,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )

    def admit(self, nodes: int) -> None:
        """Let kubelets start until there are so many, in the order of their numbers."""
        for n in range(self._admitted, nodes):
            pipe = self._kubelets[n // NODES_PER_PROCESS].stdin
            assert pipe is not None
            pipe.write(b"\n")
            pipe.flush()
        self._admitted = max(self._admitted, nodes)

    def stop_kubelets(self) -> None:
        for each in self._kubelets:
            each.terminate()
        for each in self._kubelets:
            try:
                each.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait()

    def keep_running(self) -> None:
        """Start controllers and scheduler again where they ended. Raises EdgeError with the last words of what may not."""
        self.restarts += sum(self.plane.revive(each) for each in CONTROL_PLANE[1:])
        self.plane.check_running()
        for n, each in enumerate(self._kubelets):
            if each.poll() is not None:
                first = f"{PREFIX}{n * NODES_PER_PROCESS}"
                raise EdgeError("run", first, f"it ended: {last_words(self.plane.layout.log(first).read_text())}")

    async def look(self) -> _Look:
        told = await self._exposition()
        return _Look(time.monotonic(), self._each(cpu_s), latency.buckets(told), latency.refused(told))

    async def _exposition(self) -> str:
        """What any of the API servers tells of all."""
        # A connection of its own: minutes pass between two looks.
        (asking,) = await self.plane.connections(1)
        _, body = await asking.call("GET", "/metrics", accept="text/plain")
        asking.close()
        return body.decode()

    def memory(self) -> dict[str, float]:
        return self._each(pss_mb)

    def _each(self, measured: Callable[[int], float]) -> dict[str, float]:
        found = {each.replace("-", "_"): sum(map(measured, self.plane.pids(each))) for each in CONTROL_PLANE}
        return found | {"kubelets": sum(measured(each.pid) for each in self._kubelets)}


async def run(load: Load, tell: Tell) -> Result:
    """Raises EdgeError when nodes or pods are not Ready within LIMIT_S."""
    with running(("apiserver",), network=NETWORK, servers=load.servers) as plane:
        await plane.wait_serving()
        for number in range(2, load.servers + 1):
            plane.start(f"apiserver-{number}")
            await plane.wait_logged(f"apiserver-{number}", "apiserver.started")
        for each in CONTROL_PLANE[1:]:
            plane.start(each)
        (watching_nodes,) = await plane.connections(1)
        cluster = _Cluster(plane)
        nodes = Readiness(watching_nodes, "/api/v1/nodes", PREFIX)
        began = time.perf_counter()
        cluster.start_kubelets(load.nodes)
        try:
            async for ready in _progress(cluster, nodes, load.nodes, "nodes are Ready", tell):
                cluster.admit(min(load.nodes, ready + STARTING_AT_ONCE))
            nodes_s = max(nodes.at.values()) - began
            watching_nodes.close()
            idle = await _idle(cluster, load.idle_s, tell)
            watching_pods, *creating = await plane.connections(1 + CLIENTS)
            await _prepare(creating[0])
            found = await _measure(load, cluster, watching_pods, creating, tell)
            return msgspec.structs.replace(found, figures={"nodes_ready_s": nodes_s, **idle, **found.figures})
        finally:
            tell("stopping")
            cluster.stop_kubelets()


async def _progress(cluster: _Cluster, seen: Readiness, count: int, words: str, tell: Tell) -> AsyncIterator[int]:
    """How many have been seen, now and then, until all have."""
    deadline = time.monotonic() + LIMIT_S
    while len(seen.at) < count:
        tell(f"{len(seen.at)} of {count} {words}")
        if time.monotonic() > deadline:
            raise EdgeError("start", "load", f"only {len(seen.at)} of {count} {words} after {LIMIT_S:g} s")
        cluster.keep_running()
        seen.check()
        yield len(seen.at)
        await asyncio.sleep(LOOK_S)


async def _prepare(connection: Connection) -> None:
    named = json.dumps({"metadata": {"name": workloads.NAMESPACE}}).encode()
    await post_all([connection], "/api/v1/namespaces", [named])
    path = f"/api/v1/namespaces/{workloads.NAMESPACE}/serviceaccounts/default"
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        status, _ = await connection.call("GET", path)
        if status == 200:
            return
        await asyncio.sleep(LOOK_S)
    raise EdgeError("prepare", workloads.NAMESPACE, f"no service account after {LIMIT_S:g} s")


async def _idle(cluster: _Cluster, idle_s: float, tell: Tell) -> dict[str, float]:
    """What the nodes cost while nothing happens; 100 % is one core."""
    tell(f"idle for {idle_s:g} s")
    before = await cluster.look()
    await asyncio.sleep(idle_s)
    after = await cluster.look()
    lasted_s = after.at - before.at
    requests = latency.total(before.buckets[latency.ALL], after.buckets[latency.ALL])
    figures = {f"idle_{name}_cpu_percent": 100 * (after.cpu[name] - cpu) / lasted_s for name, cpu in before.cpu.items()}
    return figures | {"idle_requests_per_second": requests / lasted_s}


async def _measure(
    load: Load, cluster: _Cluster, watching: Connection, creating: Sequence[Connection], tell: Tell
) -> Result:
    ready = Readiness(watching, PATH, POD_PREFIX)
    before = await cluster.look()
    began = time.perf_counter()
    created = await _create(load, cluster, creating, ready, tell)
    async for _ in _progress(cluster, ready, load.pods, "pods are Ready", tell):
        pass
    after = await cluster.look()
    lasted_s = after.at - before.at
    # What was started again has used less than its former self.
    spent = {name: max(0.0, value - before.cpu[name]) for name, value in after.cpu.items()}
    starts = sorted((at - created[name]) * 1e3 for name, at in ready.at.items())
    figures = {f"{name}_cpu_ms": value / load.pods * 1e3 for name, value in spent.items()}
    figures |= {f"{name}_cpu_percent": 100 * value / lasted_s for name, value in spent.items()}
    figures |= {f"{name}_pss_mb": value for name, value in cluster.memory().items()}
    figures |= _latencies(before, after)
    figures["component_restarts"] = cluster.restarts
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


def _latencies(before: _Look, after: _Look) -> dict[str, float]:
    found = {
        "api_requests": latency.total(before.buckets[latency.ALL], after.buckets[latency.ALL]),
        "api_refused_requests": after.refused - before.refused,
    }
    for kind, then in before.buckets.items():
        name = "api" if kind == latency.ALL else f"api_{kind}"
        for label, share in (("p50", 0.5), ("p99", 0.99)):
            found[f"{name}_{label}_ms"] = latency.quantile(then, after.buckets[kind], share) * 1e3
    return found


async def _create(
    load: Load, cluster: _Cluster, connections: Sequence[Connection], ready: Readiness, tell: Tell
) -> dict[str, float]:
    """When each pod was created."""
    created: dict[str, float] = {}
    began = time.perf_counter()

    async def some(connection: Connection, first: int) -> None:
        for n in range(first, load.pods, len(connections)):
            if load.per_second:
                await asyncio.sleep(max(0.0, began + n / load.per_second - time.perf_counter()))
            name = f"{POD_PREFIX}{n}"
            created[name] = time.perf_counter()
            status, answer = await connection.call("POST", PATH, json.dumps(workloads.pod(name, {})).encode())
            if status != 201:
                raise EdgeError("create", name, f"{status} {answer[:300]!r}")
            if n % 100 == 0:
                cluster.keep_running()
                tell(f"{len(created)} of {load.pods} pods are created, {len(ready.at)} are Ready")

    try:
        async with asyncio.TaskGroup() as group:
            for n, each in enumerate(connections):
                group.create_task(some(each, n), name=f"bench.create-{n}")
    except ExceptionGroup as broken:
        raise broken.exceptions[0] from None
    return created
