"""Events give way to bindings."""

from __future__ import annotations

import asyncio

import pytest
from memory_api import MemoryApi
from test_preempt import entry
from test_scheduler_loop import until

from cybernetes.base.clock import SystemClock
from cybernetes.client.api import ApiClient
from cybernetes.scheduler.announce import BUSY_PAUSE_S, Announcer


class Clock(SystemClock):
    """Remembers how long it was asked to sleep, and does not."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


@pytest.mark.parametrize("busy", [True, False])
async def test_an_event_waits_while_bindings_wait_for_each_other(busy: bool) -> None:
    api, clock = MemoryApi(), Clock()
    announcer = Announcer(ApiClient(api, user_agent="test", clock=clock), clock, "h", lambda: busy)
    announcer.scheduled(entry("web"), "a")
    running = asyncio.create_task(announcer.run())
    assert await until(lambda: api.events("Scheduled"))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (BUSY_PAUSE_S in clock.slept) is busy
