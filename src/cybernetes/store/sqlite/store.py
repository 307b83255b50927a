"""SqliteStore: the event loop's side. Jobs go to the writer, its batches to the watches, its answers to the waiters."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections import deque
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import apsw

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.log import Log
from cybernetes.store.api import Batch, Check, Delete, Entry, Put, Range, check_writes
from cybernetes.store.feed import Feed
from cybernetes.store.sqlite.reader import Reader
from cybernetes.store.sqlite.schema import FIRST_REVISION
from cybernetes.store.sqlite.worker import THREADS, Workers
from cybernetes.store.sqlite.writer import (
    LIMITS,
    Committed,
    Compact,
    CompactBrief,
    Expire,
    Grant,
    Job,
    Limits,
    Txn,
    Writer,
)

log = Log("store")

# Writes that wait for the disk; with pods of 2 kB this is 16 MB, and two seconds of work.
PENDING_MAX = 8192
PENDING_BYTES_MAX = 64 << 20
# A page of this many pods is read in about a millisecond: on the event loop, without a hop to a thread.
SMALL_PAGE = 64


class SqliteStore:
    """Opened by `open`; belongs to the event loop that opened it. See the package."""

    def __init__(self, path: Path, clock: Clock, workers: Workers, limits: Limits, brief: tuple[str, ...]) -> None:
        self._path = path
        self._clock = clock
        self._limits = limits
        self._lock = _lock(path)
        self._writer = Writer(path, limits, brief)
        self._near = Reader(path, brief)
        self._far = Reader(path, brief)
        self._seen = self._writer.revision
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._waiting_bytes = 0
        self._closed: EdgeError | None = None
        self._warned = False
        self._feed = Feed(self._writer.revision, self, clock)
        self._offload = workers.offload()
        self._queue = workers.queue(self._writer.write, self._writer.housekeep, self._deliver)
        self._expiry: asyncio.Task[None] | None = None
        self._expiry_at = float("inf")
        self._plan_expiry(self._near.next_lease_end())

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock: Clock,
        workers: Workers = THREADS,
        limits: Limits = LIMITS,
        brief: tuple[str, ...] = (),
    ) -> SqliteStore:
        """Open or make the file. Raises EdgeError when it can't be used, or when another process writes it.

        workers   THREADS, or INLINE to do everything on the event loop
        brief     prefixes whose history `compact_brief` may forget earlier than the rest
        """
        try:
            return cls(path, clock, workers, limits, brief)
        except (apsw.Error, OSError) as error:
            message = f"{error}; check the file and its folder"
            raise EdgeError("open", str(path), message, outcome=Outcome.NOT_DONE) from error

    @property
    def watches(self) -> int:
        return self._feed.watches

    @property
    def used_bytes(self) -> int:
        return self._writer.used_bytes

    async def revision(self) -> int:
        self._refuse_closed()
        self._seen = max(self._seen, self._writer.revision)
        self._feed.progress(self._seen)
        return self._seen

    async def get(self, key: str, revision: int = 0) -> Entry | None:
        self._refuse_closed()
        with _reading(self._path):
            if revision:
                return self._near.get_then(key, revision)
            return self._near.get(key)

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Range:
        self._refuse_closed()
        with _reading(self._path):
            if 0 < limit <= SMALL_PAGE and not revision:
                found = self._near.range(prefix, start=start, limit=limit, revision=0)
            else:
                read = partial(self._far.range, prefix, start=start, limit=limit, revision=revision)
                found = await self._offload.run(read)
        self._seen = max(self._seen, found.revision)
        return found

    async def txn(self, checks: Sequence[Check], writes: Sequence[Put | Delete]) -> int:
        check_writes(writes)
        size = sum(len(write.value) for write in writes if isinstance(write, Put))
        self._waiting_bytes += size
        try:
            return await self._submit(Txn(checks, writes))
        finally:
            self._waiting_bytes -= size

    def watch(self, prefix: str, after: int) -> AsyncIterator[Batch]:
        return self._feed.watch(prefix, after)

    async def compact(self, revision: int) -> None:
        await self._submit(Compact(revision))

    async def compact_brief(self, revision: int) -> None:
        """Forget the history below `revision` of the brief prefixes only."""
        await self._submit(CompactBrief(revision))

    async def grant(self, ttl_s: int) -> int:
        ends = self._clock.now() + ttl_s
        lease = await self._submit(Grant(ends))
        self._plan_expiry(ends)
        return lease

    async def close(self) -> None:
        if self._closed is not None:
            return
        self._closed = EdgeError("use", str(self._path), "it is closed", outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
        if self._expiry is not None:
            self._expiry.cancel()
        await self._queue.stop()
        self._offload.stop()
        self._feed.end(self._closed)
        self._near.close()
        self._far.close()
        self._writer.close()
        os.close(self._lock)

    def refuse_watch(self, prefix: str, after: int) -> None:
        self._refuse_closed()
        with _reading(self._path):
            self._near.refuse_unreadable(prefix, after or FIRST_REVISION, self._near.revision())

    async def history(self, prefix: str, after: int, upto: int) -> AsyncIterator[Batch]:
        while after < upto:
            with _reading(self._path):
                batches = await self._offload.run(partial(self._far.history, prefix, after, upto))
            for batch in batches:
                yield batch
            if not batches:
                return
            after = batches[-1].revision

    async def _submit(self, job: Job) -> Any:
        self._refuse_closed()
        if len(self._waiting) >= PENDING_MAX or self._waiting_bytes > PENDING_BYTES_MAX:
            message = f"{len(self._waiting)} writes, {self._waiting_bytes >> 20} MiB, wait for the disk already"
            raise EdgeError("write", str(self._path), message, outcome=Outcome.NOT_DONE, retry=Retry.LATER)
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._queue.submit(job)
        return await future

    def _deliver(self, committed: Committed) -> None:
        """A group is on disk: watches first, so that who reads a cache after its own write finds it there soon."""
        self._feed.publish(committed.batches)
        for answer in committed.answers:
            future = self._waiting.popleft()
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        if committed.failure is not None:
            log.error("store.failed", committed.failure, path=self._path)
            self._feed.end(committed.failure)
        self._warn_of_size()

    def _warn_of_size(self) -> None:
        above = self._writer.used_bytes > self._limits.soft_bytes
        if above and not self._warned:
            log.warning("store.large", path=self._path, bytes=self._writer.used_bytes, limit=self._limits.hard_bytes)
        self._warned = above

    def _plan_expiry(self, ends: float | None) -> None:
        """Wake up at `ends` unless something earlier is planned."""
        if ends is None or (ends >= self._expiry_at and self._expiry is not None and not self._expiry.done()):
            return
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry_at = ends
        self._expiry = asyncio.get_running_loop().create_task(self._expire(), name="store.leases")

    async def _expire(self) -> None:
        ends: float | None = self._expiry_at
        while ends is not None:
            self._expiry_at = ends
            wait_s = ends - self._clock.now()
            if wait_s > 0:
                await self._clock.sleep(wait_s)
            else:
                await self._submit(Expire(self._clock.now()))
            ends = self._near.next_lease_end()

    def _refuse_closed(self) -> None:
        if self._closed is not None:
            raise self._closed
        if self._writer.failed is not None:
            raise self._writer.failed


class _reading:
    """Turns SQLite's errors while reading into EdgeError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, apsw.Error):
            message = f"{error}; check the disk"
            raise EdgeError("read", str(self._path), message, outcome=Outcome.NOT_DONE) from error


def _lock(path: Path) -> int:
    """Hold the file for this process alone; the lock goes with the process."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        message = "another process writes it; one API server owns a file"
        raise EdgeError("open", str(path), message, outcome=Outcome.NOT_DONE, retry=Retry.LATER) from error
    return descriptor
