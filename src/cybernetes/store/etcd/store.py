"""EtcdStore: the store's calls as etcd's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import grpc

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log
from cybernetes.store.api import (
    Batch,
    Check,
    Compacted,
    Delete,
    Entry,
    FutureRevision,
    Put,
    Range,
    check_writes,
    lease_gone,
)
from cybernetes.store.etcd.calls import Calls, Tls, code_of
from cybernetes.store.etcd.convert import Keys
from cybernetes.store.etcd.watch import Watch
from cybernetes.wire.grpc import etcd_rpc_pb2 as rpc
from cybernetes.wire.grpc import etcd_rpc_pb2_grpc as stubs

log = Log("store")

# A page of pods is some megabytes.
PAGE_ENTRIES = 1000
# From these on, an answer to a progress request follows the events before it (etcd issue "watch progress
# notification ahead of events", fixed in these). Older ones only tell progress at an interval of their own.
_PROGRESS_SINCE = {(3, 4): 25, (3, 5): 8}


class EtcdStore:
    """Made by `open`. Keys lie under `root`."""

    def __init__(self, calls: Calls, clock: Clock, root: str) -> None:
        self._calls = calls
        self._clock = clock
        self._keys = Keys(root)
        self._kv = stubs.KVStub(calls.channel)
        self._lease = stubs.LeaseStub(calls.channel)
        self._watches: set[Watch] = set()
        self._progress_on_request = False

    @classmethod
    async def open(cls, endpoints: Sequence[str], *, clock: Clock, tls: Tls | None = None, root: str = "") -> EtcdStore:
        """Connect to a member and ask for its version. Raises EdgeError.

        endpoints   HOST:PORT; several must be IPv4 addresses of one cluster's members
        root        goes before every key: `/cybernetes`
        """
        calls = Calls(endpoints, tls)
        store = cls(calls, clock, root)
        try:
            status = await calls.read(stubs.MaintenanceStub(calls.channel).Status, rpc.StatusRequest(), "etcd's status")
        except BaseException:
            await calls.close()
            raise
        store._progress_on_request = progress_on_request(status.version)
        log.info("etcd.connected", target=calls.target, version=status.version, bytes=status.dbSize)
        return store

    @property
    def watches(self) -> int:
        return len(self._watches)

    async def revision(self) -> int:
        request = rpc.RangeRequest(key=self._keys.raw("/") or b"/", count_only=True)
        response = await self._calls.read(self._kv.Range, request, "the revision")
        if self._progress_on_request:
            for watch in list(self._watches):
                await watch.ask_progress()
        return response.header.revision

    async def get(self, key: str, revision: int = 0) -> Entry | None:
        response = await self._range(rpc.RangeRequest(key=self._keys.raw(key), revision=revision), key)
        return self._keys.entry(response.kvs[0]) if response.kvs else None

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Range:
        entries: list[Entry] = []
        at, count = revision, 0
        while True:
            rows = min(PAGE_ENTRIES, limit - len(entries)) if limit else PAGE_ENTRIES
            key, end = self._keys.bounds(prefix, start)
            request = rpc.RangeRequest(key=key, range_end=end, limit=rows, revision=at)
            response = await self._range(request, prefix)
            at = at or response.header.revision
            count = count or response.count
            entries += map(self._keys.entry, response.kvs)
            if not response.more or len(entries) == limit:
                return Range(entries, at, count)
            start = entries[-1].key + "\0"

    async def txn(self, checks: Sequence[Check], writes: Sequence[Put | Delete]) -> int:
        check_writes(writes)
        if not checks and not writes:
            return await self.revision()
        what = writes[0].key if writes else checks[0].key
        try:
            response = await self._calls.write(self._kv.Txn, self._keys.transaction(checks, writes), what)
        except EdgeError as error:
            if code_of(error) is grpc.StatusCode.NOT_FOUND:
                leased = next(write for write in writes if isinstance(write, Put) and write.lease)
                raise lease_gone(leased.key, leased.lease) from error
            raise
        if not response.succeeded:
            raise self._keys.conflict(checks, response)
        return response.header.revision

    async def watch(self, prefix: str, after: int) -> AsyncIterator[Batch]:
        # A read tells what etcd's watch would not: that the revision is in the future, or just compacted.
        await self.get(prefix or "/", after or 1)
        watch = Watch(self._calls, self._keys, self._clock, prefix, after)
        self._watches.add(watch)
        try:
            async for batch in watch.batches():
                yield batch
        finally:
            self._watches.discard(watch)

    async def compact(self, revision: int) -> None:
        try:
            await self._calls.write(self._kv.Compact, rpc.CompactionRequest(revision=revision), f"revision {revision}")
        except EdgeError as error:
            if code_of(error) is not grpc.StatusCode.OUT_OF_RANGE:
                raise
            refusal = await self._unreadable(revision)
            # Another API server may have been faster.
            if not (isinstance(refusal, Compacted) and refusal.oldest == revision):
                raise refusal from error

    async def grant(self, ttl_s: int) -> int:
        response = await self._calls.write(self._lease.LeaseGrant, rpc.LeaseGrantRequest(TTL=ttl_s), "a lease")
        return response.ID

    async def close(self) -> None:
        await self._calls.close()

    async def _range(self, request: rpc.RangeRequest, what: str) -> rpc.RangeResponse:
        try:
            return await self._calls.read(self._kv.Range, request, what)
        except EdgeError as error:
            if code_of(error) is grpc.StatusCode.OUT_OF_RANGE:
                raise await self._unreadable(request.revision) from error
            raise

    async def _unreadable(self, asked: int) -> Compacted | FutureRevision:
        """Which of the two etcd meant; it has one code for both."""
        current = await self.revision()
        if asked > current:
            return FutureRevision(asked, current)
        return Compacted(asked, await self._oldest(current))

    async def _oldest(self, current: int) -> int:
        """The revision of the last compaction, which only a watch that it cuts off is told."""
        watch = Watch(self._calls, self._keys, self._clock, "", 0)
        try:
            async for _ in watch.batches():
                return 1
        except Compacted as told:
            return told.oldest
        return current


def progress_on_request(version: str) -> bool:
    """Whether this etcd answers progress requests in order with events."""
    major, minor, patch = (int(part) for part in version.split("-")[0].split("."))
    since = _PROGRESS_SINCE.get((major, minor))
    return patch >= since if since is not None else (major, minor) >= (3, 6)
