"""Time, behind a protocol: the simulation owns it, everything else asks it."""

from __future__ import annotations

import asyncio
import datetime
import time
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Wall time, seconds since the epoch; may step back."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; for lengths and deadlines."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def rfc3339(now: float) -> str:
    """`2006-01-02T15:04:05Z`: metav1.Time, whole seconds, UTC."""
    return _of_second(int(now // 1))


@lru_cache(maxsize=64)
def _of_second(second: int) -> str:
    """Thousands of objects are made in the same one."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


def rfc3339_micro(now: float) -> str:
    """`2006-01-02T15:04:05.000000Z`: metav1.MicroTime."""
    whole, fraction = divmod(round(now * 1_000_000), 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{fraction:06d}Z"


def parse_rfc3339(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time; ValueError when it is none."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
