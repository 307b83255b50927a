"""Watches: every event once, in order, from the version asked for."""

from __future__ import annotations

import asyncio
import gc
import weakref

import aiohttp
import orjson
from calls import Client, Object, config_map, run

from apiserver_fixture import RunningApi
from cybernetes.wire.http.connection import Connection
from cybernetes.wire.http.tls import client_context

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def seen(event: Object | None) -> tuple[str, str]:
    assert event is not None
    return event["type"], event["object"]["metadata"]["name"]


def test_a_watch_without_a_version_begins_with_what_is_there(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/configmaps"
        await client.ok("POST", path, config_map("a"))
        async with client.watch(path) as next_event:
            assert seen(await next_event()) == ("ADDED", "a")
            await client.ok("PATCH", f"{path}/a", {"data": {"x": "1"}})
            assert seen(await next_event()) == ("MODIFIED", "a")
            await client.ok("DELETE", f"{path}/a")
            last = await next_event()
            assert seen(last) == ("DELETED", "a")
            assert last is not None
            assert last["object"]["data"]["x"] == "1"

    run(api, test)


def test_a_watch_goes_on_after_a_version(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/configmaps"
        await client.ok("POST", path, config_map("a"))
        version = (await client.ok("GET", path))["metadata"]["resourceVersion"]
        await client.ok("POST", path, config_map("b"))
        await client.ok("DELETE", f"{path}/a")
        async with client.watch(path, resourceVersion=version) as next_event:
            assert [seen(await next_event()) for _ in range(2)] == [("ADDED", "b"), ("DELETED", "a")]
            await client.ok("POST", path, config_map("c"))
            assert seen(await next_event()) == ("ADDED", "c")

    run(api, test)


def test_what_left_the_window_comes_from_history(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/configmaps"
        version = (await client.ok("GET", path))["metadata"]["resourceVersion"]
        await client.ok("POST", path, config_map("a"))
        await client.ok("PATCH", f"{path}/a", {"metadata": {"labels": {"x": "1"}}})
        state = api.server.core.caches.of("", "configmaps").state
        kept = list(state.window)
        state.window.clear()
        state.window_from = api.server.core.caches.revision
        assert kept
        async with client.watch(path, resourceVersion=version) as next_event:
            assert [seen(await next_event()) for _ in range(2)] == [("ADDED", "a"), ("MODIFIED", "a")]

    run(api, test)


def test_selectors_turn_changes_into_additions_and_deletions(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/configmaps"
        await client.ok("POST", path, config_map("a", app="web"))
        async with client.watch(path, labelSelector="app=web") as next_event:
            assert seen(await next_event()) == ("ADDED", "a")
            await client.ok("PATCH", f"{path}/a", {"metadata": {"labels": {"app": "db"}}})
            left = await next_event()
            assert seen(left) == ("DELETED", "a")
            await client.ok("PATCH", f"{path}/a", {"metadata": {"labels": {"app": "web"}}})
            assert seen(await next_event()) == ("ADDED", "a")

    run(api, test)


def test_initial_events_end_with_a_bookmark(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/configmaps"
        for name in ("a", "b"):
            await client.ok("POST", path, config_map(name))
        options = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
        async with client.watch(path, **options) as next_event:
            assert {seen(await next_event()) for _ in range(2)} == {("ADDED", "a"), ("ADDED", "b")}
            mark = await next_event()
            assert mark is not None
            assert mark["type"] == "BOOKMARK"
            assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
            assert mark["object"]["kind"] == "ConfigMap"

    run(api, test)


def test_the_first_table_of_a_watch_has_the_columns(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/configmaps"
        await client.ok("POST", path, config_map("a"))
        async with client.watch(path, accept=TABLE) as next_event:
            first = await next_event()
            assert first is not None
            assert [column["name"] for column in first["object"]["columnDefinitions"]] == ["Name", "Data", "Age"]
            await client.ok("PATCH", f"{path}/a", {"data": {"x": "1"}})
            second = await next_event()
            assert second is not None
            assert second["object"]["columnDefinitions"] is None
            assert second["object"]["rows"][0]["cells"][:2] == ["a", 2]

    run(api, test)


def test_a_watch_ends_at_its_time_limit(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/configmaps"
        async with client.watch(path, timeoutSeconds="1", allowWatchBookmarks="true") as next_event:
            events = []
            while (event := await next_event()) is not None:
                events.append(event["type"])
            assert set(events) <= {"BOOKMARK"}

    run(api, test)


def test_every_watcher_sees_every_event_once_and_in_order(api: RunningApi, space: str) -> None:
    writers, writes = 6, 12

    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/configmaps"
        version = (await client.ok("GET", path))["metadata"]["resourceVersion"]

        async def follow() -> list[int]:
            async with client.watch(path, resourceVersion=version) as next_event:
                found = [await next_event() for _ in range(writers * (writes + 1))]
            return [int(each["object"]["metadata"]["resourceVersion"]) for each in found if each is not None]

        async def write(n: int) -> None:
            await client.ok("POST", path, config_map(f"m-{n}"))
            for turn in range(writes):
                await client.ok("PATCH", f"{path}/m-{n}", {"data": {"turn": str(turn)}})

        following = [asyncio.create_task(follow()) for _ in range(4)]
        await asyncio.gather(*map(write, range(writers)))
        orders = await asyncio.gather(*following)
        assert all(order == sorted(set(order)) for order in orders)
        assert all(order == orders[0] for order in orders)
        assert len(orders[0]) == writers * (writes + 1)

    run(api, test)


def test_a_client_that_leaves_is_forgotten(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/configmaps"
        hub = api.server.core.caches.of("", "configmaps").hub
        before = hub.count
        async with client.watch(path):
            for _ in range(3000):
                if hub.count > before:
                    break
                await asyncio.sleep(0.02)
            assert hub.count == before + 1
        for _ in range(3000):
            if hub.count == before:
                return
            await asyncio.sleep(0.02)
        raise AssertionError("the watcher is still there")

    run(api, test)


def test_the_connection_of_a_watch_that_ended_is_freed_without_a_search(api: RunningApi, space: str) -> None:
    def connections() -> weakref.WeakSet[Connection]:
        return weakref.WeakSet(each for each in gc.get_objects() if isinstance(each, Connection))

    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/configmaps"
        before = connections()
        gc.disable()
        try:
            async with client.watch(path) as next_event:
                await client.ok("POST", path, {"metadata": {"name": "a"}})
                assert await next_event() is not None
                of_the_watch = connections() - before
                assert of_the_watch
            for _ in range(3000):
                if not of_the_watch:
                    return
                await asyncio.sleep(0.02)
        finally:
            gc.enable()
        raise AssertionError("the connection is still there")

    run(api, test)


def test_a_watch_over_a_websocket_is_a_message_for_each_event(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/configmaps"
        await client.ok("POST", path, config_map("one"))
        await client.ok("POST", path, config_map("two"))
        tls = client_context(api.ca, api.certificate, api.key)
        url = f"{api.url}{path}?watch=1"
        async with (
            asyncio.timeout(60),
            aiohttp.ClientSession() as session,
            session.ws_connect(url, ssl=tls, protocols=["binary.k8s.io"]) as socket,
        ):
            seen = [orjson.loads(await socket.receive_str()) for _ in range(2)]
            await client.ok("DELETE", f"{path}/one")
            seen.append(orjson.loads(await socket.receive_str()))
        assert [(each["type"], each["object"]["metadata"]["name"]) for each in seen] == [
            ("ADDED", "one"),
            ("ADDED", "two"),
            ("DELETED", "one"),
        ]

    run(api, test)
