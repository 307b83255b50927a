"""Writes to a store until it is killed, and prints each write once it was acknowledged: `REVISION KEY VALUE`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from cybernetes.base.clock import SystemClock
from cybernetes.store.api import Delete, Put
from cybernetes.store.sqlite.store import SqliteStore

WRITERS = 8


async def main(path: str) -> None:
    store = await SqliteStore.open(Path(path), clock=SystemClock())

    async def write(writer: int) -> None:
        for n in range(1_000_000):
            key, value = f"/w{writer}/{n % 50}", f"{writer}.{n}"
            if n % 7 == 6:
                revision = await store.txn([], [Delete(key), Put("/last", value.encode())])
                value = "-"
            else:
                revision = await store.txn([], [Put(key, value.encode()), Put("/last", value.encode())])
            print(revision, key, value, flush=True)
            if n % 20 == 19:
                await store.compact(revision - 10)

    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
