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
import itertools
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

# Wall time at the start of a run.
EPOCH = 1_700_000_000.0
# What a turn of the loop takes.
TURN_S = 1e-9
# Turns of the loop within one instant; the start of a whole cluster takes some thousands.
TURNS_MAX = 100_000


class Deadlock(Exception):
    """Nothing can run and no timer is set."""


class Livelock(Exception):
    """Callbacks call each other without end, and time stands still."""


class Owner:
    """One life of a component: what runs in a context of this owner ends with it.

    graves   keeps what the dead was doing: a task that is freed while it waits would run its `finally`
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
        self.graves += asyncio.all_tasks()


OWNER: ContextVar[Owner | None] = ContextVar("owner", default=None)


class NumberedTask(asyncio.Task[Any]):
    """A task whose place in a set does not depend on its address."""

    def __init__(
        self, number: int, work: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop, context: Context | None
    ) -> None:
        # Before the rest, which already puts the task into a set.
        self._number = number
        super().__init__(work, loop=loop, context=context)

    def __hash__(self) -> int:
        return self._number


class _Jumping(selectors.SelectSelector):
    """Moves time to the next timer instead of waiting for it. No file is ever ready."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.turns = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Deadlock("nothing can run and no timer is set")
        if timeout > 0:
            self.now += timeout
            self.turns = 0
            return []
        # asyncio fires timers up to a nanosecond early: time that stood still then would let a loop that waits for
        # "the rest" turn for ever.
        self.now += TURN_S
        self.turns += 1
        if self.turns > TURNS_MAX:
            raise Livelock(f"more than {TURNS_MAX} turns at {self.now:.6f} s")
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)
        self._numbers = itertools.count(1)
        self.set_task_factory(self._make_task)  # type: ignore[arg-type]

    def time(self) -> float:
        return self._jumping.now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        owner = OWNER.get() if context is None else context.get(OWNER)
        if owner is None:
            return super().call_soon(callback, *args, context=context)
        return super().call_soon(_guarded, owner, callback, args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        owner = OWNER.get() if context is None else context.get(OWNER)
        if owner is None:
            return super().call_at(when, callback, *args, context=context)
        return super().call_at(when, _guarded, owner, callback, args, context=context)

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], context: Context | None = None
    ) -> NumberedTask:
        return NumberedTask(next(self._numbers), work, loop, context)


def _guarded(owner: Owner, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
    if owner.alive:
        callback(*args)
    else:
        owner.graves.append((callback, args))


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
