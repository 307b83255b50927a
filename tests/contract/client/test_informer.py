"""An informer follows the server through every kind of trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import orjson
import virtual
from fake_api import FakeApi

from cybernetes.base.errors import ApiError
from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient
from cybernetes.client.informer import Informer
from cybernetes.client.reflector import EVERYTHING, Selection
from cybernetes.client.target import CONFIG_MAPS
from cybernetes.wire.http.message import Request


class Meta(msgspec.Struct, frozen=True, gc=False):
    name: str
    namespace: str = ""


class Config(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta
    data: dict[str, str] = {}


class World:
    def __init__(self, selection: Selection = EVERYTHING) -> None:
        clock = virtual.VirtualClock()
        self.api = FakeApi(clock)
        self.client = ApiClient(self.api, user_agent="test", clock=clock)
        self.informer: Informer[Config] = Informer(
            self.client,
            CONFIG_MAPS,
            msgspec.json.Decoder(Config).decode,
            clock=clock,
            random=SeededRandom(1),
            selection=selection,
        )
        self.calls: list[str] = []
        self.informer.on_change(self._note)

    def _note(self, key: str, old: Config | None, new: Config | None) -> None:
        self.calls.append(f"{'+' if old is None else '-' if new is None else '~'}{key}")

    async def create(self, name: str, namespace: str = "shop", **data: str) -> None:
        await self.client.create(CONFIG_MAPS, {"metadata": {"name": name}, "data": data}, namespace=namespace)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.informer.run(), name="informer")
            yield
            task.cancel()

    async def equal(self) -> None:
        """Wait until the informer holds what the server holds."""
        async with asyncio.timeout(600):
            while True:
                there = {
                    f"{o['metadata']['namespace']}/{o['metadata']['name']}": o["data"]
                    for o in self.api.all("configmaps")
                }
                if self.informer.synced and there == {k: v.data for k, v in self.informer.items.items()}:
                    return
                await asyncio.sleep(0.01)


def test_list_then_changes_in_order() -> None:
    async def main() -> None:
        world = World()
        await world.create("a", k="1")
        async with world.running():
            await world.informer.wait_synced()
            assert world.calls == ["+shop/a"]
            await world.create("b")
            world.api.edit("configmaps", "a", lambda o: o.update(data={"k": "2"}), "shop")
            world.api.remove("configmaps", "b", "shop")
            await world.equal()
        assert world.calls == ["+shop/a", "+shop/b", "~shop/a", "-shop/b"]
        assert world.informer.items["shop/a"] == Config(Meta("a", "shop"), {"k": "2"})

    virtual.run(main())


def test_a_change_outside_the_value_calls_nobody() -> None:
    async def main() -> None:
        world = World()
        await world.create("a")
        async with world.running():
            await world.informer.wait_synced()
            world.api.edit("configmaps", "a", lambda o: o["metadata"].update(labels={"x": "y"}), "shop")
            await world.create("b")
            await world.equal()
        assert world.calls == ["+shop/a", "+shop/b"]

    virtual.run(main())


def test_a_broken_watch_resumes_without_listing_again() -> None:
    async def main() -> None:
        world = World()
        async with world.running():
            await world.informer.wait_synced()
            await asyncio.sleep(1)
            world.api.cut_watches()
            await world.create("a")
            await world.equal()
        lists = [r for r in world.api.requests if r == ("GET", "/api/v1/configmaps")]
        assert world.calls == ["+shop/a"]
        assert len(lists) == 3, "one list, two watches"

    virtual.run(main())


def test_after_compaction_it_lists_again_and_tells_the_difference() -> None:
    async def main() -> None:
        world = World()
        await world.create("a", k="1")
        await world.create("b")
        async with world.running():
            await world.informer.wait_synced()
            world.api.down = True
            world.api.cut_watches()
            await asyncio.sleep(5)
            world.api.remove("configmaps", "b", "shop")
            world.api.put(
                "configmaps",
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}, "data": {}},
            )
            world.api.compact()
            world.api.revision += 5
            world.api.compact()
            world.api.down = False
            await world.equal()
        assert world.calls == ["+shop/a", "+shop/b", "-shop/b", "+shop/c"]

    virtual.run(main())


def test_it_survives_a_server_that_starts_late_and_refuses_at_times() -> None:
    async def main() -> None:
        world = World()
        world.api.down = True
        count = 0

        def every_third(request: Request) -> None:
            nonlocal count
            count += 1
            if count % 3 == 0:
                raise ApiError(500, "InternalError", "Internal error occurred: x")

        async with world.running():
            await asyncio.sleep(100)
            assert not world.informer.synced
            world.api.down = False
            world.api.fault = every_third
            for n in range(20):
                world.api.put(
                    "configmaps",
                    {
                        "apiVersion": "v1",
                        "kind": "ConfigMap",
                        "metadata": {"name": f"c{n}", "namespace": "shop"},
                        "data": {},
                    },
                )
                world.api.cut_watches()
                await asyncio.sleep(3)
            await world.equal()
        assert world.calls == [f"+shop/c{n}" for n in range(20)]

    virtual.run(main())


def test_a_selection_sees_only_its_namespace_and_labels() -> None:
    async def main() -> None:
        world = World(Selection(namespace="shop", fields="metadata.name=a"))
        async with world.running():
            await world.informer.wait_synced()
            await world.create("a")
            await world.create("b")
            await world.create("a", namespace="other")
            await asyncio.sleep(1)
        assert world.calls == ["+shop/a"]

    virtual.run(main())


def test_an_index_follows() -> None:
    async def main() -> None:
        world = World()
        by_owner = world.informer.index(lambda config: [v for k, v in config.data.items() if k == "owner"])
        await world.create("a", owner="x")
        await world.create("b", owner="x")
        async with world.running():
            await world.informer.wait_synced()
            assert by_owner.keys("x") == ["shop/a", "shop/b"]
            world.api.edit("configmaps", "a", lambda o: o.update(data={"owner": "y"}), "shop")
            world.api.remove("configmaps", "b", "shop")
            await world.equal()
            assert by_owner.keys("x") == [] and [c.metadata.name for c in by_owner.get("y")] == ["a"]
            assert list(by_owner.values()) == ["y"]

    virtual.run(main())


def test_a_late_handler_hears_of_everything() -> None:
    async def main() -> None:
        world = World()
        await world.create("a")
        async with world.running():
            await world.informer.wait_synced()
            late: list[str] = []
            world.informer.on_change(lambda key, old, new: late.append(key))
            assert late == ["shop/a"]

    virtual.run(main())


def test_decode_may_give_dict_trees() -> None:
    async def main() -> None:
        clock = virtual.VirtualClock()
        api = FakeApi(clock)
        client = ApiClient(api, user_agent="test", clock=clock)
        informer = Informer(client, CONFIG_MAPS, orjson.loads, clock=clock, random=SeededRandom(1))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(informer.run(), name="informer")
            await client.create(CONFIG_MAPS, {"metadata": {"name": "a"}, "data": {"k": "v"}}, namespace="shop")
            await asyncio.sleep(1)
            assert informer.items["shop/a"]["data"] == {"k": "v"}
            task.cancel()

    virtual.run(main())


def test_an_object_that_cannot_be_read_does_not_stop_the_others() -> None:
    async def main() -> None:
        world = World()
        await world.create("a", k="1")
        broken = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "odd", "namespace": "shop"}, "data": 7}
        world.api.put("configmaps", broken)
        async with world.running():
            await world.informer.wait_synced()
            world.api.edit("configmaps", "a", lambda o: o.update(data=[]), "shop")
            await world.create("b")
            await asyncio.sleep(1)
            assert world.calls == ["+shop/a", "+shop/b"]
            assert world.informer.items["shop/a"].data == {"k": "1"}, "the last that could be read"

    virtual.run(main())
