"""The scheduler as its own user against a real API server: rights, words, races, election."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from apiserver_fixture import RunningApi, serving_apiserver
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError
from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient, PatchType
from cybernetes.client.target import LEASES, NAMESPACES, NODES, PODS, SERVICE_ACCOUNTS, Target
from cybernetes.scheduler.config import Config, Election
from cybernetes.scheduler.explain import explain_placed
from cybernetes.scheduler.loop import Scheduler
from cybernetes.scheduler.snapshot import Snapshot
from cybernetes.wire.http.message import Transport

PATIENCE_S = 60.0
SPACE = "shop"
CLASSES = Target("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False)


class Runs(Protocol):
    async def run(self) -> None: ...


class World:
    def __init__(self, api: RunningApi) -> None:
        self._api = api
        self.clock = SystemClock()
        self.admin = ApiClient(api.transport(), user_agent="test", clock=self.clock)
        self._clients = [self.admin]

    async def close(self) -> None:
        for client in self._clients:
            await client.close()

    async def ready(self) -> None:
        """Until roles and other objects of the server's own are there."""
        await self._api.server.ready()

    def transport_as(self, name: str) -> Transport:
        return self._api.transport_as(name)

    def scheduler(self, seed: int = 1, config: Config | None = None) -> Scheduler:
        transport = self._api.transport_as("system:kube-scheduler")
        client = ApiClient(transport, user_agent="kube-scheduler", clock=self.clock)
        self._clients.append(client)
        return Scheduler(client, clock=self.clock, random=SeededRandom(seed), host=f"h{seed}", config=config)

    async def prepare(self) -> None:
        await self.admin.create(NAMESPACES, {"metadata": {"name": SPACE}})
        account = {"metadata": {"name": "default", "namespace": SPACE}, "automountServiceAccountToken": False}
        await self.admin.create(SERVICE_ACCOUNTS, account, namespace=SPACE)

    async def node(self, name: str, cpu: str = "4") -> None:
        labels = {"kubernetes.io/hostname": name}
        await self.admin.create(NODES, {"metadata": {"name": name, "labels": labels}})
        room = {"cpu": cpu, "memory": "8Gi", "pods": "110"}
        status = {"status": {"allocatable": room, "capacity": room}}
        await self.admin.patch(NODES, name, status, PatchType.MERGE, subresource="status")
        await self.admin.patch(NODES, name, {"spec": {"taints": None}}, PatchType.MERGE)

    async def pod(self, name: str, cpu: str = "100m", **spec: Any) -> None:
        container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}
        manifest = {"metadata": {"name": name, "labels": {"app": name}}, "spec": {"containers": [container], **spec}}
        await self.admin.create(PODS, manifest, namespace=SPACE)

    async def get(self, name: str) -> dict[str, Any]:
        return await self.admin.get(PODS, name, namespace=SPACE)

    async def node_of(self, name: str) -> str:
        return str((await self.get(name))["spec"].get("nodeName", ""))

    async def scheduled(self, name: str) -> dict[str, Any]:
        conditions = (await self.get(name)).get("status", {}).get("conditions", [])
        return next((each for each in conditions if each["type"] == "PodScheduled"), {})


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    async with serving_apiserver(folder) as api:
        found = World(api)
        await found.prepare()
        try:
            yield found
        finally:
            await found.close()


@asynccontextmanager
async def running(scheduler: Runs) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(scheduler.run())
    try:
        yield task
    finally:
        if task.done() and not task.cancelled():
            task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await holds()
            if found:
                return found
            await asyncio.sleep(0.02)


async def test_pods_are_bound_and_told_about(tmp_path: Path) -> None:
    async with world(tmp_path) as api, running(api.scheduler()):
        await api.node("a")
        await api.pod("web")
        assert await until(lambda: api.node_of("web")) == "a"
        assert (await api.scheduled("web"))["status"] == "True"

        async def event() -> Any:
            events = Target("", "v1", "events", "Event")
            page = await api.admin.list(events, namespace=SPACE)
            return [item for item in page.items if b"Successfully assigned shop/web to a" in item]

        await until(event)


async def test_a_pod_that_fits_nowhere_says_why(tmp_path: Path) -> None:
    async with world(tmp_path) as api, running(api.scheduler()):
        await api.node("a", cpu="50m")
        await api.pod("web")
        found = await until(lambda: api.scheduled("web"))
        assert (found["status"], found["reason"]) == ("False", "Unschedulable")
        assert found["message"].startswith("0/1 nodes are available: 1 Insufficient cpu. ")
        await api.node("b")
        assert await until(lambda: api.node_of("web")) == "b"


async def test_a_more_important_pod_gets_the_place_when_the_lesser_is_gone(tmp_path: Path) -> None:
    async with world(tmp_path) as api, running(api.scheduler()):
        for name, value in (("low", 1), ("high", 100)):
            await api.admin.create(CLASSES, {"metadata": {"name": name}, "value": value})
        await api.node("a", cpu="1")
        await api.pod("lesser", cpu="800m", priorityClassName="low", terminationGracePeriodSeconds=30)
        await until(lambda: api.node_of("lesser"))
        await api.pod("greater", cpu="800m", priorityClassName="high")

        async def going() -> Any:
            return (await api.get("lesser"))["metadata"].get("deletionTimestamp")

        await until(going)
        victim = await api.get("lesser")
        marks = {each["type"]: each for each in victim["status"]["conditions"]}
        assert marks["DisruptionTarget"]["reason"] == "PreemptionByScheduler"

        async def nominated() -> Any:
            return (await api.get("greater"))["status"].get("nominatedNodeName")

        # Victims go before the pod's status says so.
        assert await until(nominated) == "a"
        assert not await api.node_of("greater")
        await api.admin.delete(PODS, "lesser", namespace=SPACE, grace_s=0)
        assert await until(lambda: api.node_of("greater")) == "a"


async def test_two_schedulers_never_bind_a_pod_twice(tmp_path: Path) -> None:
    async with world(tmp_path) as api, running(api.scheduler(1)), running(api.scheduler(2)):
        for n in range(3):
            await api.node(f"n{n}", cpu="1")
        for n in range(24):
            await api.pod(f"p{n}")

        async def all_bound() -> bool:
            return all([await api.node_of(f"p{n}") for n in range(24)])

        await until(all_bound)


async def test_only_the_leader_decides_and_another_takes_over(tmp_path: Path) -> None:
    config = Config(election=Election(lease_s=60, renew_s=40, retry_s=0.2))
    async with world(tmp_path) as api:
        await api.node("a")
        first, second = api.scheduler(1, config), api.scheduler(2, config)
        async with running(first) as leading:
            await api.pod("one")
            await until(lambda: api.node_of("one"))
            async with running(second):
                await asyncio.sleep(0.5)
                assert not second.synced
                leading.cancel()
                await asyncio.gather(leading, return_exceptions=True)
                await api.pod("two")
                assert await until(lambda: api.node_of("two")) == "a"
        try:
            lease = await api.admin.get(LEASES, "kube-scheduler", namespace="kube-system")
        except ApiError as error:
            raise AssertionError("there is no lease") from error
        assert "spec" in lease


async def test_a_pod_is_explained_from_what_the_server_says(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        await api.node("a", cpu="50m")
        await api.node("b")
        await api.pod("web")
        snapshot = Snapshot()
        for target in Snapshot.TARGETS:
            async for page in api.admin.pages(target):
                snapshot.add(target, page.items)
        views = explain_placed(snapshot, "shop/web")
        assert [(view.node, view.reasons) for view in views] == [("b", ()), ("a", ("Insufficient cpu",))]
