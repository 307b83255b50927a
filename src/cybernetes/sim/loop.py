"""An event loop in which time is a number: waiting costs nothing, and a component can vanish in the middle of anything.

enters   coroutines; owners that callbacks belong to
leaves   the same run for the same input, a day in a millisecond when nothing happens in it
holds    after `Owner.alive` is False no callback of that owner runs, not even a `finally`
fails    Deadlock when nothing can run and no timer is set; Livelock when time stands still

Sets of tasks, as in asyncio.TaskGroup, are iterated in an order that depends on addresses. Tasks of this
loop are hashed by their number instead.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

# Wall time at the start of a run.
EPOCH = 1_700_000_000.0
# What a turn of the loop takes: time that stood still would let a loop that waits for "the rest" turn for ever.
TURN_S = 1e-9
# Turns of the loop within one instant; the start of a whole cluster takes some thousands.
TURNS_MAX = 100_000
# Tasks that have ended are forgotten when so many more are remembered than were left the last time.
TASKS_KEPT = 1000


class Deadlock(Exception):
    """Nothing can run and no timer is set."""


class Livelock(Exception):
    """Callbacks call each other without end, and time stands still."""


class Owner:
    """One life of a component: what runs in a context of this owner ends with it.

    graves   keeps what the dead would have done next: freeing it could run its `finally`
    """

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.alive = True
        self.graves: list[object] = []

    def __str__(self) -> str:
        return f"{self.name}#{self.number}"

    def die(self) -> None:
        self.alive = False


OWNER: ContextVar[Owner | None] = ContextVar("owner", default=None)


class NumberedTask(asyncio.Task[Any]):
    """A task whose place in a set does not depend on its address."""

    def __init__(
        self,
        number: int,
        work: Coroutine[Any, Any, Any],
        loop: asyncio.AbstractEventLoop,
        name: str | None,
        context: Context | None,
    ) -> None:
        # Before the rest, which already puts the task into a set.
        self._number = number
        super().__init__(work, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self._number


class Call(asyncio.TimerHandle):
    """A callback that waits for its turn; it never gets it when its owner is dead."""

    __slots__ = ("context", "owner")

    def __init__(
        self, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> None:
        self._when = when
        self._callback = callback
        self._args = args
        self._cancelled = False
        self.context = copy_context() if context is None else context
        self.owner = self.context.get(OWNER)

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = self._args = None  # type: ignore[assignment]


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's loop with turns of its own: no file is ever ready, and the next timer is due when nothing else is."""

    # asyncio asks at every future and at every handle.
    get_debug = bool

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._turns = 0
        self._numbers = itertools.count(1)
        self._waiting: deque[Call] = deque()
        # (when, in the order they were made, what)
        self._timers: list[tuple[float, int, Call]] = []
        # Whatever is not done is kept: a task that is freed while it waits would run its `finally`.
        self._tasks: list[NumberedTask] = []
        self._tasks_max = TASKS_KEPT
        self.create_future = partial(asyncio.Future, loop=self)  # type: ignore[method-assign]

    def time(self) -> float:
        return self._now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Call:
        call = Call(self._now, callback, args, context)
        self._waiting.append(call)
        return call

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Call:
        call = Call(when, callback, args, context)
        heapq.heappush(self._timers, (when, next(self._numbers), call))
        return call

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Call:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def create_task(  # type: ignore[override]
        self, work: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> NumberedTask:
        task = NumberedTask(next(self._numbers), work, self, name, context)
        self._tasks.append(task)
        if len(self._tasks) > self._tasks_max:
            self._tasks = [each for each in self._tasks if not each.done()]
            self._tasks_max = len(self._tasks) + TASKS_KEPT
        return task

    def _run_once(self) -> None:
        """Turns until the loop is stopped."""
        waiting, timers = self._waiting, self._timers
        while True:
            self._pass_time()
            while timers and timers[0][0] <= self._now:
                waiting.append(heapq.heappop(timers)[2])
            # What these add has its turn later.
            for _ in range(len(waiting)):
                call = waiting.popleft()
                if call._cancelled:
                    continue
                owner = call.owner
                if owner is None or owner.alive:
                    try:
                        call.context.run(call._callback, *call._args)
                    except (SystemExit, KeyboardInterrupt):
                        raise
                    except BaseException as error:
                        self.call_exception_handler({"message": f"exception in {call._callback}", "exception": error})
                else:
                    owner.graves.append(call)
            if self._stopping:  # type: ignore[attr-defined]
                return

    def _pass_time(self) -> None:
        timers = self._timers
        if self._waiting or self._stopping:  # type: ignore[attr-defined]
            self._now += TURN_S
            self._turns += 1
            if self._turns > TURNS_MAX:
                raise Livelock(f"more than {TURNS_MAX} turns at {self._now:.6f} s")
            return
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not timers:
            raise Deadlock("nothing can run and no timer is set")
        if timers[0][0] > self._now:
            self._now, self._turns = timers[0][0], 0


class VirtualClock:
    """A machine's clock: wall time may be stepped, monotonic time is the loop's."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start: float = EPOCH) -> None:
        self._loop = loop
        self._start = start

    def now(self) -> float:
        return self._start + self._loop.time()

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def step(self, seconds: float) -> None:
        """Move wall time, as a time server or an administrator would."""
        self._start += seconds


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end in virtual time, and clean up as asyncio.run does."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
