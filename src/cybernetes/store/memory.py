"""The store in memory: for tests and simulations. Nothing outlives the process."""

from __future__ import annotations

import asyncio
import bisect
import heapq
from collections.abc import AsyncIterator, Sequence

from sortedcontainers import SortedDict

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.store.api import (
    Batch,
    Check,
    Compacted,
    Conflict,
    Delete,
    Entry,
    Event,
    FutureRevision,
    Put,
    Range,
    check_writes,
    lease_gone,
)
from cybernetes.store.feed import Feed

# The revision of an empty store, as in etcd; no write ever has it.
FIRST_REVISION = 1


class MemoryStore:
    """Holds every version since the last compaction.

    _versions  key -> its events, oldest first; a key whose newest is a deletion stays until compacted
    _log       batches in order of revision, one for each revision above `_compacted`
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._versions: SortedDict[str, list[Event]] = SortedDict()
        self._log: list[Batch] = []
        self._revision = FIRST_REVISION
        self._compacted = 0
        self._leases: dict[int, set[str]] = {}
        self._leased: dict[str, int] = {}
        self._ends: list[tuple[float, int]] = []
        self._last_lease = 0
        self._expiring: asyncio.Task[None] | None = None
        self._closed = False
        self._feed = Feed(FIRST_REVISION, self, clock)

    @property
    def watches(self) -> int:
        return self._feed.watches

    async def revision(self) -> int:
        self._refuse_closed()
        self._feed.progress()
        return self._revision

    async def get(self, key: str, revision: int = 0) -> Entry | None:
        at = self._readable(revision)
        return _as_of(self._versions.get(key, ()), at)

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Range:
        at = self._readable(revision)
        entries: list[Entry] = []
        count = 0
        for key in self._versions.irange(max(prefix, start)):
            if not key.startswith(prefix):
                break
            entry = _as_of(self._versions[key], at)
            if entry is None:
                continue
            count += 1
            if not limit or count <= limit:
                entries.append(entry)
        return Range(entries, at, count)

    async def txn(self, checks: Sequence[Check], writes: Sequence[Put | Delete]) -> int:
        self._refuse_closed()
        check_writes(writes)
        for check in checks:
            current = _as_of(self._versions.get(check.key, ()), self._revision)
            if check.revision != (current.revision if current else 0):
                raise Conflict(check.key, current)
        for write in writes:
            if isinstance(write, Put) and write.lease and write.lease not in self._leases:
                raise lease_gone(write.key, write.lease)
        return self._write(writes)

    def watch(self, prefix: str, after: int) -> AsyncIterator[Batch]:
        return self._feed.watch(prefix, after)

    async def compact(self, revision: int) -> None:
        self._readable(revision)
        keep = bisect.bisect_right(self._log, revision, key=lambda batch: batch.revision)
        touched = {event.key for batch in self._log[:keep] for event in batch.events}
        del self._log[:keep]
        for key in sorted(touched):
            versions = self._versions[key]
            del versions[: max(0, _newest_at(versions, revision))]
            if versions[0].value is None and versions[0].revision <= revision:
                del versions[0]
            if not versions:
                del self._versions[key]
        self._compacted = revision

    async def grant(self, ttl_s: int) -> int:
        self._refuse_closed()
        self._last_lease += 1
        self._leases[self._last_lease] = set()
        heapq.heappush(self._ends, (self._clock.monotonic() + ttl_s, self._last_lease))
        if self._expiring is not None:
            self._expiring.cancel()
        self._expiring = asyncio.get_running_loop().create_task(self._expire(), name="store.leases")
        return self._last_lease

    async def close(self) -> None:
        self._closed = True
        if self._expiring is not None:
            self._expiring.cancel()
        self._feed.end(_closed())

    def refuse_watch(self, _prefix: str, after: int) -> None:
        self._readable(after or FIRST_REVISION)

    async def history(self, prefix: str, after: int, upto: int) -> AsyncIterator[Batch]:
        while after < upto:
            if after < self._compacted:
                raise Compacted(after, self._compacted)
            at = bisect.bisect_right(self._log, after, key=lambda batch: batch.revision)
            if at == len(self._log) or self._log[at].revision > upto:
                return
            batch = self._log[at]
            after = batch.revision
            events = tuple(event for event in batch.events if event.key.startswith(prefix))
            if events:
                yield Batch(after, events)

    def _readable(self, revision: int) -> int:
        """The revision to read at; 0 means now."""
        self._refuse_closed()
        if not revision:
            return self._revision
        if revision > self._revision:
            raise FutureRevision(revision, self._revision)
        if revision < self._compacted:
            raise Compacted(revision, self._compacted)
        return revision

    def _refuse_closed(self) -> None:
        if self._closed:
            raise _closed()

    def _write(self, writes: Sequence[Put | Delete]) -> int:
        revision = self._revision + 1
        events = tuple(event for write in writes if (event := self._write_one(write, revision)))
        if not events:
            return self._revision
        batch = Batch(revision, events)
        self._revision = revision
        self._log.append(batch)
        self._feed.publish([batch])
        return revision

    def _write_one(self, write: Put | Delete, revision: int) -> Event | None:
        current = _as_of(self._versions.get(write.key, ()), self._revision)
        if current is None and isinstance(write, Delete):
            return None
        value = write.value if isinstance(write, Put) else None
        event = Event(
            key=write.key,
            value=value,
            previous=current.value if current else None,
            revision=revision,
            created=current.created if current else revision,
        )
        self._versions.setdefault(write.key, []).append(event)
        self._lend(write.key, write.lease if isinstance(write, Put) else 0)
        return event

    def _lend(self, key: str, lease: int) -> None:
        old = self._leased.pop(key, 0)
        if old:
            self._leases[old].discard(key)
        if lease:
            self._leased[key] = lease
            self._leases[lease].add(key)

    async def _expire(self) -> None:
        while self._ends:
            ends, lease = self._ends[0]
            wait_s = ends - self._clock.monotonic()
            if wait_s > 0:
                await self._clock.sleep(wait_s)
                continue
            heapq.heappop(self._ends)
            self._write([Delete(key) for key in sorted(self._leases[lease])])
            del self._leases[lease]


def _newest_at(versions: Sequence[Event], revision: int) -> int:
    """Index of the newest version not above `revision`; -1 for none."""
    return bisect.bisect_right(versions, revision, key=lambda event: event.revision) - 1


def _as_of(versions: Sequence[Event], revision: int) -> Entry | None:
    at = _newest_at(versions, revision)
    if at < 0:
        return None
    event = versions[at]
    return None if event.value is None else Entry(event.key, event.value, event.revision, event.created)


def _closed() -> EdgeError:
    return EdgeError("use", "store in memory", "it is closed", outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
