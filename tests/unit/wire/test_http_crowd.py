"""How many connections are open, and when memory of those that left is given back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from cybernetes.base import memory
from cybernetes.wire.http.connection import Connection
from cybernetes.wire.http.crowd import LEFT_MANY, Crowd
from cybernetes.wire.http.message import Request, Response


def handle(request: Request) -> Awaitable[Response]:
    raise AssertionError(request.path)


def members(crowd: Crowd, count: int) -> list[Connection]:
    found = [Connection(handle, lambda: "", crowd) for _ in range(count)]
    for each in found:
        crowd.join(each)
    return found


async def turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_memory_is_given_back_after_many_left_and_not_before() -> None:
    async def main() -> None:
        calls: list[int] = []
        crowd = Crowd(lambda: calls.append(len(list(crowd))), 0)
        there = members(crowd, LEFT_MANY + 10)
        for each in there[: LEFT_MANY - 1]:
            crowd.leave(each)
        await turns()
        assert calls == []
        crowd.leave(there[LEFT_MANY - 1])
        await turns()
        assert calls == [10]
        for each in there[LEFT_MANY:]:
            crowd.leave(each)
        await turns()
        assert calls == [10]

    asyncio.run(main())


def test_memory_of_all_that_leave_at_once_is_given_back_after_the_last() -> None:
    async def main() -> None:
        calls: list[int] = []
        crowd = Crowd(lambda: calls.append(len(list(crowd))), 0)
        for each in members(crowd, 3 * LEFT_MANY):
            crowd.leave(each)
        assert calls == []
        await turns()
        assert calls == [0]

    asyncio.run(main())


def test_few_that_come_and_go_never_give_memory_back() -> None:
    async def main() -> None:
        calls: list[int] = []
        crowd = Crowd(lambda: calls.append(1), 0)
        for _ in range(LEFT_MANY * 2):
            (one,) = members(crowd, 1)
            crowd.leave(one)
        await turns()
        assert calls == []

    asyncio.run(main())


def test_giving_memory_back_works_on_this_machine() -> None:
    held = [bytes(100_000) for _ in range(10)]
    memory.give_back()
    assert all(len(each) == 100_000 for each in held)
