"""Keys that wait for work: each key once, never worked on twice at the same time, failures later and later."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from cybernetes.base.clock import Clock
from cybernetes.base.random import Random
from cybernetes.base.tasks import backoff

K = TypeVar("K", bound=Hashable)

# Distinct keys that may wait; ten times the objects that one resource is expected to hold.
KEYS_MAX = 500_000
FIRST_WAIT_S = 0.005
WAIT_LIMIT_S = 1000.0


class QueueClosed(Exception):
    """No more keys will come."""


class WorkQueue(Generic[K]):
    """A key added while it waits stays once; added while it is worked on, it waits again after `done`.

    Order is first in, first out, and a key that comes back stands at the end, so a busy key can't starve
    others. At KEYS_MAX a new key is refused and `overflowed` is set: the owner must then add
    everything it knows again, which is what a restart does. `adds` and `retries` count since the start.
    """

    def __init__(
        self,
        clock: Clock,
        random: Random,
        *,
        first_wait_s: float = FIRST_WAIT_S,
        wait_limit_s: float = WAIT_LIMIT_S,
        keys_max: int = KEYS_MAX,
    ) -> None:
        self.overflowed = False
        self.adds = 0
        self.retries = 0
        self._clock = clock
        self._random = random
        self._first_wait_s = first_wait_s
        self._wait_limit_s = wait_limit_s
        self._keys_max = keys_max
        self._ready: deque[K] = deque()
        self._dirty: set[K] = set()
        self._working: set[K] = set()
        self._failures: dict[K, int] = {}
        self._due: dict[K, float] = {}
        self._delayed: list[tuple[float, int, K]] = []
        self._order = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def idle(self) -> bool:
        """Whether nothing is ready or being worked on; delayed keys may still be waiting."""
        return not self._dirty and not self._working

    def add(self, key: K) -> None:
        if key in self._dirty or self._closed:
            return
        if len(self._dirty) >= self._keys_max:
            self.overflowed = True
            return
        self._dirty.add(key)
        self.adds += 1
        if key not in self._working:
            self._ready.append(key)
            self._wake()

    def add_after(self, key: K, seconds: float) -> None:
        """Add the key in `seconds`; of several times asked for, the soonest counts."""
        if seconds <= 0:
            self.add(key)
            return
        due = self._clock.monotonic() + seconds
        if self._due.get(key, due + 1) <= due:
            return
        if key not in self._due and len(self._due) >= self._keys_max:
            self.overflowed = True
            return
        self._due[key] = due
        self._order += 1
        heapq.heappush(self._delayed, (due, self._order, key))
        # Whoever waits has set its timer for another time.
        self._wake()

    def retry(self, key: K, at_least_s: float = 0) -> float:
        """Add the key again after a failure; the wait doubles with each until `forget`. Returns the wait."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.retries += 1
        wait_s = backoff(failures, first_s=self._first_wait_s, limit_s=self._wait_limit_s, random=self._random)
        wait_s = max(wait_s, at_least_s)
        self.add_after(key, wait_s)
        return wait_s

    def forget(self, key: K) -> None:
        """The key succeeded: its next failure waits shortly again."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """The next key; the caller must call `done`. Raises QueueClosed."""
        while True:
            self._release_due()
            if self._ready:
                key = self._ready.popleft()
                self._dirty.discard(key)
                self._working.add(key)
                return key
            if self._closed:
                raise QueueClosed
            await self._wait()

    def done(self, key: K) -> None:
        self._working.discard(key)
        if key in self._dirty:
            self._ready.append(key)
            self._wake()

    def close(self) -> None:
        self._closed = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _release_due(self) -> None:
        now = self._clock.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            due, _, key = heapq.heappop(self._delayed)
            # An entry that a sooner one has replaced is void.
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append(waiter)
        timer = None
        if self._delayed:
            timer = loop.call_later(self._delayed[0][0] - self._clock.monotonic(), _resolve, waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                # This waiter was woken for a key that it will not take.
                self._wake()
            raise
        finally:
            if timer is not None:
                timer.cancel()
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
