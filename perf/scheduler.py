"""Scheduler: decisions a second, CPU and memory. `python perf/scheduler.py [--json] [--nodes N] [--pods N]`

kernel   only the decision and counting it
loop     the whole scheduler against an API server in memory in the same process; its share of CPU includes that server's
API      an API server and a scheduler in processes of their own, as `cybernetes bench scheduler` measures them
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "unit" / "scheduler"))
from memory_api import MemoryApi

from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SeededRandom
from cybernetes.bench import scheduler as bench
from cybernetes.client.api import ApiClient
from cybernetes.native import kind
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.loop import Scheduler
from cybernetes.scheduler.nominations import Nominations
from cybernetes.scheduler.objects import NodeObject, PodObject
from cybernetes.scheduler.outcome import Placement
from cybernetes.scheduler.pods import Interner, PodEntry
from cybernetes.scheduler.preempt import preempt
from cybernetes.scheduler.profile import Profile
from cybernetes.scheduler.victims import Candidate

Row = tuple[str, float, str]

ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
OWN = {"labelSelector": {"matchLabels": {"app": "x"}}}


def _spread(key: str, mode: str) -> dict[str, Any]:
    return {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": mode, **OWN}


def _affinity(side: str, key: str) -> dict[str, Any]:
    return {side: {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": key, **OWN}]}}


WORKLOADS: dict[str, dict[str, Any]] = {
    "basic": {},
    "spread": {"topologySpreadConstraints": [_spread(ZONE, "DoNotSchedule")]},
    "soft spread": {"topologySpreadConstraints": [_spread(HOST, "ScheduleAnyway"), _spread(ZONE, "ScheduleAnyway")]},
    "affinity": {"affinity": _affinity("podAffinity", ZONE)},
    "anti-affinity": {"affinity": _affinity("podAntiAffinity", HOST)},
    "anti-affinity and spread": {
        "affinity": _affinity("podAntiAffinity", HOST),
        "topologySpreadConstraints": [_spread(ZONE, "DoNotSchedule")],
    },
}


def node(n: int, cpu: str = "32") -> dict[str, Any]:
    labels = {HOST: f"node-{n}", ZONE: f"zone-{n % 3}"}
    status = {"allocatable": {"cpu": cpu, "memory": "64Gi", "pods": "110"}}
    return {"metadata": {"name": f"node-{n}", "labels": labels}, "spec": {}, "status": status}


def pod(n: int, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    requests = {"requests": {"cpu": more.pop("cpu", "100m"), "memory": "200Mi"}}
    metadata = {"name": f"pod-{n}", "namespace": "perf", "uid": f"uid-{n}", "labels": {"app": "x"}}
    containers = [{"name": "app", "image": "registry/app:1", "resources": requests}]
    return {"metadata": metadata, "spec": {"containers": containers, **spec, **more}, "status": {"phase": "Pending"}}


def entries(manifests: list[dict[str, Any]], interner: Interner) -> list[PodEntry]:
    decode = msgspec.json.Decoder(PodObject).decode
    return [interner.entry(decode(json.dumps(each).encode())) for each in manifests]


def columns_of(nodes: int, cpu: str = "32") -> Columns:
    columns = Columns()
    for n in range(nodes):
        columns.put_node(msgspec.json.decode(json.dumps(node(n, cpu)).encode(), type=NodeObject))
    return columns


def kernel(name: str, spec: dict[str, Any], nodes: int, pods: int) -> list[Row]:
    columns, random = columns_of(nodes), SeededRandom(1)
    cycle = Cycle(columns, Profile(), Nominations())
    waiting = entries([pod(n, spec) for n in range(pods)], Interner())
    began = time.perf_counter()
    for each in waiting:
        decision = cycle.decide(each, random)
        assert isinstance(decision, Placement), decision.message
        columns.add_pod(each, decision.node)
    took = time.perf_counter() - began
    return [(f"kernel, {name}", took / pods * 1e6, "us/decision")]


def preemption(nodes: int, pods: int) -> list[Row]:
    """Every node is full of lesser pods; each newcomer takes one's place."""
    columns, interner, random = columns_of(nodes, cpu="4"), Interner(), SeededRandom(1)
    for n, each in enumerate(entries([pod(n, {}, cpu="1", priority=1) for n in range(nodes * 4)], interner)):
        columns.add_pod(each, f"node-{n % nodes}")
    cycle = Cycle(columns, Profile(), Nominations())
    greater = entries([pod(10**6 + n, {}, cpu="1", priority=10) for n in range(pods)], interner)
    began = time.perf_counter()
    for each in greater:
        decision = cycle.decide(each, random)
        assert not isinstance(decision, Placement)
        assert decision.filtered is not None
        found = preempt(cycle, each, decision.filtered, [], random)
        assert isinstance(found, Candidate)
        for victim in found.victims:
            columns.remove_pod(victim, found.node)
        columns.add_pod(each, found.node)
    return [("kernel, preemption", (time.perf_counter() - began) / pods * 1e3, "ms/decision")]


