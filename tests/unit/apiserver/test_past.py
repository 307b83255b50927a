"""What happened before a server began is read once for all who missed it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cybernetes.apiserver.cache import state as cache_state
from cybernetes.apiserver.cache.feed import Cached, Caches
from cybernetes.apiserver.cache.past import history, reach_back
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SeededRandom
from cybernetes.store.api import Batch, Delete, Put
from cybernetes.store.memory import MemoryStore


class Counting:
    """A store that knows from which revisions its history was read."""

    def __init__(self, inner: MemoryStore) -> None:
        self._inner = inner
        self.read_after: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def watch(self, prefix: str, after: int) -> AsyncIterator[Batch]:
        self.read_after.append(after)
        async for batch in self._inner.watch(prefix, after):
            yield batch


def value(name: str, n: int) -> bytes:
    return b'v1 ConfigMap\n{"metadata":{"name":"%b","labels":{"n":"%d"}}}' % (name.encode(), n)


async def changed(store: MemoryStore) -> list[int]:
    """Revisions of: two objects made, one changed twice, one deleted, something else made."""
    writes = [
        Put("/core/configmaps/s/a", value("a", 1)),
        Put("/core/configmaps/s/b", value("b", 1)),
        Put("/core/configmaps/s/a", value("a", 2)),
        Put("/core/configmaps/s/a", value("a", 3)),
        Delete("/core/configmaps/s/b"),
        Put("/core/secrets/s/c", value("c", 1)),
    ]
    return [await store.txn([], [each]) for each in writes]


async def restarted(store: MemoryStore) -> tuple[Counting, Cached]:
    caches = Caches(store, SystemClock(), SeededRandom(1))
    await caches.load()
    return Counting(store), caches.of("", "configmaps")


def seen(events: Any) -> list[tuple[Any, ...]]:
    def of(item: Any) -> Any:
        return (item.place, item.labels["n"]) if item else None

    return [(each.revision, of(each.before), of(each.after)) for each in events]


def wanted(revisions: list[int]) -> list[tuple[Any, ...]]:
    a, b = "s/a", "s/b"
    return [
        (revisions[0], None, (a, "1")),
        (revisions[1], None, (b, "1")),
        (revisions[2], (a, "1"), (a, "2")),
        (revisions[3], (a, "2"), (a, "3")),
        (revisions[4], (b, "1"), None),
    ]


def test_many_who_come_back_read_history_once() -> None:
    async def main() -> None:
        store = MemoryStore(SystemClock())
        revisions = await changed(store)
        counting, cached = await restarted(store)
        await asyncio.gather(*(reach_back(counting, cached, revisions[1]) for _ in range(20)))
        await reach_back(counting, cached, revisions[3])
        assert counting.read_after == [revisions[1]]
        assert seen(cached.state.since(revisions[1])) == wanted(revisions)[2:]
        await reach_back(counting, cached, revisions[0] - 1)
        assert counting.read_after == [revisions[1], revisions[0] - 1]
        assert seen(cached.state.since(revisions[0] - 1)) == wanted(revisions)
        last = cached.state.window[-1].last()
        assert b'"resourceVersion":"%d"' % revisions[4] in last.json
        await store.close()

    asyncio.run(main())


def test_where_there_is_no_room_each_reads_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_state, "WINDOW_EVENTS_MAX", 2)

    async def main() -> None:
        store = MemoryStore(SystemClock())
        revisions = await changed(store)
        counting, cached = await restarted(store)
        began = cached.state.window_from
        for _ in range(3):
            await reach_back(counting, cached, revisions[0])
        assert counting.read_after == [revisions[0]], "it is known that there is no room"
        assert cached.state.window_from == began and not cached.state.window
        found = [each async for some in history(store, cached.state, revisions[0], revisions[4]) for each in some]
        assert seen(found) == wanted(revisions)[1:]
        await reach_back(counting, cached, revisions[2])
        assert seen(cached.state.since(revisions[2])) == wanted(revisions)[3:]
        await store.close()

    asyncio.run(main())
