"""SqliteStore: the event loop's side. Jobs go to the writer, its batches to the watches, its answers to the waiters."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.log import Log
from cybernetes.store.api import Batch, Check, Delete, Entry, Put, Range, check_writes
from cybernetes.store.feed import Feed
from cybernetes.store.sqlite import process
from cybernetes.store.sqlite.channel import settle
from cybernetes.store.sqlite.expiry import Expiry
from cybernetes.store.sqlite.jobs import (
    LIMITS,
    Committed,
    Compact,
    Expire,
    Failed,
    Grant,
    Job,
    Launch,
    Limits,
    Opening,
    Txn,
    WriterEdge,
)
from cybernetes.store.sqlite.lock import hold
from cybernetes.store.sqlite.reader import Reader
from cybernetes.store.sqlite.reads import Reads, translated
from cybernetes.store.sqlite.schema import ensure_private

log = Log("store")

# Writes that wait for the disk; with pods of 2 kB this is 16 MB, and half a second of work.
PENDING_MAX = 8192
PENDING_BYTES_MAX = 64 << 20


class SqliteStore:
    """Made by `open`; belongs to the event loop that opened it. See the package."""

    def __init__(self, opening: Opening, clock: Clock, lock: int) -> None:
        self._path = Path(opening.path)
        self._limits = opening.limits
        self._clock = clock
        self._lock = lock
        self._waiting: deque[asyncio.Future[int]] = deque()
        self._waiting_bytes = 0
        self._used_bytes = 0
        self._warned = False
        self._refused: EdgeError | None = None

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock: Clock,
        launch: Launch = process.launch,
        limits: Limits = LIMITS,
    ) -> SqliteStore:
        """Open or make the file. Raises EdgeError when it can't be used, or while another process writes it.

        launch   process.launch, or inline.launch to write on the event loop
        """
        opening = Opening(str(path), limits)
        with translated("open", path):
            ensure_private(path)
            lock = await hold(path, clock)
        store = cls(opening, clock, lock)
        try:
            writer = await launch(opening, lock, store._deliver)
            with translated("open", path):
                store._begin(writer, Reader(path))
        except BaseException:
            os.close(lock)
            raise
        return store

    def _begin(self, writer: WriterEdge, reader: Reader) -> None:
        self._writer = writer
        self._reads = Reads(self._path, reader, self._clock, self._refuse_closed)
        self._seen = writer.opened.revision
        self._used_bytes = writer.opened.used_bytes
        self._feed = Feed(self._seen, self._reads, self._clock)
        self._expiry = Expiry(self._clock, lambda now: self._submit(Expire(now)), reader.next_lease_end)
        self._expiry.plan(reader.next_lease_end())

    @property
    def watches(self) -> int:
        return self._feed.watches

    @property
    def used_bytes(self) -> int:
        """Size of the file without free pages, as of the last megabyte written."""
        return self._used_bytes

    async def revision(self) -> int:
        self._refuse_closed()
        # What a range answered may be committed, but not published yet.
        self._seen = max(self._seen, self._feed.revision)
        self._feed.progress(self._seen)
        return self._seen

    async def get(self, key: str, revision: int = 0) -> Entry | None:
        entry = self._reads.get(key, revision)
        if entry is not None:
            self._seen = max(self._seen, entry.revision)
        return entry

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Range:
        found = await self._reads.range(prefix, start=start, limit=limit, revision=revision)
        self._seen = max(self._seen, found.revision)
        return found

    async def txn(self, checks: Sequence[Check], writes: Sequence[Put | Delete]) -> int:
        check_writes(writes)
        size = sum(len(write.value) for write in writes if isinstance(write, Put))
        self._waiting_bytes += size
        try:
            return await self._submit(Txn(list(checks), list(writes)))
        finally:
            self._waiting_bytes -= size

    def watch(self, prefix: str, after: int) -> AsyncIterator[Batch]:
        return self._feed.watch(prefix, after)

    async def compact(self, revision: int) -> None:
        await self._submit(Compact(revision))

    async def grant(self, ttl_s: int) -> int:
        ends = self._clock.now() + ttl_s
        lease = await self._submit(Grant(ends))
        self._expiry.plan(ends)
        return lease

    async def close(self) -> None:
        if self._lock < 0:
            return
        lock, self._lock = self._lock, -1
        self._expiry.stop()
        await self._writer.stop()
        self._end(EdgeError("use", str(self._path), "it is closed", outcome=Outcome.NOT_DONE, retry=Retry.NEVER))
        self._reads.close()
        os.close(lock)

    async def _submit(self, job: Job) -> int:
        self._refuse_closed()
        if len(self._waiting) >= PENDING_MAX or self._waiting_bytes > PENDING_BYTES_MAX:
            message = f"{len(self._waiting)} writes, {self._waiting_bytes >> 20} MiB, wait for the disk already"
            raise EdgeError("write", str(self._path), message, outcome=Outcome.NOT_DONE, retry=Retry.LATER)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._writer.submit(job)
        return await future

    def _deliver(self, committed: Committed) -> None:
        """A group is on disk: watches hear it before its waiters do."""
        if self._refused is not None:
            return
        self._feed.publish(committed.batches)
        for answer in committed.answers:
            settle(self._waiting.popleft(), answer)
        if committed.failure is not None:
            self._fail(committed.failure)
        self._used_bytes = committed.used_bytes
        self._warn_of_size()

    def _fail(self, failure: Failed) -> None:
        """The writer will write nothing more: what waits may have happened, what comes later did not."""
        if self._lock < 0 and not self._waiting:
            return
        log.error("store.failed", path=self._path, reason=failure.message)
        while self._waiting:
            settle(self._waiting.popleft(), failure)
        message = f"it failed before: {failure.message}"
        self._end(EdgeError("use", str(self._path), message, outcome=Outcome.NOT_DONE, retry=Retry.NEVER))

    def _end(self, why: EdgeError) -> None:
        if self._refused is None:
            self._refused = why
            self._feed.end(why)

    def _warn_of_size(self) -> None:
        above = self._used_bytes > self._limits.soft_bytes
        if above and not self._warned:
            log.warning("store.large", path=self._path, bytes=self._used_bytes, limit=self._limits.hard_bytes)
        self._warned = above

    def _refuse_closed(self) -> None:
        if self._refused is not None:
            raise self._refused
        if self._lock < 0:
            raise EdgeError("use", str(self._path), "it closes", outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
