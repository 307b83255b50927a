from __future__ import annotations

import asyncio

import pytest

from cybernetes.store.api import Compacted, Put
from cybernetes.store.memory import MemoryStore
from cybernetes.store.retention import EVERY_S, retain


def test_history_is_kept_for_a_while_and_then_forgotten(stepped_clock):
    async def main() -> None:
        store = MemoryStore(stepped_clock)
        task = asyncio.create_task(retain(store, stepped_clock, keep_s=100))
        revisions = []
        for n in range(6):
            revisions.append(await store.txn([], [Put("/a", b"%d" % n)]))
            await stepped_clock.advance(EVERY_S)
        for revision in revisions[:2]:
            with pytest.raises(Compacted):
                await store.get("/a", revision - 1)
        # Written 90 seconds before the last look.
        entry = await store.get("/a", revisions[3])
        assert entry is not None and entry.value == b"3"
        task.cancel()
        await store.close()

    asyncio.run(main())


def test_after_a_restart_history_is_kept_as_long_again_and_no_longer(stepped_clock):
    async def main() -> None:
        store = MemoryStore(stepped_clock)
        first = asyncio.create_task(retain(store, stepped_clock, keep_s=100))
        old = await store.txn([], [Put("/a", b"old")])
        await stepped_clock.advance(EVERY_S)
        first.cancel()
        new = await store.txn([], [Put("/a", b"new")])
        second = asyncio.create_task(retain(store, stepped_clock, keep_s=100))
        # Its first note is of the moment it starts.
        await asyncio.sleep(0)
        for _ in range(3):
            await stepped_clock.advance(EVERY_S)
            assert await store.get("/a", old) is not None
        await stepped_clock.advance(EVERY_S)
        with pytest.raises(Compacted):
            await store.get("/a", old)
        assert await store.get("/a", new) is not None
        second.cancel()
        await store.close()

    asyncio.run(main())
