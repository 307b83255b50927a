"""A time limit that all requests share: each is ended at its own time, and only what was late."""

from __future__ import annotations

import asyncio

import pytest

from cybernetes.apiserver.time_limit import TimeLimit


async def held(limit: TimeLimit, ended: asyncio.Event) -> str:
    try:
        with limit.hold():
            await ended.wait()
            return "done"
    except TimeoutError:
        return "late"


def test_what_is_late_ends_and_what_is_not_goes_on() -> None:
    async def main() -> None:
        limit, ended, never = TimeLimit(0.02), asyncio.Event(), asyncio.Event()
        quick = asyncio.ensure_future(held(limit, ended))
        slow = asyncio.ensure_future(held(limit, never))
        await asyncio.sleep(0)
        ended.set()
        assert await quick == "done"
        following = asyncio.ensure_future(held(limit, never))
        assert await slow == "late"
        assert await following == "late"
        # And once more, after the timer had nothing to watch.
        assert await held(limit, never) == "late"

    asyncio.run(main())


def test_a_cancellation_from_elsewhere_stays_one() -> None:
    async def main() -> None:
        task = asyncio.ensure_future(held(TimeLimit(60.0), asyncio.Event()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_task_that_was_late_may_go_on_and_is_not_cancelled_again() -> None:
    async def main() -> None:
        limit = TimeLimit(0.01)
        assert await held(limit, asyncio.Event()) == "late"
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()
        with limit.hold():
            await asyncio.sleep(0)

    asyncio.run(main())


def test_what_else_fails_is_told_as_it_is() -> None:
    async def main() -> None:
        limit = TimeLimit(60.0)
        with pytest.raises(LookupError), limit.hold():
            raise LookupError("a bug")

    asyncio.run(main())
