"""Ends leases when they are due: one sleep until the earliest of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from cybernetes.base.clock import Clock


class Expiry:
    """expire: ends the first lease that was due at a time. next_end: when the next one is due, None without leases."""

    def __init__(
        self, clock: Clock, expire: Callable[[float], Awaitable[int]], next_end: Callable[[], float | None]
    ) -> None:
        self._clock = clock
        self._expire = expire
        self._next_end = next_end
        self._sleeping: asyncio.Task[None] | None = None
        self._ends = float("inf")

    def plan(self, ends: float | None) -> None:
        """Wake up at `ends` unless something earlier is planned."""
        planned = self._sleeping is not None and not self._sleeping.done()
        if ends is None or (planned and ends >= self._ends):
            return
        self.stop()
        self._ends = ends
        self._sleeping = asyncio.get_running_loop().create_task(self._run(), name="store.leases")

    def stop(self) -> None:
        if self._sleeping is not None:
            self._sleeping.cancel()

    async def _run(self) -> None:
        ends: float | None = self._ends
        while ends is not None:
            self._ends = ends
            wait_s = ends - self._clock.now()
            if wait_s > 0:
                await self._clock.sleep(wait_s)
            else:
                await self._expire(self._clock.now())
            ends = self._next_end()
