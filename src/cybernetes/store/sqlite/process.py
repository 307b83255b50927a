"""The writer in a process of its own, over a socket pair.

Not a thread: a thread needs the interpreter's lock back after each call of SQLite, and behind a busy
event loop it waits for seconds (docs/adr/0001-store-format.md has the figures). The process also keeps
the work of SQLite, some 20 us a write, off the core that the event loop uses.

The child takes all jobs that came while it wrote as the next group, and ends at the end of its input,
after it worked off what it had read.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from typing import Any

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.store.sqlite.frames import Inbox, decode_committed, decode_opened, encode, frame
from cybernetes.store.sqlite.jobs import Committed, Deliver, Failed, Job, Opened, Opening

# Opening recovers a WAL of some megabytes and imports this module; a minute is a broken disk.
OPEN_TIMEOUT_S = 60


async def launch(opening: Opening, lock: int, deliver: Deliver) -> ProcessWriter:
    """Start the child; it inherits `lock`, so that the file stays ours until the child is gone too.

    Raises EdgeError with the child's words when it can't open the file.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        # Takes a millisecond or two, once; the loop has nothing to serve before its store is open.
        child = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-m", "cybernetes.store.sqlite.child", str(theirs.fileno()), encode(opening).hex()],
            pass_fds=(theirs.fileno(), lock),
            stdin=subprocess.DEVNULL,
        )
    loop = asyncio.get_running_loop()
    _, writer = await loop.create_unix_connection(lambda: ProcessWriter(child, opening.path, deliver), sock=ours)
    try:
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            opened = await writer.first
    except BaseException as error:
        child.kill()
        if not isinstance(error, TimeoutError):
            raise
        message = f"the writer did not open it in {OPEN_TIMEOUT_S} s"
        raise EdgeError("open", opening.path, message, outcome=Outcome.NOT_DONE) from error
    if isinstance(opened, Failed):
        await writer.stop()
        raise opened.error()
    writer.opened = opened
    return writer


class ProcessWriter(asyncio.BufferedProtocol):
    """The event loop's end of the pair.

    first    the child's first frame
    opened   set by `launch`
    """

    opened: Opened

    def __init__(self, child: subprocess.Popen[bytes], path: str, deliver: Deliver) -> None:
        self._child = child
        self._path = path
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._jobs: list[Job] = []
        self._inbox = Inbox()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self.first: asyncio.Future[Opened | Failed] = self._loop.create_future()

    def submit(self, job: Job) -> None:
        if self._gone.done():
            self._deliver(self._lost())
            return
        if not self._jobs:
            self._loop.call_soon(self._flush)
        self._jobs.append(job)

    async def stop(self) -> None:
        self._flush()
        if not self._gone.done():
            self._transport.write_eof()
        await self._gone
        self._child.wait()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def get_buffer(self, _hint: int) -> memoryview:
        return self._inbox.space()

    def buffer_updated(self, count: int) -> None:
        for payload in self._inbox.received(count):
            if self.first.done():
                self._deliver(decode_committed(payload))
            else:
                self.first.set_result(decode_opened(payload))

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        self._gone.set_result(None)
        if self.first.done():
            self._deliver(self._lost())
        else:
            self.first.set_result(self._lost_failure())

    def _flush(self) -> None:
        jobs, self._jobs = self._jobs, []
        if jobs and not self._gone.done():
            self._transport.write(frame(jobs))

    def _lost(self) -> Committed:
        """The child is gone: no answers, and nothing more can be written."""
        return Committed([], [], 0, self._lost_failure())

    def _lost_failure(self) -> Failed:
        message = f"the writer process {self._child.pid} ended; open the store again"
        return Failed("write", self._path, message, Outcome.UNKNOWN, Retry.NEVER)
