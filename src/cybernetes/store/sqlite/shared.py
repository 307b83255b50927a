"""SharedStore: a file that another process writes. Reads come from the file itself, writes go through that process.

When it ends, what waited for it may have happened, and is said to; what comes later waits until it is back. Watches do
not notice: they read what they missed from history.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Self

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.log import Log
from cybernetes.store.api import Batch, Check, Delete, Entry, Put, Range, check_writes
from cybernetes.store.feed import Feed
from cybernetes.store.sqlite.channel import Channel, settle
from cybernetes.store.sqlite.jobs import Committed, Compact, Failed, Grant, Job, Opened, Txn
from cybernetes.store.sqlite.newest import Newest, newest_of
from cybernetes.store.sqlite.reader import Reader
from cybernetes.store.sqlite.reads import Reads, translated
from cybernetes.store.sqlite.schema import FIRST_REVISION
from cybernetes.store.sqlite.store import PENDING_BYTES_MAX, PENDING_MAX

log = Log("store")

# A process that is started again is back within a second, with a large file to recover within some more.
CONNECT_TIMEOUT_S = 15.0
CONNECT_PAUSE_S = 0.05
# Work that is under way when the store is closed.
CLOSE_TIMEOUT_S = 5.0


class SharedStore:
    """Made by `open`; belongs to the event loop that opened it."""

    def __init__(self, path: Path, address: Path, clock: Clock) -> None:
        self._path = path
        self._address = address
        self._clock = clock
        self._feed: Feed
        self._reads: Reads
        self._newest: Newest
        self._waiting: deque[asyncio.Future[int]] = deque()
        # Of all that was asked for and is not answered, also what waits for a connection.
        self._pending = 0
        self._pending_bytes = 0
        self._refused: EdgeError | None = None
        self._channel: Channel | None = None
        self._connected = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: Path, address: Path, *, clock: Clock) -> Self:
        """Connect to the process that serves `path` at `address`. Raises EdgeError when there is none."""
        store = cls(path, address, clock)
        with translated("open", path):
            store._newest = Newest(newest_of(path))
            store._reads = Reads(path, Reader(path), clock, store._refuse_closed)
        store._feed = Feed(FIRST_REVISION, store._reads, clock)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await store._connect()
        except TimeoutError as late:
            store._free()
            raise store._nobody() from late
        store._keeping = asyncio.get_running_loop().create_task(store._keep(), name="store.connection")
        return store

    @property
    def watches(self) -> int:
        return self._feed.watches

    async def revision(self) -> int:
        self._refuse_closed()
        revision = max(self._newest.read(), self._feed.revision)
        self._feed.progress(revision)
        return revision

    async def get(self, key: str, revision: int = 0) -> Entry | None:
        return self._reads.get(key, revision)

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Range:
        return await self._reads.range(prefix, start=start, limit=limit, revision=revision)

    async def txn(self, checks: Sequence[Check], writes: Sequence[Put | Delete]) -> int:
        check_writes(writes)
        size = sum(len(write.value) for write in writes if isinstance(write, Put))
        return await self._submit(Txn(list(checks), list(writes)), size)

    def watch(self, prefix: str, after: int) -> AsyncIterator[Batch]:
        return self._feed.watch(prefix, after)

    async def compact(self, revision: int) -> None:
        await self._submit(Compact(revision))

    async def grant(self, ttl_s: int) -> int:
        return await self._submit(Grant(self._clock.now() + ttl_s))

    async def close(self) -> None:
        if self._refused is not None:
            return
        self._refused = EdgeError("use", str(self._path), "it is closed", outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
        if self._keeping is not None:
            self._keeping.cancel()
        channel = self._channel
        if channel is not None:
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await channel.stop()
            except TimeoutError:
                channel.abort()
                await channel.gone
        self._connected.set()
        self._feed.end(self._refused)
        self._free()

    def _free(self) -> None:
        self._reads.close()
        self._newest.close()

    async def _submit(self, job: Job, size: int = 0) -> int:
        self._refuse_closed()
        if self._pending >= PENDING_MAX or self._pending_bytes > PENDING_BYTES_MAX:
            message = f"{self._pending} writes, {self._pending_bytes >> 20} MiB, wait for the disk already"
            raise EdgeError("write", str(self._path), message, outcome=Outcome.NOT_DONE, retry=Retry.LATER)
        self._pending += 1
        self._pending_bytes += size
        try:
            channel = self._channel or await self._connection()
            future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            channel.submit(job)
            return await future
        finally:
            self._pending -= 1
            self._pending_bytes -= size

    async def _connection(self) -> Channel:
        """Once there is one. Raises EdgeError when it takes too long."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                while self._channel is None:
                    await self._connected.wait()
                    self._refuse_closed()
        except TimeoutError as late:
            raise self._nobody() from late
        return self._channel

    async def _keep(self) -> None:
        """Connect again whenever the connection is lost, until cancelled."""
        while True:
            if self._channel is not None:
                await asyncio.wait((self._channel.gone,))
            await self._connect()

    async def _connect(self) -> None:
        """Try until somebody answers."""
        while self._channel is None:
            try:
                await self._connect_once()
            except (OSError, EdgeError) as nobody:
                log.debug("store.no_connection", address=self._address, why=str(nobody))
                await self._clock.sleep(CONNECT_PAUSE_S)
        log.info("store.connected", address=self._address, revision=self._feed.revision)

    async def _connect_once(self) -> None:
        loop = asyncio.get_running_loop()
        first: asyncio.Future[Opened | Failed] = loop.create_future()

        def begin(opened: Opened | Failed) -> None:
            # At once, before the batches that follow in the same packet.
            if isinstance(opened, Opened):
                self._feed.missed(opened.revision)
            settle_first(first, opened)

        _, channel = await loop.create_unix_connection(
            lambda: Channel(begin, self._deliver, self._lost()), str(self._address)
        )
        opened = await first
        if isinstance(opened, Failed):
            raise opened.error()
        if not channel.gone.done():
            self._channel = channel
            self._connected.set()

    def _deliver(self, committed: Committed) -> None:
        """A group is on disk, or the connection is lost: watches hear it before waiters do."""
        self._feed.publish(committed.batches)
        for answer in committed.answers:
            settle(self._waiting.popleft(), answer)
        if committed.failure is not None:
            self._disconnected(committed.failure)

    def _disconnected(self, why: Failed) -> None:
        if self._channel is not None and self._refused is None:
            log.warning("store.disconnected", address=self._address, waiting=len(self._waiting), why=why.message)
        while self._waiting:
            settle(self._waiting.popleft(), why)
        self._channel = None
        self._connected.clear()

    def _lost(self) -> Failed:
        message = "the store's process went away before it answered; the write may have happened"
        return Failed("write", str(self._path), message, Outcome.UNKNOWN, Retry.LATER)

    def _nobody(self) -> EdgeError:
        message = f"no store process answers for {CONNECT_TIMEOUT_S:g} s; see: cybernetes logs store"
        return EdgeError("reach", str(self._address), message, outcome=Outcome.NOT_DONE, retry=Retry.LATER)

    def _refuse_closed(self) -> None:
        if self._refused is not None:
            raise self._refused


def settle_first(first: asyncio.Future[Opened | Failed], opened: Opened | Failed) -> None:
    if not first.done():
        first.set_result(opened)
