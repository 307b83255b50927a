"""The writer on the event loop itself: for simulations and small tests; the disk holds up the loop."""

from __future__ import annotations

import asyncio
from collections import deque

from cybernetes.store.sqlite.jobs import GROUP_MAX, Deliver, Job, Opening
from cybernetes.store.sqlite.writer import Writer


async def launch(opening: Opening, _lock: int, deliver: Deliver) -> InlineWriter:
    return InlineWriter(Writer(opening), deliver)


class InlineWriter:
    """Writes after the callbacks that are ready now, so that what they submit forms one group."""

    def __init__(self, writer: Writer, deliver: Deliver) -> None:
        self._writer = writer
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[Job] = deque()
        self._scheduled = False
        self._stopped = False
        self.opened = writer.opened

    def submit(self, job: Job) -> None:
        self._jobs.append(job)
        self._schedule()

    async def stop(self) -> None:
        while self._jobs:
            self._write()
        self._stopped = True
        self._writer.close()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._step)

    def _step(self) -> None:
        self._scheduled = False
        if self._stopped:
            return
        if self._jobs:
            self._write()
            self._schedule()
        elif self._writer.housekeep():
            self._schedule()

    def _write(self) -> None:
        group = [self._jobs.popleft() for _ in range(min(GROUP_MAX, len(self._jobs)))]
        self._deliver(self._writer.write(group))
