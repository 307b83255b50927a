from __future__ import annotations

import asyncio

import pytest

from cybernetes.base.errors import Bug, EdgeError, Outcome
from cybernetes.store.api import WRITES_MAX, Check, Conflict, Delete, Entry, Put, Store


def test_an_empty_store_has_a_revision_above_zero(run):
    async def scenario(store: Store) -> None:
        assert await store.revision() > 0
        assert await store.get("/pods/a") is None

    run(scenario)


def test_a_write_takes_the_next_revision_and_is_read_back(run):
    async def scenario(store: Store) -> None:
        before = await store.revision()
        first = await store.txn([Check("/pods/a", 0)], [Put("/pods/a", b"one")])
        assert first == before + 1 == await store.revision()
        assert await store.get("/pods/a") == Entry("/pods/a", b"one", first, first)
        second = await store.txn([Check("/pods/a", first)], [Put("/pods/a", b"two")])
        assert second == first + 1
        assert await store.get("/pods/a") == Entry("/pods/a", b"two", second, first)

    run(scenario)


def test_a_key_that_comes_back_is_created_anew(run):
    async def scenario(store: Store) -> None:
        await store.txn([], [Put("/a", b"1")])
        await store.txn([], [Delete("/a")])
        assert await store.get("/a") is None
        again = await store.txn([Check("/a", 0)], [Put("/a", b"2")])
        assert await store.get("/a") == Entry("/a", b"2", again, again)

    run(scenario)


def test_a_failed_check_writes_nothing_and_tells_what_is_there(run):
    async def scenario(store: Store) -> None:
        revision = await store.txn([], [Put("/a", b"1"), Put("/b", b"1")])
        with pytest.raises(Conflict) as caught:
            await store.txn([Check("/b", revision), Check("/a", revision - 1)], [Put("/a", b"2"), Put("/c", b"2")])
        assert caught.value.key == "/a"
        assert caught.value.current == Entry("/a", b"1", revision, revision)
        with pytest.raises(Conflict) as caught:
            await store.txn([Check("/c", 7)], [Put("/a", b"2")])
        assert (caught.value.key, caught.value.current) == ("/c", None)
        with pytest.raises(Conflict):
            await store.txn([Check("/a", 0)], [Put("/a", b"2")])
        assert await store.revision() == revision
        assert await store.get("/c") is None

    run(scenario)


def test_all_writes_of_a_transaction_have_one_revision(run):
    async def scenario(store: Store) -> None:
        await store.txn([], [Put("/gone", b"x")])
        revision = await store.txn([], [Put("/a", b"1"), Delete("/gone"), Put("/b", b"2"), Delete("/never")])
        found = await store.range("/")
        assert found.entries == [Entry("/a", b"1", revision, revision), Entry("/b", b"2", revision, revision)]

    run(scenario)


def test_a_transaction_that_writes_nothing_takes_no_revision(run):
    async def scenario(store: Store) -> None:
        revision = await store.txn([], [Put("/a", b"1")])
        assert await store.txn([], [Delete("/never")]) == revision
        assert await store.txn([Check("/a", revision)], []) == revision
        assert await store.txn([], []) == revision
        with pytest.raises(Conflict):
            await store.txn([Check("/a", 0)], [])

    run(scenario)


def test_a_transaction_has_a_limit_and_names_a_key_once(run):
    async def scenario(store: Store) -> None:
        full = [Put(f"/{n:04}", b"x") for n in range(WRITES_MAX)]
        revision = await store.txn([], full)
        assert (await store.range("/")).count == WRITES_MAX
        with pytest.raises(Bug):
            await store.txn([], [*full, Put("/one-more", b"x")])
        with pytest.raises(Bug):
            await store.txn([], [Put("/a", b"1"), Delete("/a")])
        assert await store.revision() == revision

    run(scenario)


def test_empty_values_and_any_bytes_are_kept(run):
    async def scenario(store: Store) -> None:
        every = bytes(range(256))
        await store.txn([], [Put("/empty", b""), Put("/every", every), Put("/größe/☃", b"x")])
        empty = await store.get("/empty")
        assert empty is not None and empty.value == b""
        full = await store.get("/every")
        assert full is not None and full.value == every
        snow = await store.get("/größe/☃")
        assert snow is not None and snow.key == "/größe/☃"

    run(scenario)


def test_of_many_concurrent_writers_each_check_lets_one_through(run):
    writers, rounds = 20, 10

    async def increment(store: Store) -> int:
        conflicts = 0
        for _ in range(rounds):
            while True:
                entry = await store.get("/counter")
                revision, value = (entry.revision, int(entry.value)) if entry else (0, 0)
                try:
                    await store.txn([Check("/counter", revision)], [Put("/counter", b"%d" % (value + 1))])
                    break
                except Conflict:
                    conflicts += 1
        return conflicts

    async def scenario(store: Store) -> None:
        before = await store.revision()
        await asyncio.gather(*(increment(store) for _ in range(writers)))
        entry = await store.get("/counter")
        assert entry is not None
        assert int(entry.value) == writers * rounds
        assert entry.revision == before + writers * rounds

    run(scenario)


def test_concurrent_writes_each_get_their_own_revision(run):
    async def scenario(store: Store) -> None:
        before = await store.revision()
        revisions = await asyncio.gather(*(store.txn([], [Put(f"/{n}", b"x")]) for n in range(200)))
        assert sorted(revisions) == list(range(before + 1, before + 201))

    run(scenario)


def test_a_lease_that_does_not_exist_refuses_the_write(run):
    async def scenario(store: Store) -> None:
        with pytest.raises(EdgeError) as caught:
            await store.txn([], [Put("/a", b"x", lease=4711)])
        assert caught.value.outcome is Outcome.NOT_DONE
        assert await store.get("/a") is None

    run(scenario)


def test_a_closed_store_refuses(run):
    async def scenario(store: Store) -> None:
        await store.txn([], [Put("/a", b"x")])
        await store.close()
        with pytest.raises(EdgeError):
            await store.get("/a")
        with pytest.raises(EdgeError) as caught:
            await store.txn([], [Put("/a", b"y")])
        assert caught.value.outcome is Outcome.NOT_DONE

    run(scenario)