async def loop(name: str, spec: dict[str, Any], nodes: int, pods: int) -> list[Row]:
    api, clock = MemoryApi(), SystemClock()
    for n in range(nodes):
        api.put("/api/v1/nodes", node(n))
    client = ApiClient(api, user_agent="perf", clock=clock)
    scheduler = Scheduler(client, clock=clock, random=SeededRandom(1))
    running = asyncio.create_task(scheduler.run(), name="scheduler")
    while not scheduler.synced:
        await clock.sleep(0.01)
    began, cpu = time.perf_counter(), time.process_time()
    for n in range(pods):
        api.put("/api/v1/pods", pod(n, {"schedulerName": "default-scheduler", **spec}))
    while not all(each["spec"].get("nodeName") for each in api.objects["/api/v1/pods"].values()):
        await clock.sleep(0.05)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return [(f"loop, {name}", pods / took, "pods/s"), (f"loop, {name}: processor time", cpu / pods * 1e3, "ms CPU/pod")]


def memory(nodes: int, pods: int) -> list[Row]:
    """What the scheduler keeps of the cluster, above an empty process with the same imports."""
    before = _resident_mb()
    columns, interner = columns_of(nodes), Interner()
    for n, each in enumerate(entries([pod(n, {}) for n in range(pods)], interner)):
        columns.add_pod(each, f"node-{n % nodes}")
    gc.collect()
    return [("memory, cluster", _resident_mb() - before, "MB"), ("memory, whole process", _resident_mb(), "MB")]


def through_api(workload: str, nodes: int, pods: int, *, waiting: bool) -> list[Row]:
    found = asyncio.run(bench.run(bench.Load(workload, nodes, pods, waiting), lambda text: None))
    name = f"API, {workload}, {'waiting' if waiting else 'arriving'}"
    return [
        (f"{name}: bound", found.pods_per_second, "pods/s"),
        (f"{name}: scheduler", found.figures["scheduler_cpu_ms"], "ms CPU/pod"),
        (f"{name}: API server and store", found.figures["apiserver_cpu_ms"], "ms CPU/pod"),
        (f"{name}: memory of the scheduler", found.figures["scheduler_memory_mb"], "MB"),
    ]


def _resident_mb() -> float:
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * resource.getpagesize() / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--pods", type=int, default=2000)
    options = parser.parse_args()
    assert kind() == "compiled", "measure the compiled kernels: build them first"
    rows = memory(options.nodes, options.nodes)
    for name, spec in WORKLOADS.items():
        rows += kernel(name, spec, options.nodes, options.pods)
    rows += preemption(options.nodes, max(1, options.pods // 2))
    for name in ("basic", "anti-affinity and spread"):
        rows += asyncio.run(loop(name, WORKLOADS[name], options.nodes, options.pods))
    rows += through_api("basic", options.nodes, options.nodes, waiting=True)
    rows += through_api("basic", options.nodes, options.pods, waiting=False)
    rows += through_api("spread-anti-affinity", 1000, 1000, waiting=True)
    if options.json:
        print(json.dumps([{"name": name, "value": value, "unit": unit} for name, value, unit in rows]))
        return
    for name, value, unit in rows:
        print(f"{name:40} {value:12.3f} {unit}")


if __name__ == "__main__":
    main()
