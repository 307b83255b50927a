"""The log backend: events go to a file in a thread, in order, several at a time."""

from __future__ import annotations

import asyncio
from collections import deque

from cybernetes.apiserver.audit.numbers import Numbers
from cybernetes.apiserver.audit.rotation import RotatingFile
from cybernetes.base.clock import Clock
from cybernetes.base.log import Log

log = Log("apiserver.audit")

# Events that wait for the disk before new requests wait too. An event is some kilobytes.
WAITING_MAX = 10_000
# Requests that were let in add theirs beyond that; more than this is lost, should the disk fail for good.
KEPT_MAX = 2 * WAITING_MAX
RETRY_S = 1.0
# A thread is woken for what came within this time, unless much did: each waking costs more than a line.
GATHER_S = 0.02
GATHERED = 100


class LogFile:
    def __init__(self, file: RotatingFile, numbers: Numbers, clock: Clock, *, waiting_max: int = WAITING_MAX) -> None:
        self._file = file
        self._errors = numbers.errors.labels("log")
        self._clock = clock
        self._waiting_max = waiting_max
        self._kept_max = waiting_max * (KEPT_MAX // WAITING_MAX)
        self._lines: deque[bytes] = deque()
        self._came = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._failing = False

    def put(self, line: bytes) -> None:
        if len(self._lines) >= self._kept_max:
            self._errors.inc()
            return
        self._lines.append(line)
        if len(self._lines) >= self._waiting_max and not self._failing:
            self._room.clear()
        self._came.set()

    async def room(self) -> None:
        await self._room.wait()

    async def run(self) -> None:
        try:
            while True:
                await self._came.wait()
                if len(self._lines) < GATHERED:
                    await self._clock.sleep(GATHER_S)
                self._came.clear()
                await self._write()
        finally:
            self._finish()

    async def _write(self) -> None:
        taken = len(self._lines)
        writing = asyncio.ensure_future(asyncio.to_thread(self._file.write, b"".join(self._lines)))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            # The thread can't be stopped; what it writes must not be written twice.
            await asyncio.wait((writing,))
            if writing.exception() is None:
                self._forget(taken)
            raise
        except OSError as broken:
            await self._failed(broken)
            return
        self._failing = False
        self._forget(taken)

    def _forget(self, count: int) -> None:
        for _ in range(count):
            self._lines.popleft()
        if len(self._lines) < self._waiting_max:
            self._room.set()

    async def _failed(self, broken: OSError) -> None:
        """Requests go on without the log rather than stand still; what fits is kept until the disk is well again."""
        if not self._failing:
            log.error("audit.failed", broken, waiting=len(self._lines))
        self._failing = True
        self._room.set()
        self._file.close()
        await self._clock.sleep(RETRY_S)
        self._came.set()

    def _finish(self) -> None:
        try:
            if self._lines:
                self._file.write(b"".join(self._lines))
        except OSError as broken:
            self._errors.inc(len(self._lines))
            log.error("audit.lost", broken, events=len(self._lines))
        finally:
            self._lines.clear()
            self._file.close()
