"""Work that is repeated: now and then, or after it failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cybernetes.base.clock import Clock
from cybernetes.base.random import Random


def backoff(attempt: int, *, first_s: float, limit_s: float, random: Random) -> float:
    """Seconds to wait before attempt number `attempt` (0 is the first repeat); doubles, capped, jittered by 10 %."""
    return random.jitter(min(limit_s, first_s * 2 ** min(attempt, 30)), 0.1)


async def periodic(clock: Clock, every_s: float, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` now and every `every_s` seconds after it ended, until cancelled."""
    while True:
        await work()
        await clock.sleep(every_s)
