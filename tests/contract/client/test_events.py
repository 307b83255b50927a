"""Events are said once, counted, combined and limited."""

from __future__ import annotations

import asyncio

import virtual
from fake_api import FakeApi

from cybernetes.client.api import ApiClient
from cybernetes.client.events import BURST, PENDING_MAX, EventRecorder, Reference

POD = Reference("Pod", "v1", "web", "shop", uid="u1")


def connect() -> tuple[FakeApi, EventRecorder]:
    clock = virtual.VirtualClock()
    api = FakeApi(clock)
    client = ApiClient(api, user_agent="test", clock=clock)
    return api, EventRecorder(client, component="replicaset-controller", clock=clock)


def test_an_event_names_its_object_and_source() -> None:
    async def main() -> None:
        api, recorder = connect()
        recorder.normal(POD, "Started", "Container started")
        await recorder.flush()
        [event] = api.all("events")
        assert event["metadata"]["name"].startswith("web.") and event["metadata"]["namespace"] == "shop"
        assert event["involvedObject"] == {
            "kind": "Pod",
            "namespace": "shop",
            "name": "web",
            "uid": "u1",
            "apiVersion": "v1",
        }
        assert (event["type"], event["reason"], event["count"]) == ("Normal", "Started", 1)
        assert event["source"] == {"component": "replicaset-controller"}
        assert event["firstTimestamp"] == event["lastTimestamp"] == "2023-11-14T22:13:20Z"

    virtual.run(main())


def test_equal_events_are_counted() -> None:
    async def main() -> None:
        api, recorder = connect()
        for _ in range(3):
            recorder.warning(POD, "BackOff", "again")
            await recorder.flush()
            await asyncio.sleep(60)
        [event] = api.all("events")
        assert event["count"] == 3
        assert event["firstTimestamp"] < event["lastTimestamp"]

    virtual.run(main())


def test_equal_events_are_counted_while_their_object_changes() -> None:
    async def main() -> None:
        api, recorder = connect()
        for version in ("7", "8", "9"):
            about = Reference("Pod", "v1", "web", "shop", uid="u1", resource_version=version)
            recorder.warning(about, "BackOff", "again")
            await recorder.flush()
        [event] = api.all("events")
        assert (event["count"], event["involvedObject"]["resourceVersion"]) == (3, "7")

    virtual.run(main())


def test_an_event_that_the_server_forgot_is_said_anew() -> None:
    async def main() -> None:
        api, recorder = connect()
        recorder.warning(POD, "BackOff", "again")
        await recorder.flush()
        api.remove("events", api.all("events")[0]["metadata"]["name"], "shop")
        await asyncio.sleep(3600)
        recorder.warning(POD, "BackOff", "again")
        await recorder.flush()
        assert [each["count"] for each in api.all("events")] == [1]

    virtual.run(main())


def test_many_that_differ_only_in_their_message_are_combined() -> None:
    async def main() -> None:
        api, recorder = connect()
        for n in range(15):
            recorder.normal(POD, "SuccessfulCreate", f"Created pod: web-{n}")
            await recorder.flush()
            await asyncio.sleep(1)
        messages = {each["message"]: each["count"] for each in api.all("events")}
        assert len(messages) == 10
        assert messages["(combined from similar events): Created pod: web-14"] == 6

    virtual.run(main())


def test_one_object_gets_a_burst_and_then_one_in_five_minutes() -> None:
    async def main() -> None:
        api, recorder = connect()

        def said() -> int:
            return sum(each["count"] for each in api.all("events"))

        for _ in range(BURST + 10):
            recorder.warning(POD, "BackOff", "again")
            await recorder.flush()
        assert said() == BURST
        await asyncio.sleep(301)
        recorder.warning(POD, "BackOff", "again")
        await recorder.flush()
        assert said() == BURST + 1

    virtual.run(main())


def test_a_dead_server_delays_events_and_a_full_queue_drops_them() -> None:
    async def main() -> None:
        api, recorder = connect()
        api.down = True
        for _ in range(PENDING_MAX + 5):
            recorder.warning(POD, "BackOff", "again")
        async with asyncio.TaskGroup() as group:
            task = group.create_task(recorder.run(), name="events")
            await asyncio.sleep(15)
            api.down = False
            await asyncio.sleep(60)
            task.cancel()
        assert sum(each["count"] for each in api.all("events")) == BURST

    virtual.run(main())
