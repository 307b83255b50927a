"""The caches follow the store: in order, through its outages, and wait for what was acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cybernetes.apiserver.cache.feed import Caches
from cybernetes.apiserver.cache.lister import Lister
from cybernetes.apiserver.registry import Registry
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.random import SeededRandom
from cybernetes.store.api import Batch, Compacted, Delete, Put
from cybernetes.store.memory import MemoryStore

MAP = b'v1 ConfigMap\n{"metadata":{"name":"%b","namespace":"shop"}}'


class Flaky:
    """A memory store whose watch breaks off after each batch."""

    def __init__(self, store: MemoryStore, failure: Exception) -> None:
        self._store = store
        self._failure = failure
        self.watches: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def watch(self, prefix: str, after: int) -> AsyncIterator[Batch]:
        self.watches.append(after)
        async for batch in self._store.watch(prefix, after):
            yield batch
            if batch.events:
                raise self._failure


def key(name: str) -> str:
    return f"/core/configmaps/shop/{name}"


async def put(store: Any, name: str) -> int:
    return int(await store.txn([], [Put(key(name), MAP % name.encode())]))


def test_what_was_there_is_loaded_and_what_comes_is_followed() -> None:
    async def main() -> None:
        store = MemoryStore(SystemClock())
        await put(store, "a")
        caches = Caches(store, SystemClock(), SeededRandom(1))
        await caches.load()
        running = asyncio.create_task(caches.run())
        lister = Lister(caches, Registry())
        seen: list[tuple[str, str]] = []
        lister.subscribe("", "configmaps", lambda old, new: seen.append((name_of(old), name_of(new))))
        await put(store, "b")
        await caches.reached(await store.txn([], [Delete(key("a"))]))
        assert [each["metadata"]["name"] for each in lister.list("", "configmaps", "shop")] == ["b"]
        assert lister.get("", "configmaps", "shop", "b") is not None
        assert lister.get("", "configmaps", "shop", "a") is None
        assert seen == [("", "a"), ("", "b"), ("a", "")]
        running.cancel()
        await store.close()

    asyncio.run(main())


def name_of(obj: dict[str, Any] | None) -> str:
    return obj["metadata"]["name"] if obj else ""


def test_an_outage_of_the_store_loses_nothing() -> None:
    async def main() -> None:
        store = MemoryStore(SystemClock())
        broken = EdgeError("watch", "store", "gone", outcome=Outcome.NOT_DONE, retry=Retry.LATER)
        flaky = Flaky(store, broken)
        caches = Caches(flaky, SystemClock(), SeededRandom(1))  # type: ignore[arg-type]
        await caches.load()
        running = asyncio.create_task(caches.run())
        for name in ("a", "b", "c"):
            revision = await put(store, name)
            async with asyncio.timeout(60):
                await caches.reached(revision)
        assert [item.name for item in caches.of("", "configmaps").state.range()] == ["a", "b", "c"]
        assert len(flaky.watches) >= 3
        running.cancel()
        await store.close()

    asyncio.run(main())


def test_history_that_is_gone_ends_the_server() -> None:
    async def main() -> None:
        store = MemoryStore(SystemClock())
        caches = Caches(Flaky(store, Compacted(1, 9)), SystemClock(), SeededRandom(1))  # type: ignore[arg-type]
        await caches.load()
        await put(store, "a")
        with pytest.raises(ExceptionGroup) as ended:
            await caches.run()
        assert isinstance(ended.value.exceptions[0], Compacted)
        await store.close()

    asyncio.run(main())


def test_the_window_is_bounded_and_says_from_where() -> None:
    from cybernetes.apiserver.cache import state as cache_state
    from cybernetes.store.api import Event

    state = cache_state.ResourceState("/core/configmaps/", 1)
    for n in range(cache_state.WINDOW_EVENTS_MAX + 10):
        state.reduce(Event(key("a"), MAP % b"a", None, n + 2, 2))
    assert len(state.window) == cache_state.WINDOW_EVENTS_MAX
    assert state.window_from == 11
    assert [event.revision for event in state.since(state.window[-2].revision)] == [state.window[-1].revision]
