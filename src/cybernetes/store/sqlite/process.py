"""The writer in a process of its own, over a socket pair.

Not a thread: a thread needs the interpreter's lock back after each call of SQLite, and behind a busy
event loop it waits for seconds (docs/adr/0001-store-format.md has the figures). The process also keeps
the work of SQLite, some 20 us a write, off the core that the event loop uses.

A frame is its length, four bytes, big-endian, and msgpack. The child answers `Opened` or `Failed`, and
then one `Committed` for each group; it takes all jobs that came while it wrote as the next group. It
ends at the end of its input, after it worked off what it had read.
"""

from __future__ import annotations

import asyncio
import gc
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from cybernetes.base.clock import Clock, SystemClock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.store.sqlite.jobs import (
    GROUP_MAX,
    Committed,
    Deliver,
    Failed,
    Job,
    Opened,
    Opening,
    failed,
)
from cybernetes.store.sqlite.writer import Writer

# Between two steps of housekeeping, so that it stays in the background.
HOUSEKEEPING_PAUSE_MS = 5
# A caller that writes again at once is met without two wake-ups: a quarter more commits alone, and less work
# for the event loop (perf/store.py). At most this much of another core for each group.
SPIN_S = 0.000_05
# Opening recovers a WAL of some megabytes and imports this module; a minute is a broken disk.
OPEN_TIMEOUT_S = 60
RECEIVE_BYTES = 1 << 20

_encode = msgspec.msgpack.Encoder().encode
_decode_opened = msgspec.msgpack.Decoder(Opened | Failed).decode
_decode_committed = msgspec.msgpack.Decoder(Committed).decode
_decode_jobs = msgspec.msgpack.Decoder(list[Job]).decode


async def launch(opening: Opening, lock: int, deliver: Deliver) -> ProcessWriter:
    """Start the child; it inherits `lock`, so that the file stays ours until the child is gone too.

    Raises EdgeError with the child's words when it can't open the file.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        # Takes a millisecond or two, once; the loop has nothing to serve before its store is open.
        child = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-m", __name__, str(theirs.fileno()), _encode(opening).hex()],
            pass_fds=(theirs.fileno(), lock),
            stdin=subprocess.DEVNULL,
        )
    loop = asyncio.get_running_loop()
    _, writer = await loop.create_unix_connection(lambda: ProcessWriter(child, opening.path, deliver), sock=ours)
    try:
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            opened = await writer.first
    except TimeoutError as error:
        child.kill()
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
        self._inbox = _Inbox()
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
        for frame in self._inbox.received(count):
            if self.first.done():
                self._deliver(_decode_committed(frame))
            else:
                self.first.set_result(_decode_opened(frame))

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
            self._transport.write(_frame(jobs))

    def _lost(self) -> Committed:
        """The child is gone: no answers, and nothing more can be written."""
        return Committed([], [], 0, self._lost_failure())

    def _lost_failure(self) -> Failed:
        message = f"the writer process {self._child.pid} ended; open the store again"
        return Failed("write", self._path, message, Outcome.UNKNOWN, Retry.NEVER)


class _Inbox:
    """Cuts a stream into frames; receives into one buffer that stays, so that large frames cost no new pages."""

    def __init__(self) -> None:
        self._buffer = bytearray(RECEIVE_BYTES)
        self._begin = 0
        self._end = 0

    def space(self) -> memoryview:
        """Where to receive: room for what is missing of the next frame, and for some more."""
        held = self._end - self._begin
        wanted = max(self._frame_bytes() - held, RECEIVE_BYTES // 4)
        if len(self._buffer) - self._end < wanted:
            kept = self._buffer[self._begin : self._end]
            if len(self._buffer) < held + wanted:
                self._buffer = bytearray(held + wanted)
            self._buffer[:held] = kept
            self._begin, self._end = 0, held
        return memoryview(self._buffer)[self._end :]

    def received(self, count: int) -> Iterator[memoryview]:
        """The frames that are complete now; each is valid until the next one is asked for."""
        self._end += count
        while self._end - self._begin >= (size := self._frame_bytes()):
            frame = memoryview(self._buffer)[self._begin + 4 : self._begin + size]
            self._begin += size
            yield frame
        if self._begin == self._end:
            self._begin = self._end = 0

    def _frame_bytes(self) -> int:
        """With its length field; that field alone as long as it has not come."""
        if self._end - self._begin < 4:
            return 4
        return 4 + int.from_bytes(self._buffer[self._begin : self._begin + 4], "big")


def _frame(value: Any) -> bytes:
    payload = _encode(value)
    return len(payload).to_bytes(4, "big") + payload


class _Child:
    """The other end: blocking, one thread, ends with its input."""

    def __init__(self, connection: socket.socket, writer: Writer, clock: Clock) -> None:
        self._clock = clock
        self._connection = connection
        self._writer = writer
        self._inbox = _Inbox()
        self._jobs: list[Job] = []
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._ended = False

    def run(self) -> None:
        busy = True
        while not self._ended or self._jobs:
            self._receive(HOUSEKEEPING_PAUSE_MS if busy else None)
            group, self._jobs = self._jobs[:GROUP_MAX], self._jobs[GROUP_MAX:]
            if group:
                self._connection.sendall(_frame(self._writer.write(group)))
                busy = True
            elif not self._ended:
                busy = self._writer.housekeep()

    def _receive(self, wait_ms: int | None) -> None:
        """Take what has come; wait for something unless there is work already."""
        deadline = self._clock.monotonic() + SPIN_S
        while not self._jobs and self._clock.monotonic() < deadline and not self._poll.poll(0):
            pass
        while not self._ended and self._poll.poll(0 if self._jobs else wait_ms):
            count = self._connection.recv_into(self._inbox.space())
            self._ended = not count
            for frame in self._inbox.received(count):
                self._jobs += _decode_jobs(frame)
            if len(self._jobs) >= GROUP_MAX:
                return


def main(descriptor: str, opening_hex: str) -> None:
    # Who stops the parent, by a terminal's Ctrl-C for one, must not cut off the last group's answers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    opening = msgspec.msgpack.decode(bytes.fromhex(opening_hex), type=Opening)
    with socket.socket(fileno=int(descriptor)) as connection:
        try:
            writer = Writer(opening)
        except EdgeError as error:
            connection.sendall(_frame(failed(error)))
            return
        connection.sendall(_frame(writer.opened))
        gc.freeze()
        try:
            _Child(connection, writer, SystemClock()).run()
        except (BrokenPipeError, ConnectionResetError):
            # The parent died with answers in flight: nobody waits for them.
            return
        finally:
            writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
