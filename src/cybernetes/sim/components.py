"""Components that can be killed at any moment and are started again, as the supervisor of a machine does.

enters   `serve`, a coroutine function that builds a component on the edges it is given and runs it
leaves   lives, one after the other
holds    after `kill` nothing of that life runs; the next one starts with nothing but its disk
fails    an error that is not of the world's making is written down as a violation
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.random import Random, SeededRandom
from cybernetes.client.leader import LeaseLost
from cybernetes.sim.loop import OWNER, Owner
from cybernetes.sim.transcript import Transcript

# How soon the supervisor starts again what ended.
RESTART_S = 1.0
# What may end a component: the world's failures, and losing the lead.
_EXPECTED = (EdgeError, ApiError, LeaseLost)

Serve = Callable[[Random], Coroutine[Any, Any, None]]


class Component:
    """on_end: called when a life has ended, whichever way."""

    def __init__(
        self, name: str, serve: Serve, seed: int, transcript: Transcript, on_end: Callable[[Owner], None]
    ) -> None:
        self.name = name
        self._serve = serve
        self._seed = seed
        self._transcript = transcript
        self._on_end = on_end
        self._lives = 0
        self._owner: Owner | None = None
        self._task: asyncio.Task[None] | None = None
        self._held = False
        # Former lives: freeing what they held would run their `finally`, and close their files.
        self._past: list[object] = []
        # A component may be killed from within; what follows belongs to nobody.
        self._outside = contextvars.copy_context()

    @property
    def alive(self) -> bool:
        return self._owner is not None

    def start(self) -> None:
        if self._held or self._owner is not None:
            return
        self._lives += 1
        owner = self._owner = Owner(self.name, self._lives)
        self._transcript.say(f"up {owner}")
        context = self._outside.copy()
        context.run(OWNER.set, owner)
        work = self._serve(_random(self._seed, self.name, self._lives))
        task = asyncio.get_running_loop().create_task(work, name=str(owner), context=context)
        task.add_done_callback(lambda done: self._ended(owner, done), context=self._outside)
        self._past += (owner, self._task)
        self._task = task

    def kill(self, *, back_after_s: float | None = RESTART_S) -> None:
        """End it between two instructions. None: it stays down until `release`."""
        self._held = back_after_s is None
        owner, self._owner = self._owner, None
        if owner is not None:
            self._transcript.say(f"killed {owner}")
            owner.die()
            self._on_end(owner)
        if back_after_s is not None:
            self._start_after(back_after_s)

    async def stop(self) -> None:
        """End it as its supervisor would, with time to clean up; it stays down."""
        self._held = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    def release(self) -> None:
        self._held = False
        self.start()

    def _ended(self, owner: Owner, task: asyncio.Task[None]) -> None:
        if self._owner is not owner:
            return
        self._owner = None
        owner.die()
        error = None if task.cancelled() else task.exception()
        for each in _leaves(error):
            if not isinstance(each, _EXPECTED):
                self._transcript.broken(f"{owner} ended by {type(each).__name__}: {each} {_where(each)}")
        self._transcript.say(f"ended {owner} {_first(error)}")
        self._on_end(owner)
        self._start_after(RESTART_S)

    def _start_after(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.start, context=self._outside)


def _leaves(error: BaseException | None) -> list[BaseException]:
    if error is None:
        return []
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]


def _first(error: BaseException | None) -> str:
    leaves = _leaves(error)
    return f"{type(leaves[0]).__name__}" if leaves else "by itself"


def _where(error: BaseException) -> str:
    """File and line of the innermost frame."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"({trace.tb_frame.f_code.co_filename.rpartition('cybernetes/')[2]}:{trace.tb_lineno})" if trace else ""


def _random(seed: int, name: str, life: int) -> Random:
    """Each life draws from a stream of its own, so that one more draw in one component moves nothing in another."""
    return SeededRandom(int.from_bytes(f"{seed}/{name}/{life}".encode(), "big"))
