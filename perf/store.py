"""Store: commits a second, reads, watch fan-out, memory. `python perf/store.py [--json] [--etcd HOST:PORT] [--folder DIR]`

Values are 1.7 kB, a typical pod. The folder must be on a disk: on tmpfs fsync costs nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from cybernetes.base.clock import SystemClock
from cybernetes.store.api import Check, Put, Store
from cybernetes.store.sqlite.store import SqliteStore

VALUE = b"v1 Pod\n" + b'{"metadata":{"name":"x"},"spec":{}}'.ljust(1693)
SMALL = VALUE[:200]
RUN_S = 3.0
KEYS = 50_000
ENTRIES = 200_000
WATCHES = 200

Row = tuple[str, float, str]


async def commits(store: Store, writers: int, value: bytes) -> list[Row]:
    """Each writer creates or replaces one key at a time and waits until it is on disk."""
    deadline = time.perf_counter() + RUN_S
    done = 0

    async def write(writer: int) -> None:
        nonlocal done
        n = writer
        while time.perf_counter() < deadline:
            await store.txn([], [Put(f"/core/pods/default/pod-{n * 7919 % KEYS}", value)])
            n += writers
            done += 1

    began, loop_cpu = time.perf_counter(), time.thread_time()
    await asyncio.gather(*(write(n) for n in range(writers)))
    took, loop_cpu = time.perf_counter() - began, time.thread_time() - loop_cpu
    name = f"{writers} writers, {len(value)} B"
    return [(name, done / took, "writes/s"), (f"{name}, event loop", loop_cpu / done * 1e6, "us CPU/write")]


async def guarded(store: Store) -> list[Row]:
    """Read, check, write, as an API server updates an object."""
    began = time.perf_counter()
    rounds = 0
    while time.perf_counter() < began + RUN_S / 2:
        entry = await store.get("/core/pods/default/pod-1")
        await store.txn(
            [Check("/core/pods/default/pod-1", entry.revision if entry else 0)],
            [Put("/core/pods/default/pod-1", VALUE)],
        )
        rounds += 1
    return [("read, check and write alone", rounds / (time.perf_counter() - began), "updates/s")]


async def reads(store: Store) -> list[Row]:
    began = time.perf_counter()
    rounds = 20_000
    for n in range(rounds):
        await store.get(f"/core/pods/default/pod-{n * 31 % KEYS}")
    gets = rounds / (time.perf_counter() - began)
    began = time.perf_counter()
    found = await store.range("/core/pods/")
    entries = len(found.entries) / (time.perf_counter() - began)
    began = time.perf_counter()
    read = 0
    start = ""
    while True:
        page = await store.range("/core/pods/", start=start, limit=500, revision=found.revision)
        read += len(page.entries)
        if not page.more:
            break
        start = page.entries[-1].key + "\0"
    paged = read / (time.perf_counter() - began)
    assert read == found.count
    return [
        ("get", gets, "reads/s"),
        ("range, all at once", entries, "entries/s"),
        ("range, pages of 500", paged, "entries/s"),
    ]


async def longest_block(store: Store) -> list[Row]:
    """How long the event loop stands still while the whole range is read and 16 writers write."""
    stop = False
    worst = 0.0

    async def tick() -> None:
        nonlocal worst
        while not stop:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, time.perf_counter() - began - 0.001)

    ticking = asyncio.create_task(tick())
    await asyncio.gather(store.range("/core/pods/"), commits(store, 16, VALUE))
    stop = True
    await ticking
    return [("event loop held longest", worst * 1000, "ms")]


async def fan_out(store: Store) -> list[Row]:
    """WATCHES watches of one prefix, each event to all of them."""
    events = 2000
    after = await store.revision()

    async def follow() -> None:
        seen = 0
        async for batch in store.watch("/core/configmaps/", after):
            seen += len(batch.events)
            if seen == events:
                return

    followers = [asyncio.create_task(follow()) for _ in range(WATCHES)]
    await asyncio.sleep(0)
    began, cpu = time.perf_counter(), time.thread_time()
    for begin in range(0, events, 100):
        await asyncio.gather(
            *(store.txn([], [Put(f"/core/configmaps/x/{n}", SMALL)]) for n in range(begin, begin + 100))
        )
    await asyncio.gather(*followers)
    took, cpu = time.perf_counter() - began, time.thread_time() - cpu
    return [
        (f"{WATCHES} watches", events * WATCHES / took, "events/s"),
        (f"{WATCHES} watches, event loop", cpu / events / WATCHES * 1e6, "us CPU/event"),
    ]


async def fill(store: Store, count: int) -> None:
    for begin in range(0, count, 1000):
        await asyncio.gather(
            *(
                store.txn([], [Put(f"/core/pods/default/pod-{n}", VALUE)])
                for n in range(begin, min(begin + 1000, count))
            )
        )


async def memory(store: Store) -> list[Row]:
    before = resident_bytes()
    await fill(store, ENTRIES)
    grown = (resident_bytes() - before) / 2**20
    rows = [(f"memory after {ENTRIES} more writes", grown, "MiB grown")]
    began = time.perf_counter()
    await store.compact(await store.revision())
    if isinstance(store, SqliteStore):
        rows.append(("compaction answers after", (time.perf_counter() - began) * 1000, "ms"))
        rows.append(("size in use", store.used_bytes / 2**20, "MiB"))
    return rows


async def measure(store: Store) -> list[Row]:
    rows: list[Row] = []
    steps: list[Callable[[], Awaitable[list[Row]]]] = [
        *(lambda writers=writers: commits(store, writers, SMALL) for writers in (1, 16, 128)),
        *(lambda writers=writers: commits(store, writers, VALUE) for writers in (1, 16, 128)),
        lambda: guarded(store),
        lambda: filled_reads(store),
        lambda: longest_block(store),
        lambda: fan_out(store),
        lambda: memory(store),
    ]
    for step in steps:
        rows += await step()
    return rows


async def filled_reads(store: Store) -> list[Row]:
    await fill(store, KEYS)
    return await reads(store)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


async def main(options: argparse.Namespace) -> list[Row]:
    if options.etcd:
        from cybernetes.store.etcd.store import EtcdStore

        etcd = await EtcdStore.open([options.etcd], clock=SystemClock(), root="/perf")
        try:
            return await measure(etcd)
        finally:
            await etcd.close()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="store-perf-") as folder:
        store = await SqliteStore.open(Path(folder) / "state.db", clock=SystemClock())
        try:
            return await measure(store)
        finally:
            await store.close()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--etcd", metavar="HOST:PORT", help="measure this etcd instead; it keeps what is written")
    parser.add_argument("--folder", default="/var/tmp")
    return parser.parse_args()


if __name__ == "__main__":
    options = parse()
    rows = uvloop.run(main(options))
    if options.json:
        print(json.dumps([{"name": name, "value": round(value, 3), "unit": unit} for name, value, unit in rows]))
    else:
        for name, value, unit in rows:
            print(f"{name:45} {value:12,.1f} {unit}")
