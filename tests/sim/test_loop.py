"""Time that jumps, and components that vanish."""

from __future__ import annotations

import asyncio
import contextvars
import time

import pytest

from cybernetes.sim.loop import EPOCH, OWNER, Deadlock, Livelock, Owner, VirtualClock, run


def test_a_day_passes_at_once() -> None:
    async def main() -> float:
        clock = VirtualClock(asyncio.get_running_loop())
        await clock.sleep(86_400)
        return clock.now()

    began = time.monotonic()
    assert run(main()) == pytest.approx(EPOCH + 86_400)
    assert time.monotonic() - began < 3600


def test_timeouts_and_groups_work_in_order_of_time() -> None:
    order: list[str] = []

    async def after(seconds: float, name: str) -> None:
        await asyncio.sleep(seconds)
        order.append(name)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(after(3, "c"))
            group.create_task(after(1, "a"))
            group.create_task(after(2, "b"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(6)
        order.append(f"{asyncio.get_running_loop().time():g}")

    run(main())
    assert order == ["a", "b", "c", "8"]


def test_wall_time_may_be_stepped_and_monotonic_time_not() -> None:
    async def main() -> tuple[float, float]:
        clock = VirtualClock(asyncio.get_running_loop())
        clock.step(-30)
        return clock.now(), clock.monotonic()

    assert run(main()) == (pytest.approx(EPOCH - 30), pytest.approx(0.0, abs=1e-6))


def test_waiting_for_the_rest_ends() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(15.318336)
        due = loop.time() + 1.8e-15
        while loop.time() < due:  # noqa: ASYNC110 -- as a worker that is woken early
            await asyncio.sleep(due - loop.time())

    run(main())


def test_waiting_for_nothing_is_a_deadlock() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run(main())


def test_time_that_stands_still_is_a_livelock() -> None:
    async def main() -> None:
        while True:  # noqa: ASYNC110 -- the point
            await asyncio.sleep(0)

    with pytest.raises(Livelock):
        run(main())


def test_nothing_of_the_dead_runs_not_even_its_cleaning_up() -> None:
    said: list[str] = []

    async def live() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(tick())
        finally:
            said.append("cleaned up")

    async def tick() -> None:
        while True:
            said.append("tick")
            await asyncio.sleep(1)

    async def main() -> None:
        owner, context = Owner("victim", 1), contextvars.copy_context()
        context.run(OWNER.set, owner)
        task = asyncio.get_running_loop().create_task(live(), context=context)
        await asyncio.sleep(1.5)
        owner.die()
        await asyncio.sleep(10)
        assert not task.done()
        assert said == ["tick", "tick"]
        # So that the end of the test may clean up.
        owner.alive = True

    run(main())
