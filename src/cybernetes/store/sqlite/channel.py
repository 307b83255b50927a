"""The event loop's end of a connection to a writer in another process: jobs go out, groups come back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from cybernetes.store.sqlite.frames import Inbox, decode_committed, decode_opened, frame
from cybernetes.store.sqlite.jobs import Committed, Deliver, Failed, Job, Opened, Refusal


class Channel(asyncio.BufferedProtocol):
    """begin: takes the first frame, or what is told in its place when the connection ends before.

    deliver  takes every group, in order, and at the end one that says `lost`
    """

    def __init__(self, begin: Callable[[Opened | Failed], object], deliver: Deliver, lost: Failed) -> None:
        self._begin = begin
        self._deliver = deliver
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._jobs: list[Job] = []
        self._inbox = Inbox()
        self._begun = False
        self.gone: asyncio.Future[None] = self._loop.create_future()

    def submit(self, job: Job) -> None:
        if self.gone.done():
            self._deliver(self._end())
            return
        if not self._jobs:
            self._loop.call_soon(self._flush)
        self._jobs.append(job)

    async def stop(self) -> None:
        """Send what was submitted, and wait until the other end worked it off and closed."""
        self._flush()
        if not self.gone.done():
            self._transport.write_eof()
        await self.gone

    def abort(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def get_buffer(self, _hint: int) -> memoryview:
        return self._inbox.space()

    def buffer_updated(self, count: int) -> None:
        for payload in self._inbox.received(count):
            if self._begun:
                self._deliver(decode_committed(payload))
            else:
                self._begun = True
                self._begin(decode_opened(payload))

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        self.gone.set_result(None)
        if self._begun:
            self._deliver(self._end())
        else:
            self._begin(self._lost)

    def _flush(self) -> None:
        jobs, self._jobs = self._jobs, []
        if jobs and not self.gone.done():
            self._transport.write(frame(jobs))

    def _end(self) -> Committed:
        """No answers, and nothing more can be written."""
        return Committed([], [], 0, self._lost)


def settle(future: asyncio.Future[int], answer: int | Refusal) -> None:
    """Tell a waiter, unless it was cancelled meanwhile."""
    if future.done():
        return
    if isinstance(answer, int):
        future.set_result(answer)
    else:
        future.set_exception(answer.error())
