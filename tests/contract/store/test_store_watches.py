from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from cybernetes.base.errors import EdgeError
from cybernetes.store.api import Batch, Compacted, Delete, Event, FutureRevision, Put, Store
from cybernetes.store.feed import BUFFER_BATCHES_MAX


async def until(store: Store, revision: int) -> None:
    now = await store.revision()
    if now < revision:
        async for batch in store.watch("/", now):
            if batch.revision >= revision:
                return


async def take(watch: AsyncIterator[Batch], count: int) -> list[Batch]:
    """The next `count` batches with events."""
    found: list[Batch] = []
    while len(found) < count:
        batch = await anext(watch)
        if batch.events:
            found.append(batch)
    return found


def test_a_watch_tells_history_and_then_what_happens(run):
    async def scenario(store: Store) -> None:
        start = await store.revision()
        one = await store.txn([], [Put("/pods/a", b"1")])
        two = await store.txn([], [Put("/pods/a", b"2"), Put("/nodes/n", b"x")])
        watch = store.watch("/pods/", start)
        assert await take(watch, 2) == [
            Batch(one, (Event("/pods/a", b"1", None, one, one),)),
            Batch(two, (Event("/pods/a", b"2", b"1", two, one),)),
        ]
        three = await store.txn([], [Delete("/pods/a")])
        four = await store.txn([], [Put("/pods/a", b"3")])
        assert await take(watch, 2) == [
            Batch(three, (Event("/pods/a", None, b"2", three, one),)),
            Batch(four, (Event("/pods/a", b"3", None, four, four),)),
        ]

    run(scenario)


def test_a_revision_arrives_whole(run):
    async def scenario(store: Store) -> None:
        start = await store.revision()
        wide = store.watch("/", start)
        narrow = store.watch("/pods/", start)
        await asyncio.sleep(0)
        revision = await store.txn([], [Put(f"/pods/{n:03}", b"x" * 500) for n in range(100)] + [Put("/nodes/n", b"y")])
        await store.txn([], [Put("/nodes/n", b"z")])
        (first, second) = await take(wide, 2)
        assert (first.revision, len(first.events), len(second.events)) == (revision, 101, 1)
        (only,) = await take(narrow, 1)
        assert (only.revision, len(only.events)) == (revision, 100)
        assert sorted(event.key for event in only.events) == [f"/pods/{n:03}" for n in range(100)]

    run(scenario)


def test_every_watch_gets_every_event_once_whenever_it_joins(run):
    changes, watches = 300, 10

    async def follow(store: Store, after: int) -> list[int]:
        return [batch.revision for batch in await take(store.watch("/k/", after), start + changes - after)]

    async def write(store: Store) -> None:
        for n in range(changes):
            await store.txn([], [Put(f"/k/{n % 13}", b"%d" % n)])

    start = 0

    async def scenario(store: Store) -> None:
        nonlocal start
        start = await store.revision()
        followers = []
        writing = asyncio.create_task(write(store))
        for n in range(watches):
            await until(store, start + n * changes // (watches + 1))
            # Some begin in the past, some at the present revision.
            after = await store.revision() if n % 2 else start
            followers.append((after, asyncio.create_task(follow(store, after))))
        await writing
        for after, task in followers:
            assert await task == list(range(after + 1, start + changes + 1))

    run(scenario)


def test_a_slow_reader_misses_nothing(run):
    count = BUFFER_BATCHES_MAX * 2 + 100

    async def scenario(store: Store) -> None:
        start = await store.revision()
        watch = store.watch("/k/", start)
        first = await store.txn([], [Put("/k/first", b"x")])
        assert [batch.revision for batch in await take(watch, 1)] == [first]
        for begin in range(0, count, 100):
            await asyncio.gather(
                *(store.txn([], [Put(f"/k/{n}", b"x")]) for n in range(begin, min(begin + 100, count)))
            )
        batches = await take(watch, count)
        assert [batch.revision for batch in batches] == list(range(first + 1, first + 1 + count))
        last = await store.txn([], [Put("/k/last", b"x")])
        assert [batch.revision for batch in await take(watch, 1)] == [last]

    run(scenario)


def test_a_watch_from_a_forgotten_revision_ends_with_compacted(run):
    async def scenario(store: Store) -> None:
        start = await store.revision()
        for n in range(5):
            await store.txn([], [Put("/a", b"%d" % n)])
        await store.compact(start + 3)
        with pytest.raises(Compacted) as caught:
            await anext(store.watch("/", start + 2))
        assert caught.value.oldest == start + 3
        watch = store.watch("/", start + 3)
        events = [event for batch in await take(watch, 2) for event in batch.events]
        assert [(event.revision, event.value, event.previous) for event in events] == [
            (start + 4, b"3", b"2"),
            (start + 5, b"4", b"3"),
        ]

    run(scenario)


def test_a_watch_from_the_future_is_refused(run):
    async def scenario(store: Store) -> None:
        with pytest.raises(FutureRevision):
            await anext(store.watch("/", await store.revision() + 1))

    run(scenario)


def test_a_live_watch_outlives_compaction(run):
    async def scenario(store: Store) -> None:
        watch = store.watch("/a", await store.revision())
        revision = await store.txn([], [Put("/a", b"1")])
        assert (await take(watch, 1))[0].revision == revision
        await store.txn([], [Put("/b", b"1")])
        await store.compact(await store.revision())
        revision = await store.txn([], [Delete("/a")])
        assert (await take(watch, 1))[0].events == (Event("/a", None, b"1", revision, revision - 2),)

    run(scenario)


def test_a_quiet_watch_learns_the_revision_when_someone_asks_for_it(run):
    async def scenario(store: Store) -> None:
        watch = store.watch("/quiet/", await store.revision())
        reading = asyncio.create_task(until_revision(watch, 0))
        await asyncio.sleep(0.01)
        revision = await store.txn([], [Put("/noise", b"x")])
        assert await store.revision() == revision
        assert await until_revision(watch, revision, reading) == revision

    async def until_revision(watch: AsyncIterator[Batch], revision: int, reading: asyncio.Task | None = None) -> int:
        seen = await reading if reading else 0
        while seen < max(revision, 1):
            batch = await anext(watch)
            assert batch.events == ()
            assert batch.revision >= seen
            seen = batch.revision
        return seen

    run(scenario)


def test_a_cancelled_watch_is_freed(run):
    async def consume(store: Store, after: int) -> None:
        async for _ in store.watch("/", after):
            pass

    async def scenario(store: Store) -> None:
        after = await store.revision()
        tasks = [asyncio.create_task(consume(store, after)) for _ in range(10)]
        await store.txn([], [Put("/a", b"x")])
        while store.watches < len(tasks):  # noqa: ASYNC110 -- the scenario has a time limit
            await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended)
        assert store.watches == 0
        await store.txn([], [Put("/a", b"y")])

    run(scenario)


def test_closing_the_store_ends_its_watches(run):
    async def scenario(store: Store) -> None:
        watch = store.watch("/", await store.revision())
        await store.txn([], [Put("/a", b"x")])
        await take(watch, 1)
        await store.close()
        with pytest.raises(EdgeError):
            await take(watch, 1)

    run(scenario)
