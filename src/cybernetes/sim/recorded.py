"""The store as the API server uses it, with what it acknowledged told to the checks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from cybernetes.sim.checks import Checks
from cybernetes.store.api import Batch, Check, Delete, Entry, Put, Range, Store

# What a plant does to the checks of a transaction.
Alter = Callable[[Sequence[Check]], Sequence[Check]]


class RecordedStore:
    def __init__(self, store: Store, checks: Checks, alter: Alter) -> None:
        self._store = store
        self._checks = checks
        self._alter = alter

    @property
    def watches(self) -> int:
        return self._store.watches

    async def revision(self) -> int:
        return await self._store.revision()

    async def get(self, key: str, revision: int = 0) -> Entry | None:
        return await self._store.get(key, revision)

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Range:
        return await self._store.range(prefix, start=start, limit=limit, revision=revision)

    async def txn(self, checks: Sequence[Check], writes: Sequence[Put | Delete]) -> int:
        revision = await self._store.txn(self._alter(checks), writes)
        # Deleting what is not there is no write; its revision is that of another.
        keys = [each.key for each in writes if isinstance(each, Put)]
        if keys:
            self._checks.acknowledged(revision, keys)
        return revision

    def watch(self, prefix: str, after: int) -> AsyncIterator[Batch]:
        return self._store.watch(prefix, after)

    async def compact(self, revision: int) -> None:
        await self._store.compact(revision)

    async def grant(self, ttl_s: int) -> int:
        return await self._store.grant(ttl_s)

    async def close(self) -> None:
        await self._store.close()
