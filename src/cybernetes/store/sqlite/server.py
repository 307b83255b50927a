"""The process through which several API servers write one file, and hear of each other's writes.

Their jobs go into one queue; what is there together becomes one group, as in `child`. Each hears every group's batches,
and the answers to its own jobs in the same frame. Reads need nobody: every process reads the file itself (`shared`).
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.log import Log
from cybernetes.base.private_socket import listen_private
from cybernetes.store.sqlite.channel import settle
from cybernetes.store.sqlite.expiry import Expiry
from cybernetes.store.sqlite.frames import Inbox, decode_jobs, encode, frame
from cybernetes.store.sqlite.jobs import GROUP_MAX, LIMITS, Committed, Expire, Grant, Job, Limits, Opening, Refusal
from cybernetes.store.sqlite.lock import hold
from cybernetes.store.sqlite.newest import Newest, newest_of
from cybernetes.store.sqlite.reader import Reader
from cybernetes.store.sqlite.reads import translated
from cybernetes.store.sqlite.schema import ensure_private
from cybernetes.store.sqlite.writer import Writer

log = Log("store")

# Between two steps of housekeeping, so that it stays in the background.
HOUSEKEEPING_PAUSE_S = 0.005
# Who leaves this much unread is cut off: it comes back, and reads what it missed from history.
UNREAD_BYTES_MAX = 64 << 20
BACKLOG = 32


class StoreServer:
    """Made by `open`; `serve` once."""

    def __init__(self, path: Path, lock: int, writer: Writer, limits: Limits, clock: Clock) -> None:
        self._path = path
        self._lock = lock
        self._writer = writer
        self._reader = Reader(path)
        self._newest = Newest(newest_of(path))
        self._newest.tell(writer.opened.revision)
        self._loop = asyncio.get_running_loop()
        self._peers: dict[_Peer, None] = {}
        # None for this process's own.
        self._queue: deque[tuple[_Peer | None, Job]] = deque()
        self._own: deque[asyncio.Future[int]] = deque()
        self._planned = False
        self._idle: asyncio.TimerHandle | None = None
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._limits = limits
        self._warned = False
        self._expiry = Expiry(clock, self._expire, self._reader.next_lease_end)

    @classmethod
    async def open(cls, path: Path, *, clock: Clock, limits: Limits = LIMITS) -> StoreServer:
        """Open or make the file. Raises EdgeError when it can't be used, or while another process writes it."""
        with translated("open", path):
            ensure_private(path)
            lock = await hold(path, clock)
        try:
            writer = Writer(Opening(str(path), limits))
            with translated("open", path):
                return cls(path, lock, writer, limits, clock)
        except BaseException:
            os.close(lock)
            raise

    async def serve(self, address: Path, ready: Callable[[], None] = lambda: None) -> None:
        """Until cancelled. Raises EdgeError when the disk failed in a commit: only opening the file again helps."""
        listener = await self._loop.create_unix_server(lambda: _Peer(self), sock=_listen(address))
        self._expiry.plan(self._reader.next_lease_end())
        self._rest()
        log.info("store.serving", path=self._path, revision=self._writer.opened.revision)
        ready()
        try:
            await self._over
        finally:
            listener.close()
            self._close()

    @property
    def peers(self) -> int:
        """How many API servers are connected."""
        return len(self._peers)

    def join(self, peer: _Peer) -> None:
        self._peers[peer] = None
        peer.send(frame(self._writer.opened))

    def leave(self, peer: _Peer) -> None:
        """What it asked for before is done, and told to nobody."""
        self._peers.pop(peer, None)

    def take(self, peer: _Peer, jobs: list[Job]) -> None:
        self._queue.extend((peer, job) for job in jobs)
        self._plan()

    def work_off(self) -> None:
        while self._queue and not self._over.done():
            self._write()

    def _plan(self) -> None:
        """Write soon: after what has come meanwhile was read."""
        if not self._planned:
            self._planned = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._planned = False
        if self._queue and not self._over.done():
            self._write()
        if self._queue and not self._over.done():
            self._plan()
        else:
            self._rest()

    def _write(self) -> None:
        group = [self._queue.popleft() for _ in range(min(GROUP_MAX, len(self._queue)))]
        committed = self._writer.write([job for _, job in group])
        # Whoever hears of this write and asks another API server then must find it there.
        self._newest.tell(self._writer.opened.revision)
        self._tell(group, committed)
        self._warn_of_size(committed.used_bytes)
        if committed.failure is not None and not self._over.done():
            log.error("store.failed", path=self._path, reason=committed.failure.message)
            self._over.set_exception(committed.failure.error())

    def _warn_of_size(self, used_bytes: int) -> None:
        above = used_bytes > self._limits.soft_bytes
        if above and not self._warned:
            log.warning("store.large", path=self._path, bytes=used_bytes, limit=self._limits.hard_bytes)
        self._warned = above

    def _tell(self, group: list[tuple[_Peer | None, Job]], committed: Committed) -> None:
        answers: dict[_Peer | None, list[int | Refusal]] = {}
        for (peer, job), answer in zip(group, committed.answers, strict=True):
            answers.setdefault(peer, []).append(answer)
            if isinstance(job, Grant):
                self._expiry.plan(job.ends)
        # Encoded once for all of them.
        batches = msgspec.Raw(encode(committed.batches))
        for each in list(self._peers):
            mine = answers.get(each, [])
            if mine or committed.batches or committed.failure:
                each.send(frame((mine, batches, committed.used_bytes, committed.failure)))
        for answer in answers.get(None, ()):
            settle(self._own.popleft(), answer)

    def _rest(self) -> None:
        """Nothing to write: tidy up in a while."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = self._loop.call_later(HOUSEKEEPING_PAUSE_S, self._housekeep)

    def _housekeep(self) -> None:
        if self._writer.housekeep():
            self._rest()

    async def _expire(self, now: float) -> int:
        future: asyncio.Future[int] = self._loop.create_future()
        self._own.append(future)
        self._queue.append((None, Expire(now)))
        self._plan()
        return await future

    def _close(self) -> None:
        self._expiry.stop()
        self.work_off()
        if self._idle is not None:
            self._idle.cancel()
        self._queue.clear()
        for each in list(self._peers):
            each.close()
        self._writer.close()
        self._reader.close()
        self._newest.close()
        os.close(self._lock)


class _Peer(asyncio.BufferedProtocol):
    """One API server's connection."""

    def __init__(self, server: StoreServer) -> None:
        self._server = server
        self._inbox = Inbox()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        user = peer_user(transport)
        if user in (0, os.geteuid()):
            self._server.join(self)
        else:
            log.warning("store.refused", user=user)
            transport.abort()

    def get_buffer(self, _hint: int) -> memoryview:
        return self._inbox.space()

    def buffer_updated(self, count: int) -> None:
        for payload in self._inbox.received(count):
            self._server.take(self, decode_jobs(payload))

    def eof_received(self) -> bool:
        self._server.work_off()
        self._transport.close()
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.leave(self)

    def send(self, data: bytes) -> None:
        unread = self._transport.get_write_buffer_size()
        if unread > UNREAD_BYTES_MAX:
            log.warning("store.cut_off", unread=unread)
            self._server.leave(self)
            self._transport.abort()
        else:
            self._transport.write(data)

    def close(self) -> None:
        self._transport.close()


def peer_user(transport: Any) -> int:
    """Whose process is at the other end, as the kernel knows it."""
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as same:
        credentials = same.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return int(user)


def _listen(address: Path) -> socket.socket:
    try:
        listener = listen_private(address, BACKLOG)
    except OSError as error:
        raise EdgeError("listen", str(address), str(error), outcome=Outcome.NOT_DONE, retry=Retry.NEVER) from error
    listener.setblocking(False)
    return listener
