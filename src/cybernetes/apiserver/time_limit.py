"""One length of time for everything that runs, watched by one timer.

`asyncio.timeout` makes a timer for each of them, which is as dear as finding out who sends a request.
"""

from __future__ import annotations

import asyncio
from types import TracebackType


class TimeLimit:
    """`with limit.hold():` around work of the current task, which is cancelled after `seconds`.

    raises  TimeoutError in place of that cancellation; one that comes from elsewhere stays what it is
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        # In the order of their ends, since all are equally long.
        self._held: dict[_Held, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def hold(self) -> _Held:
        return _Held(self)

    def begin(self, held: _Held, loop: asyncio.AbstractEventLoop) -> None:
        self._held[held] = None
        if self._timer is None:
            self._timer = loop.call_at(held.end, self._look, loop)

    def finish(self, held: _Held) -> None:
        self._held.pop(held, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        for held in list(self._held):
            if held.end > loop.time():
                self._timer = loop.call_at(held.end, self._look, loop)
                return
            del self._held[held]
            held.cancel()


class _Held:
    __slots__ = ("_asked_before", "_late", "_limit", "_task", "end")

    def __init__(self, limit: TimeLimit) -> None:
        self._limit = limit
        self._late = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        loop = task.get_loop()
        self._task = task
        self._asked_before = task.cancelling()
        self.end = loop.time() + self._limit.seconds
        self._limit.begin(self, loop)

    def cancel(self) -> None:
        self._late = True
        self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._limit.finish(self)
        if self._late and self._task.uncancel() <= self._asked_before and kind is asyncio.CancelledError:
            raise TimeoutError from error
