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

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.store.sqlite.channel import Channel
from cybernetes.store.sqlite.frames import encode
from cybernetes.store.sqlite.jobs import Deliver, Failed, Opened, Opening

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
    first: asyncio.Future[Opened | Failed] = loop.create_future()
    message = f"the writer process {child.pid} ended; open the store again"
    lost = Failed("write", opening.path, message, Outcome.UNKNOWN, Retry.NEVER)
    _, channel = await loop.create_unix_connection(lambda: Channel(first.set_result, deliver, lost), sock=ours)
    try:
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            opened = await first
    except BaseException as error:
        child.kill()
        if not isinstance(error, TimeoutError):
            raise
        message = f"the writer did not open it in {OPEN_TIMEOUT_S} s"
        raise EdgeError("open", opening.path, message, outcome=Outcome.NOT_DONE) from error
    if isinstance(opened, Failed):
        await channel.stop()
        child.wait()
        raise opened.error()
    return ProcessWriter(child, channel, opened)


class ProcessWriter:
    """A WriterEdge."""

    def __init__(self, child: subprocess.Popen[bytes], channel: Channel, opened: Opened) -> None:
        self._child = child
        self._channel = channel
        self.opened = opened
        self.submit = channel.submit

    async def stop(self) -> None:
        await self._channel.stop()
        self._child.wait()
