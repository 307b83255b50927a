"""The promises of WorkQueue."""

from __future__ import annotations

import asyncio

import pytest
import virtual

from cybernetes.base.random import SeededRandom
from cybernetes.client.queue import QueueClosed, WorkQueue


def queue(**options: float) -> WorkQueue[str]:
    return WorkQueue(virtual.VirtualClock(), SeededRandom(1), **options)  # type: ignore[arg-type]


def test_a_waiting_key_is_there_once_and_order_holds() -> None:
    async def main() -> None:
        q = queue()
        for key in ("a", "b", "a"):
            q.add(key)
        assert len(q) == 2
        assert [await q.get(), await q.get()] == ["a", "b"]

    virtual.run(main())


def test_a_key_that_is_worked_on_waits_until_done() -> None:
    async def main() -> None:
        q = queue()
        q.add("a")
        assert await q.get() == "a"
        q.add("a")
        q.add("b")
        assert await q.get() == "b"
        assert len(q) == 0
        q.done("a")
        assert await q.get() == "a"
        q.done("a")
        q.done("b")
        assert q.idle

    virtual.run(main())


def test_delayed_keys_come_in_time_and_the_soonest_counts() -> None:
    async def main() -> None:
        q = queue()
        loop = asyncio.get_running_loop()
        q.add_after("late", 10)
        q.add_after("soon", 5)
        q.add_after("late", 2)
        q.add_after("late", 60)
        got = []
        for _ in range(2):
            got.append((await q.get(), round(loop.time())))
        assert got == [("late", 2), ("soon", 5)]

    virtual.run(main())


def test_a_delay_set_while_workers_wait_wakes_them_in_time() -> None:
    async def main() -> None:
        q = queue()
        loop = asyncio.get_running_loop()

        async def worker() -> tuple[str, int]:
            return await q.get(), round(loop.time())

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(worker(), name=f"w{n}") for n in range(2)]
            await asyncio.sleep(0)
            q.add_after("slow", 50)
            await asyncio.sleep(1)
            q.add_after("quick", 3)
        assert sorted(task.result() for task in tasks) == [("quick", 4), ("slow", 50)]

    virtual.run(main())


def test_failures_wait_longer_until_forgotten() -> None:
    async def main() -> None:
        q = queue(first_wait_s=1, wait_limit_s=10)
        waits = [round(q.retry("a")) for _ in range(6)]
        assert waits[:3] == [1, 2, 4] and all(w in (10, 11) for w in waits[4:])
        q.forget("a")
        assert round(q.retry("a")) == 1
        assert q.retry("b", at_least_s=30) == 30

    virtual.run(main())


def test_at_the_limit_new_keys_are_refused_and_it_says_so() -> None:
    async def main() -> None:
        q = queue(keys_max=2)
        for key in ("a", "b", "a", "c"):
            q.add(key)
        assert len(q) == 2 and q.overflowed

    virtual.run(main())


def test_a_cancelled_worker_loses_no_key() -> None:
    async def main() -> None:
        q = queue()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(q.get(), name="first")
            second = group.create_task(q.get(), name="second")
            await asyncio.sleep(0)
            q.add("a")
            first.cancel()
            assert await second == "a"

    virtual.run(main())


def test_closing_lets_workers_go() -> None:
    async def main() -> None:
        q = queue()

        async def expect_closed() -> None:
            with pytest.raises(QueueClosed):
                await q.get()

        async with asyncio.TaskGroup() as group:
            group.create_task(expect_closed(), name="worker")
            await asyncio.sleep(0)
            q.close()

    virtual.run(main())
