"""The writer's process: blocking, one thread, ends at the end of its input. Imports no asyncio, to stay small."""

from __future__ import annotations

import gc
import select
import signal
import socket
import sys

import msgspec

from cybernetes.base.errors import EdgeError
from cybernetes.store.sqlite.frames import Inbox, decode_jobs, frame
from cybernetes.store.sqlite.jobs import GROUP_MAX, Job, Opening, failed
from cybernetes.store.sqlite.writer import Writer

# Between two steps of housekeeping, so that it stays in the background.
HOUSEKEEPING_PAUSE_MS = 5
# Looks before it sleeps, about a microsecond each. A caller that writes again at once is met without two
# wake-ups: a quarter more commits alone, and less work for the event loop (perf/store.py). One who takes longer,
# as a client that waits for each answer, would pay for them at every write: each time in vain halves their number.
SPINS = 50


class Child:
    """The other end: blocking, one thread, ends with its input."""

    def __init__(self, connection: socket.socket, writer: Writer) -> None:
        self._connection = connection
        self._writer = writer
        self._inbox = Inbox()
        self._jobs: list[Job] = []
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._ended = False
        self._spins = SPINS

    def run(self) -> None:
        busy = True
        while not self._ended or self._jobs:
            self._receive(HOUSEKEEPING_PAUSE_MS if busy else None)
            group, self._jobs = self._jobs[:GROUP_MAX], self._jobs[GROUP_MAX:]
            if group:
                self._connection.sendall(frame(self._writer.write(group)))
                busy = True
            elif not self._ended:
                busy = self._writer.housekeep()

    def _receive(self, wait_ms: int | None) -> None:
        """Take what has come; wait for something unless there is work already."""
        if not self._jobs:
            self._spins = SPINS if self._look() else max(self._spins // 2, 1)
        while not self._ended and self._poll.poll(0 if self._jobs else wait_ms):
            count = self._connection.recv_into(self._inbox.space())
            self._ended = not count
            for payload in self._inbox.received(count):
                self._jobs += decode_jobs(payload)
            if len(self._jobs) >= GROUP_MAX:
                return

    def _look(self) -> bool:
        """Whether something has come while it looked."""
        return any(self._poll.poll(0) for _ in range(self._spins))


def main(descriptor: str, opening_hex: str) -> None:
    # Who stops the parent, by a terminal's Ctrl-C for one, must not cut off the last group's answers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    opening = msgspec.msgpack.decode(bytes.fromhex(opening_hex), type=Opening)
    with socket.socket(fileno=int(descriptor)) as connection:
        try:
            writer = Writer(opening)
        except EdgeError as error:
            connection.sendall(frame(failed(error)))
            return
        connection.sendall(frame(writer.opened))
        gc.freeze()
        try:
            Child(connection, writer).run()
        except (BrokenPipeError, ConnectionResetError):
            # The parent died with answers in flight: nobody waits for them.
            return
        finally:
            writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
