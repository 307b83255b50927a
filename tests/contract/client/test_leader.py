"""Of several candidates one leads; when it stops, dies or is cut off, another does."""

from __future__ import annotations

import asyncio

import pytest
import virtual
from fake_api import FakeApi

from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient
from cybernetes.client.leader import LeaderElector, LeaseLost
from cybernetes.wire.http.message import Request, Response


def elector(api: FakeApi, identity: str) -> LeaderElector:
    clock = virtual.VirtualClock()
    client = ApiClient(api, user_agent="test", clock=clock)
    return LeaderElector(
        client,
        namespace="kube-system",
        name="kube-controller-manager",
        identity=identity,
        clock=clock,
        random=SeededRandom(1),
    )


async def forever() -> None:
    await asyncio.sleep(1_000_000)


def lease(api: FakeApi) -> dict:
    return api.all("leases")[0]["spec"]


def test_the_first_leads_and_the_second_follows_when_it_stops() -> None:
    async def main() -> None:
        api = FakeApi(virtual.VirtualClock())
        first, second = elector(api, "one"), elector(api, "two")
        async with asyncio.TaskGroup() as group:
            a = group.create_task(first.run(forever), name="a")
            await asyncio.sleep(1)
            b = group.create_task(second.run(forever), name="b")
            await asyncio.sleep(60)
            assert first.is_leader and not second.is_leader
            assert lease(api)["holderIdentity"] == "one" and lease(api)["leaseTransitions"] == 0
            a.cancel()
            await asyncio.sleep(4)
            assert second.is_leader and not first.is_leader, "a released lease is taken at the next try"
            assert lease(api)["holderIdentity"] == "two" and lease(api)["leaseTransitions"] == 1
            b.cancel()

    virtual.run(main())


def test_a_dead_holder_is_taken_over_after_the_lease_ends() -> None:
    async def main() -> None:
        api = FakeApi(virtual.VirtualClock())
        spec = {"holderIdentity": "dead", "leaseDurationSeconds": 15, "leaseTransitions": 3}
        metadata = {"name": "kube-controller-manager", "namespace": "kube-system"}
        api.put("leases", {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec})
        second = elector(api, "two")
        async with asyncio.TaskGroup() as group:
            task = group.create_task(second.run(forever), name="b")
            await asyncio.sleep(14.9)
            assert not second.is_leader
            await asyncio.sleep(3)
            assert second.is_leader
            assert lease(api)["leaseTransitions"] == 4
            task.cancel()

    virtual.run(main())


def test_a_holder_that_cannot_renew_stops_before_another_may_start() -> None:
    async def main() -> None:
        api = FakeApi(virtual.VirtualClock())
        loop = asyncio.get_running_loop()
        first = elector(api, "one")
        stopped: list[float] = []

        async def lead() -> None:
            try:
                await forever()
            finally:
                stopped.append(loop.time())

        async def run() -> None:
            with pytest.raises(LeaseLost):
                await first.run(lead)

        async with asyncio.TaskGroup() as group:
            group.create_task(run(), name="a")
            await asyncio.sleep(20)
            cut = loop.time()
            api.down = True
        assert not first.is_leader
        assert stopped[0] - cut < 15

    virtual.run(main())


class Counting(FakeApi):
    def __init__(self, clock: virtual.VirtualClock) -> None:
        super().__init__(clock)
        self.methods: list[str] = []

    async def send(self, request: Request) -> Response:
        self.methods.append(request.method)
        return await super().send(request)


def test_a_holder_renews_with_one_request() -> None:
    async def main() -> None:
        api = Counting(virtual.VirtualClock())
        async with asyncio.TaskGroup() as group:
            task = group.create_task(elector(api, "one").run(forever), name="a")
            await asyncio.sleep(10)
            api.methods.clear()
            await asyncio.sleep(60)
            assert len(api.methods) >= 29 and set(api.methods) == {"PUT"}
            task.cancel()

    virtual.run(main())


def test_a_lease_that_somebody_touched_is_read_and_renewed() -> None:
    async def main() -> None:
        api = Counting(virtual.VirtualClock())
        first = elector(api, "one")
        async with asyncio.TaskGroup() as group:
            task = group.create_task(first.run(forever), name="a")
            await asyncio.sleep(10)
            api.edit("leases", first_name(api), lambda obj: obj["metadata"].update(labels={"a": "b"}), "kube-system")
            api.methods.clear()
            await asyncio.sleep(30)
            assert first.is_leader and api.methods[:3] == ["PUT", "GET", "PUT"]
            assert api.methods.count("GET") == 1
            task.cancel()

    virtual.run(main())


def test_a_holder_stops_when_another_took_the_lease() -> None:
    async def main() -> None:
        api = FakeApi(virtual.VirtualClock())
        first = elector(api, "one")

        async def run() -> None:
            with pytest.raises(LeaseLost):
                await first.run(forever)

        async with asyncio.TaskGroup() as group:
            group.create_task(run(), name="a")
            await asyncio.sleep(10)
            api.edit("leases", first_name(api), lambda obj: obj["spec"].update(holderIdentity="two"), "kube-system")
        assert lease(api)["holderIdentity"] == "two"

    virtual.run(main())


def first_name(api: FakeApi) -> str:
    return str(api.all("leases")[0]["metadata"]["name"])
