"""The running scheduler against an API server in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from memory_api import MemoryApi, failure, node, pod

from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient
from cybernetes.scheduler.extenders import Extender
from cybernetes.scheduler.loop import Scheduler
from cybernetes.scheduler.numbers import SchedulerNumbers
from cybernetes.wire.http.message import Request, Response

PODS, NODES = "/api/v1/pods", "/api/v1/nodes"
PATIENCE_S = 60.0


@asynccontextmanager
async def running(api: MemoryApi, extenders: Sequence[Extender] = ()) -> AsyncIterator[Scheduler]:
    clock = SystemClock()
    client = ApiClient(api, user_agent="test", clock=clock)
    scheduler = Scheduler(client, clock=clock, random=SeededRandom(1), host="h", extenders=extenders)
    task = asyncio.create_task(scheduler.run())
    try:
        yield scheduler
    finally:
        if task.done():
            task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], Any]) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        while not (found := holds()):  # noqa: ASYNC110 -- as a user would poll
            await asyncio.sleep(0.005)
    return found


def condition(manifest: dict[str, Any], kind: str = "PodScheduled") -> dict[str, Any]:
    found = manifest.get("status", {}).get("conditions", [])
    return next((each for each in found if each["type"] == kind), {})


def bound(api: MemoryApi, name: str) -> str:
    return str(api.pod(f"shop/{name}")["spec"].get("nodeName", ""))


async def test_a_pod_goes_to_the_node_with_room_and_says_so() -> None:
    api = MemoryApi()
    api.put(NODES, node("small", cpu="50m"))
    api.put(NODES, node("large"))
    api.put(PODS, pod("web-1"))
    async with running(api):
        await until(lambda: bound(api, "web-1"))
        [event] = await until(lambda: api.events("Scheduled"))
    assert bound(api, "web-1") == "large"
    assert event["note"] == "Successfully assigned shop/web-1 to large"
    assert (event["action"], event["type"], event["reportingController"]) == ("Binding", "Normal", "default-scheduler")


async def test_a_pod_without_a_node_waits_and_is_placed_when_one_appears() -> None:
    api = MemoryApi()
    api.put(PODS, pod("web-1"))
    async with running(api):
        await until(lambda: condition(api.pod("shop/web-1")))
        assert condition(api.pod("shop/web-1"))["message"] == "no nodes available to schedule pods"
        api.put(NODES, node("late"))
        await until(lambda: bound(api, "web-1"))


async def test_attempts_are_counted_by_what_came_of_them() -> None:
    api = MemoryApi()
    api.put(NODES, node("large"))
    for name in ("web-1", "web-2"):
        api.put(PODS, pod(name))
    api.put(PODS, pod("huge", cpu="1000"))
    async with running(api) as scheduler:
        await until(lambda: bound(api, "web-1") and bound(api, "web-2") and condition(api.pod("shop/huge")))
        metrics = {each.name: each for each in SchedulerNumbers(scheduler.numbers, scheduler.queue).collect()}
    attempts = {tuple(each.labels.values()): each.value for each in metrics["scheduler_schedule_attempts"].samples}
    profile = "default-scheduler"
    assert attempts == {(profile, "scheduled"): 2, (profile, "unschedulable"): 1}
    durations = metrics["scheduler_scheduling_attempt_duration_seconds"].samples
    counts = {each.labels["result"]: each.value for each in durations if each.name.endswith("_count")}
    assert counts == {"scheduled": 2, "unschedulable": 1}
    assert {each.labels["queue"]: each.value for each in metrics["scheduler_pending_pods"].samples}[
        "unschedulable"
    ] == 1


async def test_a_full_cluster_is_said_in_kubernetes_words_once() -> None:
    api = MemoryApi()
    api.put(NODES, node("a", cpu="50m"))
    api.put(NODES, node("b", unschedulable=True))
    api.put(PODS, pod("web-1"))
    async with running(api):
        await until(lambda: api.events("FailedScheduling"))
        await until(lambda: condition(api.pod("shop/web-1")))
    wanted = (
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable. no new claims to deallocate, "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )
    found = condition(api.pod("shop/web-1"))
    assert (found["status"], found["reason"], found["message"]) == ("False", "Unschedulable", wanted)
    assert api.events("FailedScheduling")[0]["note"] == wanted


async def test_pods_of_other_schedulers_and_gated_pods_are_left_alone() -> None:
    api = MemoryApi()
    api.put(NODES, node("a"))
    api.put(PODS, pod("foreign", schedulerName="other"))
    api.put(PODS, pod("gated", schedulingGates=[{"name": "wait"}]))
    api.put(PODS, pod("web-1"))
    async with running(api):
        await until(lambda: bound(api, "web-1"))
        assert not bound(api, "foreign")
        assert not bound(api, "gated")
        free = pod("gated")
        api.put(PODS, free)
        await until(lambda: bound(api, "gated"))
        assert not bound(api, "foreign")


async def test_a_refused_binding_is_tried_again() -> None:
    api = MemoryApi()
    api.put(NODES, node("a"))
    api.put(PODS, pod("web-1"))
    path = "/api/v1/namespaces/shop/pods/web-1/binding"
    api.refuse[("POST", path)] = failure(409, "Conflict", "try again")
    async with running(api):
        await until(lambda: bound(api, "web-1"))
    [failed] = api.events("FailedScheduling")
    assert failed["note"] == 'binding rejected: running Bind plugin "DefaultBinder": try again'


async def test_a_more_important_pod_takes_the_place_of_a_lesser_one() -> None:
    api = MemoryApi()
    api.put(NODES, node("a", cpu="1"))
    api.put(PODS, pod("lesser", cpu="800m", nodeName="a", priority=1))
    api.put(PODS, pod("greater", cpu="800m", priority=100))
    async with running(api):
        await until(lambda: bound(api, "greater"))
        [event] = await until(lambda: api.events("Preempted"))
    assert "shop/lesser" not in api.objects[PODS]
    assert event["note"] == "Preempted by pod uid-greater on node a"
    marks = [body["status"] for method, path, body in api.log if method == "PATCH" and "lesser" in path]
    assert marks[0]["conditions"][0]["type"] == "DisruptionTarget"
    nominated = [
        body["status"].get("nominatedNodeName") for _, path, body in api.log if path.endswith("greater/status")
    ]
    assert nominated == ["a"]


async def test_what_is_decided_counts_at_once() -> None:
    api = MemoryApi()
    api.put(NODES, node("a", cpu="1"))
    api.put(NODES, node("b", cpu="1"))
    for n in range(4):
        api.put(PODS, pod(f"web-{n}", cpu="500m"))
    async with running(api):
        await until(lambda: all(bound(api, f"web-{n}") for n in range(4)))
    assert sorted(bound(api, f"web-{n}") for n in range(4)) == ["a", "a", "b", "b"]


async def test_a_pod_waits_for_the_devices_that_it_claims() -> None:
    api = MemoryApi()
    api.put(NODES, node("a"))
    api.put(PODS, pod("gpu", resourceClaims=[{"name": "gpu", "resourceClaimName": "gpu"}]))
    async with running(api):
        await until(lambda: condition(api.pod("shop/gpu")))
    words = (
        '0/1 nodes are available: resourceclaim.resource.k8s.io "gpu" not found. still not schedulable, preemption: '
    )
    assert condition(api.pod("shop/gpu"))["message"].startswith(words)


class Unhurried(MemoryApi):
    """Pods are deleted when two that shall go are here."""

    def __init__(self) -> None:
        super().__init__()
        self.both = asyncio.Barrier(2)

    async def send(self, request: Request) -> Response:
        if request.method == "DELETE":
            await self.both.wait()
        return await super().send(request)


async def test_victims_are_evicted_together() -> None:
    api = Unhurried()
    api.put(NODES, node("a", cpu="1"))
    for name in ("old-1", "old-2"):
        api.put(PODS, pod(name, cpu="500m", nodeName="a", priority=1))
    api.put(PODS, pod("vip", cpu="900m", priority=9))
    async with running(api):
        await until(lambda: bound(api, "vip"))
    assert list(api.objects[PODS]) == ["shop/vip"]
    wrote = [(method, path) for method, path, _ in api.log if "/pods/" in path and "/binding" not in path]
    told = ("PATCH", "/api/v1/namespaces/shop/pods/vip/status")
    gone = [("DELETE", f"/api/v1/namespaces/shop/pods/{name}") for name in ("old-1", "old-2")]
    assert wrote.index(told) > max(map(wrote.index, gone))
