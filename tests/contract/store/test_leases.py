from __future__ import annotations

import asyncio
from pathlib import Path

from cybernetes.store.api import Batch, Event, Put, Store


async def settle(store: Store, key: str) -> None:
    """Until `key` is gone; the end of a lease reaches some stores through a thread."""
    for _ in range(6000):
        if await store.get(key) is None:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{key} outlived its lease")


def test_keys_go_with_their_lease_as_one_revision(stepped_opener, stepped_clock, tmp_path: Path):
    async def main() -> None:
        clock = stepped_clock
        store = await stepped_opener(tmp_path, clock)
        lease = await store.grant(10)
        longer = await store.grant(100)
        assert lease != longer
        await store.txn([], [Put("/e/a", b"a", lease), Put("/e/b", b"b", lease), Put("/e/kept", b"k")])
        before = await store.txn([], [Put("/e/long", b"l", longer)])
        await clock.advance(9)
        assert (await store.range("/e/")).count == 4
        await clock.advance(2)
        await settle(store, "/e/a")
        assert [entry.key for entry in (await store.range("/e/")).entries] == ["/e/kept", "/e/long"]
        batch = await anext(store.watch("/e/", before))
        assert batch == Batch(
            before + 1,
            (Event("/e/a", None, b"a", before + 1, before - 1), Event("/e/b", None, b"b", before + 1, before - 1)),
        )
        await store.close()

    asyncio.run(main())


def test_a_write_without_the_lease_takes_the_key_out_of_it(stepped_opener, stepped_clock, tmp_path: Path):
    async def main() -> None:
        clock = stepped_clock
        store = await stepped_opener(tmp_path, clock)
        first, second = await store.grant(10), await store.grant(20)
        await store.txn([], [Put("/free", b"1", first), Put("/moved", b"1", first), Put("/goes", b"1", first)])
        await store.txn([], [Put("/free", b"2"), Put("/moved", b"2", second)])
        await clock.advance(15)
        await settle(store, "/goes")
        assert [entry.key for entry in (await store.range("/")).entries] == ["/free", "/moved"]
        await clock.advance(10)
        await settle(store, "/moved")
        assert [entry.key for entry in (await store.range("/")).entries] == ["/free"]
        await store.close()

    asyncio.run(main())


def test_a_lease_ends_in_real_time(run):
    async def scenario(store: Store) -> None:
        await store.txn([], [Put("/short", b"x", await store.grant(2))])
        await settle(store, "/short")

    run(scenario)
