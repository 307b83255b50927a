from __future__ import annotations

import pytest

from cybernetes.store.api import Compacted, Delete, FutureRevision, Put, Store


async def fill(store: Store, count: int) -> int:
    for n in range(count):
        await store.txn([], [Put(f"/pods/{n:03}", b"%d" % n)])
    return await store.revision()


def test_a_range_has_its_prefix_in_key_order_with_count(run):
    async def scenario(store: Store) -> None:
        for key in ("/pods/b", "/podsx/a", "/pods/a", "/nodes/a", "/pods/a/b"):
            await store.txn([], [Put(key, key.encode())])
        found = await store.range("/pods/")
        assert [entry.key for entry in found.entries] == ["/pods/a", "/pods/a/b", "/pods/b"]
        assert (found.count, found.more, found.revision) == (3, False, await store.revision())
        everything = await store.range("")
        assert everything.count == 5
        nothing = await store.range("/services/")
        assert (nothing.entries, nothing.count) == ([], 0)

    run(scenario)


def test_pages_of_one_revision_see_no_later_write(run):
    async def scenario(store: Store) -> None:
        at = await fill(store, 25)
        page = await store.range("/pods/", limit=10)
        assert (len(page.entries), page.count, page.more, page.revision) == (10, 25, True, at)
        keys = [entry.key for entry in page.entries]
        sizes = []
        n = 0
        while page.more:
            # Between two pages: a change, a removal and a new key inside what is still to be read.
            await store.txn([], [Put("/pods/020", b"later"), Delete("/pods/021"), Put(f"/pods/019-{n}", b"new")])
            n += 1
            start = keys[-1] + "\0"
            page = await store.range("/pods/", start=start, limit=10, revision=at)
            assert page.revision == at
            sizes.append((len(page.entries), page.count))
            keys += [entry.key for entry in page.entries]
            assert all(entry.value == b"%d" % int(entry.key[-3:]) for entry in page.entries)
        assert keys == [f"/pods/{n:03}" for n in range(25)]
        assert sizes == [(10, 15), (5, 5)]

    run(scenario)


def test_the_past_is_read_as_it_was(run):
    async def scenario(store: Store) -> None:
        born = await store.txn([], [Put("/a", b"1")])
        changed = await store.txn([], [Put("/a", b"2"), Put("/b", b"1")])
        gone = await store.txn([], [Delete("/a")])
        again = await store.txn([], [Put("/a", b"3")])
        seen = {}
        for revision in (born - 1, born, changed, gone, again):
            entry = await store.get("/a", revision)
            found = await store.range("/", revision=revision)
            counted = await store.range("/", revision=revision, limit=1)
            assert counted.count == found.count == len(found.entries)
            seen[revision] = (entry and (entry.value, entry.revision, entry.created), found.count)
        assert seen == {
            born - 1: (None, 0),
            born: ((b"1", born, born), 1),
            changed: ((b"2", changed, born), 2),
            gone: (None, 1),
            again: ((b"3", again, again), 2),
        }

    run(scenario)


def test_a_future_revision_cannot_be_read(run):
    async def scenario(store: Store) -> None:
        at = await fill(store, 2)
        with pytest.raises(FutureRevision) as caught:
            await store.get("/pods/000", at + 1)
        assert (caught.value.asked, caught.value.current) == (at + 1, at)
        with pytest.raises(FutureRevision):
            await store.range("/pods/", revision=at + 5)
        with pytest.raises(FutureRevision):
            await store.compact(at + 1)

    run(scenario)


def test_compaction_forgets_the_past_and_keeps_the_present(run):
    async def scenario(store: Store) -> None:
        await store.txn([], [Put("/stays", b"old"), Put("/goes", b"x"), Put("/untouched", b"u")])
        await store.txn([], [Put("/stays", b"new")])
        await store.txn([], [Delete("/goes")])
        at = await store.revision()
        await store.txn([], [Put("/stays", b"newest")])
        await store.compact(at)
        with pytest.raises(Compacted) as caught:
            await store.get("/stays", at - 1)
        assert (caught.value.asked, caught.value.oldest) == (at - 1, at)
        with pytest.raises(Compacted):
            await store.range("/", revision=at - 1)
        with pytest.raises(Compacted):
            await store.compact(at - 1)
        then = await store.range("/", revision=at)
        assert [(entry.key, entry.value) for entry in then.entries] == [("/stays", b"new"), ("/untouched", b"u")]
        now = await store.range("/")
        assert [(entry.key, entry.value) for entry in now.entries] == [("/stays", b"newest"), ("/untouched", b"u")]

    run(scenario)


def test_compaction_runs_beside_writes_and_reads(run):
    async def scenario(store: Store) -> None:
        for n in range(300):
            await store.txn([], [Put(f"/pods/{n % 7}", b"%d" % n), Put("/hot", b"%d" % n)])
            if n % 50 == 49:
                await store.txn([], [Delete(f"/pods/{n % 7}")])
                await store.compact(await store.revision() - 10)
                past = await store.range("/", revision=await store.revision() - 10)
                assert past.count == len(past.entries) >= 7
        hot = await store.get("/hot")
        assert hot is not None and hot.value == b"299"

    run(scenario)
