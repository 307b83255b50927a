"""Where SQLite's calls run: on threads of their own, or inline, for a simulation without threads.

A queue takes jobs from the event loop and hands them to `work` in groups: all that came while the last
group was written. Its results come back to the event loop, in order.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import msgspec

T = TypeVar("T")

# Bounds what one commit holds back: 256 writes take some 8 ms.
GROUP_MAX = 256
# Between two steps of housekeeping, so that it stays in the background.
HOUSEKEEPING_PAUSE_S = 0.005

Work = Callable[[list[Any]], Any]
Housekeeping = Callable[[], bool]
Deliver = Callable[[Any], None]


class JobQueue(Protocol):
    """Made with `work`, `housekeeping` (one small step when idle; True while there is more) and `deliver`."""

    def submit(self, job: Any) -> None: ...

    async def stop(self) -> None:
        """Work off what was submitted, deliver it, and end."""
        ...


class Offload(Protocol):
    async def run(self, call: Callable[[], T]) -> T: ...

    def stop(self) -> None: ...


class ThreadQueue:
    def __init__(self, work: Work, housekeeping: Housekeeping, deliver: Deliver) -> None:
        self._work = work
        self._housekeeping = housekeeping
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._ended = asyncio.Event()
        # A daemon, so that a process whose loop died without closing the store still ends.
        self._thread = threading.Thread(target=self._run, name="store.writer", daemon=True)
        self._thread.start()

    def submit(self, job: Any) -> None:
        self._jobs.put(job)

    async def stop(self) -> None:
        self._jobs.put(None)
        await self._ended.wait()
        self._thread.join()

    def _run(self) -> None:
        more = False
        while True:
            group = self._next_group(HOUSEKEEPING_PAUSE_S if more else None)
            last = bool(group) and group[-1] is None
            if last:
                group.pop()
            if group:
                self._tell(self._deliver, self._work(group))
            if last:
                self._tell(self._ended.set)
                return
            more = True if group else self._housekeeping()

    def _next_group(self, timeout_s: float | None) -> list[Any]:
        group: list[Any] = []
        try:
            group.append(self._jobs.get(timeout=timeout_s))
            while len(group) < GROUP_MAX and group[-1] is not None:
                group.append(self._jobs.get_nowait())
        except queue.Empty:
            pass
        return group

    def _tell(self, callback: Callable[..., None], *arguments: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *arguments)


class InlineQueue:
    """Works on the event loop itself, after the callbacks that are ready now: they form one group."""

    def __init__(self, work: Work, housekeeping: Housekeeping, deliver: Deliver) -> None:
        self._work = work
        self._housekeeping = housekeeping
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[Any] = deque()
        self._scheduled = False
        self._stopped = False

    def submit(self, job: Any) -> None:
        self._jobs.append(job)
        self._schedule()

    async def stop(self) -> None:
        while self._jobs:
            self._step()
        self._stopped = True

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._step)

    def _step(self) -> None:
        self._scheduled = False
        if self._stopped:
            return
        group = [self._jobs.popleft() for _ in range(min(GROUP_MAX, len(self._jobs)))]
        more = True
        if group:
            self._deliver(self._work(group))
        else:
            more = self._housekeeping()
        if more or self._jobs:
            self._schedule()


class ThreadOffload:
    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="store.reader")

    async def run(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    def stop(self) -> None:
        self._executor.shutdown()


class InlineOffload:
    async def run(self, call: Callable[[], T]) -> T:
        return call()

    def stop(self) -> None:
        return


class Workers(msgspec.Struct, frozen=True):
    queue: Callable[[Work, Housekeeping, Deliver], JobQueue]
    offload: Callable[[], Offload]


THREADS = Workers(ThreadQueue, ThreadOffload)
INLINE = Workers(InlineQueue, InlineOffload)
