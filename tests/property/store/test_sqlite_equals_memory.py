"""The store on disk against the one in memory, which is short enough to be checked by eye."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cybernetes.base.clock import SystemClock
from cybernetes.store.api import Batch, Check, Compacted, Conflict, Delete, FutureRevision, Put, Store
from cybernetes.store.memory import MemoryStore
from cybernetes.store.sqlite import inline, reader
from cybernetes.store.sqlite.store import SqliteStore

KEYS = st.sampled_from(["/a/1", "/a/2", "/a/3", "/ab/1", "/b/1", "/b"])
PREFIXES = st.sampled_from(["", "/", "/a", "/a/", "/b", "/c/"])
# Relative to the current revision; above 0 is the future.
REVISIONS = st.integers(-12, 1)
WRITES = st.lists(
    st.one_of(st.builds(Put, KEYS, st.binary(max_size=3)), st.builds(Delete, KEYS)),
    max_size=4,
    unique_by=lambda write: write.key,
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("txn"), st.lists(st.tuples(KEYS, st.integers(0, 3)), max_size=2), WRITES),
        st.tuples(st.just("get"), KEYS, REVISIONS),
        st.tuples(st.just("range"), PREFIXES, st.sampled_from(["", "/a/2", "/b"]), st.integers(0, 3), REVISIONS),
        st.tuples(st.just("history"), PREFIXES, REVISIONS),
        st.tuples(st.just("compact"), st.integers(-6, 0)),
    ),
    max_size=40,
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(STEPS)
def test_both_stores_answer_alike(steps: list[tuple[Any, ...]]):
    asyncio.run(compare(steps))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(steps=STEPS)
def test_both_answer_alike_when_each_read_takes_many_steps(steps: list[tuple[Any, ...]]):
    kept = reader.STEP_ROWS, reader.STEP_KEYS, reader.STEP_HISTORY_ROWS
    reader.STEP_ROWS, reader.STEP_KEYS, reader.STEP_HISTORY_ROWS = 2, 1, 1
    try:
        asyncio.run(compare(steps))
    finally:
        reader.STEP_ROWS, reader.STEP_KEYS, reader.STEP_HISTORY_ROWS = kept


async def compare(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        disk = await SqliteStore.open(Path(folder) / "state.db", clock=SystemClock(), launch=inline.launch)
        memory = MemoryStore(SystemClock())
        begin = await memory.revision()
        assert await disk.revision() == begin
        everything = [store.watch("", begin) for store in (disk, memory)]
        for step in steps:
            wanted = await outcome(carry_out(memory, step))
            assert await outcome(carry_out(disk, step)) == wanted, step
        end = await memory.revision()
        assert await disk.revision() == end
        seen = [await outcome(read_until(watch, begin, end)) for watch in everything]
        assert seen[0] == seen[1]
        await disk.close()
        await memory.close()


async def carry_out(store: Store, step: tuple[Any, ...]) -> object:
    now = await store.revision()

    def at(offset: int) -> int:
        return max(1, now + offset)

    match step:
        case "txn", checks, writes:
            exact = [Check(key, await guess(store, key, n)) for key, n in checks]
            return await store.txn(exact, writes)
        case "get", key, offset:
            return await store.get(key, at(offset) if offset else 0)
        case "range", prefix, start, limit, offset:
            return await store.range(prefix, start=start, limit=limit, revision=at(offset) if offset else 0)
        case "history", prefix, offset:
            return await read_until(store.watch(prefix, at(offset)), at(offset), now)
        case "compact", offset:
            return await store.compact(at(offset))
    raise AssertionError(step)


async def guess(store: Store, key: str, n: int) -> int:
    """The key's revision; wrong for n = 3."""
    entry = await store.get(key)
    return (entry.revision if entry else 0) + (1 if n == 3 else 0)


async def read_until(watch: Any, after: int, revision: int) -> list[Batch]:
    """What a watch that begins behind `after` tells up to `revision`."""
    found: list[Batch] = []
    if after >= revision:
        await begun(watch)
    while (found[-1].revision if found else after) < revision:
        found.append(await anext(watch))
    await watch.aclose()
    return [batch for batch in found if batch.events]


async def begun(watch: Any) -> None:
    """A watch that has nothing to tell yet; raises what it is refused with."""
    first = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first


async def outcome(answer: Awaitable[object]) -> object:
    try:
        return await answer
    except (Conflict, Compacted, FutureRevision) as refusal:
        return type(refusal), str(refusal)
