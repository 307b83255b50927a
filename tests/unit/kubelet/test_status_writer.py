"""Who wins when others write a pod's status, too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError
from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient
from cybernetes.kubelet.status import is_on_its_way
from cybernetes.kubelet.status_writer import StatusWriter

Object = dict[str, Any]


def ready(status: str) -> Object:
    return {"phase": "Running", "conditions": [{"type": "Ready", "status": status}]}


def pod(status: Object) -> Object:
    return {"metadata": {"name": "web", "namespace": "shop", "uid": "u1"}, "status": status}


class Server:
    """Takes patches of the one pod. When `between` is set, its status replaces the pod's before the answer is heard."""

    def __init__(self) -> None:
        self.status: Object = {}
        self.patches = 0
        self.between: Object | None = None
        self.writer: StatusWriter | None = None
        # Answers that are refusals before others; and whose name it is meanwhile.
        self.conflicts = 0
        self.uid = "u1"

    async def get(self, *_: object, **__: object) -> Object:
        return {"metadata": {"name": "web", "namespace": "shop", "uid": self.uid}}

    async def patch(self, *_: object, **__: object) -> Object:
        assert self.writer is not None
        self.patches += 1
        if self.conflicts:
            self.conflicts -= 1
            raise ApiError(409, "Conflict", "the object has been modified")
        answer = pod(ready("True"))
        self.status = answer["status"]
        if self.between is not None:
            # The watch is faster than the answer: it shows our write, and then somebody else's.
            self.writer.see(answer)
            self.status, self.between = self.between, None
            self.writer.see(pod(self.status))
        await asyncio.sleep(0)
        return answer


def written(server: Server) -> None:
    async def main() -> None:
        server.writer = StatusWriter(cast(ApiClient, server), SystemClock(), SeededRandom(1))
        server.writer.see(pod({}))
        server.writer.set(pod({}), ready("True"))
        running = asyncio.ensure_future(server.writer.run())
        async with asyncio.timeout(60):
            await server.writer.settled("u1")
        running.cancel()

    asyncio.run(main())


def test_a_conflict_with_other_writers_is_tried_again() -> None:
    server = Server()
    server.conflicts = 1
    written(server)
    assert (server.patches, server.status) == (2, ready("True"))


def test_nothing_is_written_to_another_pod_of_the_same_name() -> None:
    server = Server()
    server.conflicts, server.uid = 1, "u2"
    written(server)
    assert (server.patches, server.status) == (1, {})


def test_a_status_is_written_once() -> None:
    server = Server()
    written(server)
    assert server.status == ready("True")
    assert server.patches == 1


def test_a_change_by_somebody_else_that_the_watch_showed_before_the_answer_is_undone() -> None:
    server = Server()
    server.between = ready("False")
    written(server)
    assert server.status == ready("True")
    assert server.patches == 2


class Moment(SystemClock):
    """Sleeps until it is told that the time has come."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.sleepers = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.sleepers.set()
        await self.over.wait()


STEP = {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}
DELETED = {"metadata": {**pod({})["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}


@pytest.mark.parametrize("then", ["nothing", "ready", "deleted"])
def test_a_step_is_written_when_nothing_follows_it_soon(then: str) -> None:
    async def scenario() -> None:
        server, clock = Server(), Moment()
        writer = server.writer = StatusWriter(cast(ApiClient, server), clock, SeededRandom(1))
        running = asyncio.ensure_future(writer.run())
        writer.see(pod({}))
        writer.set(pod({}), STEP)
        async with asyncio.timeout(60):
            await clock.sleepers.wait()
            assert server.patches == 0
            if then == "nothing":
                clock.over.set()
            else:
                writer.set(pod({}) if then == "ready" else DELETED, ready("True") if then == "ready" else STEP)
            await writer.settled("u1")
        assert server.patches == 1
        running.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"phase": "Running"}, False),
        ({"reason": "Evicted"}, False),
        ({"initContainerStatuses": [{"state": {"running": {}}}]}, False),
        ({"initContainerStatuses": [{"state": {"waiting": {"reason": "PodInitializing"}}}]}, True),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]}, False),
    ],
)
def test_steps_on_the_way_are_told_from_what_a_pod_has_come_to(changed: Object, expected: bool) -> None:
    assert is_on_its_way({**STEP, **changed}) is expected


class Slow:
    """Numbers its versions; `before` happens while a patch is under way, given the number that the patch will get."""

    def __init__(self, before: Callable[[StatusWriter, int], None]) -> None:
        self.before = before
        self.version = 0
        self.writer: StatusWriter | None = None

    async def patch(self, *_: object, **__: object) -> Object:
        assert self.writer is not None
        self.version += 1
        self.before(self.writer, self.version)
        await asyncio.sleep(0)
        return version(self.version)


PHASES = {1: ready("False"), 2: ready("True")}


def version(number: int) -> Object:
    found = pod(PHASES[number])
    found["metadata"]["resourceVersion"] = str(number)
    return found


def late_during_the_next(writer: StatusWriter, number: int) -> None:
    if number == 2:
        writer.see(version(1))


def not_at_all(writer: StatusWriter, number: int) -> None:
    """The watch shows both only when both have been answered."""


@pytest.mark.parametrize(("before", "afterwards"), [(late_during_the_next, [2]), (not_at_all, [1, 2])])
def test_what_this_kubelet_wrote_and_the_watch_shows_late_is_no_news(
    before: Callable[[StatusWriter, int], None], afterwards: list[int]
) -> None:
    server = Slow(before)

    async def main() -> None:
        writer = server.writer = StatusWriter(cast(ApiClient, server), SystemClock(), SeededRandom(1))
        writer.see(pod({}))
        running = asyncio.ensure_future(writer.run())
        async with asyncio.timeout(60):
            for wanted in PHASES.values():
                writer.set(pod({}), wanted)
                await writer.settled("u1")
            for shown in afterwards:
                writer.see(version(shown))
                await writer.settled("u1")
        running.cancel()

    asyncio.run(main())
    assert server.version == 2
