"""What only a store on disk promises: it survives restarts, kills and a disk that fails."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.store.api import Compacted, Delete, Put
from cybernetes.store.sqlite import inline, schema
from cybernetes.store.sqlite.jobs import Limits
from cybernetes.store.sqlite.store import SqliteStore

PROGRAM = Path(__file__).with_name("writing_program.py")


def open_store(path: Path, **options) -> SqliteStore:
    return SqliteStore.open(path / "state.db", clock=SystemClock(), **options)


def writer_pid(store: SqliteStore) -> int:
    return store._writer._child.pid


def test_reopening_keeps_everything(tmp_path: Path):
    async def main() -> None:
        store = await open_store(tmp_path)
        first = await store.txn([], [Put("/a", b"1"), Put("/b", b"1")])
        second = await store.txn([], [Put("/a", b"2"), Delete("/b")])
        await store.close()
        store = await open_store(tmp_path)
        assert await store.revision() == second
        now = await store.range("/")
        assert [(entry.key, entry.value, entry.created) for entry in now.entries] == [("/a", b"2", first)]
        then = await store.range("/", revision=first)
        assert [(entry.key, entry.value) for entry in then.entries] == [("/a", b"1"), ("/b", b"1")]
        batch = await anext(store.watch("/", first))
        assert [(event.key, event.value, event.previous) for event in batch.events] == [
            ("/a", b"2", b"1"),
            ("/b", None, b"1"),
        ]
        assert await store.txn([], [Put("/c", b"1")]) == second + 1
        await store.close()

    asyncio.run(main())


def test_no_revision_is_given_twice_after_compaction_removed_the_last_one(tmp_path: Path):
    async def main() -> None:
        store = await open_store(tmp_path)
        await store.txn([], [Put("/a", b"1")])
        last = await store.txn([], [Delete("/a")])
        await store.compact(last)
        await asyncio.sleep(0.1)
        await store.close()
        store = await open_store(tmp_path)
        assert await store.revision() == last
        with pytest.raises(Compacted):
            await store.get("/a", last - 1)
        assert await store.txn([], [Put("/a", b"2")]) == last + 1
        await store.close()

    asyncio.run(main())


def test_a_lease_ends_also_after_a_restart(tmp_path: Path, stepped_clock):
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "state.db", clock=stepped_clock)
        last = await store.txn([], [Put("/a", b"1", await store.grant(10)), Put("/b", b"1")])
        await store.close()
        await stepped_clock.advance(11)
        store = await SqliteStore.open(tmp_path / "state.db", clock=stepped_clock)
        batch = await anext(store.watch("/", last))
        assert [(event.key, event.value) for event in batch.events] == [("/a", None)]
        await store.close()

    asyncio.run(main())


def modes_in(path: Path) -> dict[str, int]:
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.iterdir()}


def test_the_file_is_its_owners_alone(tmp_path: Path):
    async def main() -> None:
        (tmp_path / "state.db").touch(mode=0o644)
        store = await open_store(tmp_path)
        await store.txn([], [Put("/a", b"1")])
        modes = modes_in(tmp_path)
        await store.close()
        assert {"state.db", "state.db-wal"} <= set(modes)
        assert set(modes.values()) == {0o600}

    asyncio.run(main())


def test_one_process_owns_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cybernetes.store.sqlite.lock.LOCK_TIMEOUT_S", 0.2)

    async def main() -> None:
        store = await open_store(tmp_path)
        with pytest.raises(EdgeError, match="another process writes it"):
            await open_store(tmp_path)
        await store.txn([], [Put("/a", b"1")])
        await store.close()
        again = await open_store(tmp_path)
        await again.close()

    asyncio.run(main())


def test_a_newer_format_is_refused(tmp_path: Path):
    path = tmp_path / "state.db"
    schema.open_writer(path).close()
    connection = apsw.Connection(str(path))
    connection.execute(f"PRAGMA user_version={schema.SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(EdgeError, match="newer than this program's"):
        asyncio.run(open_store(tmp_path))


def test_an_older_format_is_migrated_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "state.db"
    schema.open_writer(path).close()
    monkeypatch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 2)
    steps = {
        1: lambda connection: connection.execute("INSERT INTO marks VALUES ('one', 1)"),
        2: lambda connection: connection.execute(
            "INSERT INTO marks SELECT 'two', value + 1 FROM marks WHERE name = 'one'"
        ),
    }
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    connection = schema.open_writer(path)
    assert connection.pragma("user_version") == schema.SCHEMA_VERSION
    assert connection.execute("SELECT value FROM marks WHERE name = 'two'").get == 2
    connection.close()


def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path):
    (tmp_path / "state.db").write_bytes(b"not a database" * 1000)
    for options in ({}, {"launch": inline.launch}):
        with pytest.raises(EdgeError, match=r"state\.db.*not a database") as caught:
            asyncio.run(open_store(tmp_path, **options))
        assert caught.value.outcome is Outcome.NOT_DONE


@pytest.mark.parametrize("whole_group", [False, True], ids=["parent", "parent and writer"])
def test_an_acknowledged_write_survives_kill_9(tmp_path: Path, whole_group: bool):
    moments = random.Random(7)
    acknowledged: dict[int, tuple[str, str]] = {}
    for _ in range(5):
        fresh = write_and_kill(tmp_path, moments.randint(1, 100), whole_group)
        assert min(fresh) > max(acknowledged, default=0), "revisions go on where they ended"
        acknowledged |= fresh
        asyncio.run(verify(tmp_path, acknowledged))
    assert len(acknowledged) > 100


def write_and_kill(path: Path, enough: int, whole_group: bool) -> dict[int, tuple[str, str]]:
    """Runs the program, kills it once it has acknowledged that many writes; what it had acknowledged."""
    command = [sys.executable, str(PROGRAM), str(path / "state.db")]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert program.stdout is not None
    lines = [program.stdout.readline() for _ in range(enough)]
    if whole_group:
        os.killpg(program.pid, signal.SIGKILL)
    else:
        program.kill()
    lines += program.stdout.read().splitlines(keepends=True)
    program.wait()
    rows = [line.split() for line in lines if line.endswith("\n")]
    return {int(revision): (key, value) for revision, key, value in rows}


async def verify(path: Path, acknowledged: dict[int, tuple[str, str]]) -> None:
    store = await open_store(path)
    assert await store.revision() >= max(acknowledged)
    newest: dict[str, tuple[int, str]] = {}
    for revision, (key, value) in sorted(acknowledged.items()):
        newest[key] = revision, value
    for key, (revision, value) in newest.items():
        entry = await store.get(key)
        # A later write may have reached the disk without its acknowledgement reaching us.
        if entry is None:
            assert value == "-" or await store.revision() > max(acknowledged)
        else:
            assert entry.revision >= revision
            assert entry.revision > revision or entry.value == value.encode()
    connection = apsw.Connection(str(path / "state.db"))
    assert connection.pragma("integrity_check") == "ok"
    connection.close()
    await store.close()


def test_a_writer_that_dies_leaves_waiters_unknown_and_refuses_what_follows(tmp_path: Path):
    async def main() -> None:
        store = await open_store(tmp_path)
        await store.txn([], [Put("/a", b"1")])
        watch = store.watch("/", await store.revision())
        waiting = asyncio.create_task(anext(watch))
        await asyncio.sleep(0)
        os.kill(writer_pid(store), signal.SIGKILL)
        with pytest.raises(EdgeError) as caught:
            await store.txn([], [Put("/a", b"2")])
        assert caught.value.outcome is Outcome.UNKNOWN
        with pytest.raises(EdgeError, match="open the store again") as caught:
            await store.txn([], [Put("/a", b"3")])
        assert caught.value.outcome is Outcome.NOT_DONE
        with pytest.raises(EdgeError):
            await waiting
        await store.close()
        store = await open_store(tmp_path)
        entry = await store.get("/a")
        assert entry is not None and entry.value in (b"1", b"2")
        await store.close()

    asyncio.run(main())


def test_a_disk_that_refuses_to_grow_fails_writes_and_loses_none(tmp_path: Path):
    async def main() -> None:
        store = await open_store(tmp_path)
        await store.txn([], [Put("/a", b"1")])
        size = (tmp_path / "state.db-wal").stat().st_size
        # Each write past this length fails, as it does on a full disk.
        resource.prlimit(writer_pid(store), resource.RLIMIT_FSIZE, (size + 20_000, resource.RLIM_INFINITY))
        acknowledged = []
        with pytest.raises(EdgeError) as caught:
            for n in range(100):
                acknowledged.append((n, await store.txn([], [Put(f"/{n:03}", b"x" * 5000)])))
        assert caught.value.outcome is Outcome.UNKNOWN
        with pytest.raises(EdgeError) as caught:
            await store.txn([], [Put("/later", b"x")])
        assert caught.value.outcome is Outcome.NOT_DONE
        await store.close()
        store = await open_store(tmp_path)
        assert await store.revision() >= acknowledged[-1][1]
        for n, revision in acknowledged:
            entry = await store.get(f"/{n:03}")
            assert entry is not None and entry.revision == revision
        assert await store.txn([], [Put("/later", b"x")]) > acknowledged[-1][1]
        await store.close()

    asyncio.run(main())


@pytest.mark.privileged
def test_a_full_disk_is_an_edge_error_and_a_freed_one_opens_again(tmp_path: Path):
    mounted = tmp_path / "disk"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(mounted)], check=True)

    async def main() -> int:
        store = await open_store(mounted)
        done = 0
        with pytest.raises(EdgeError, match="full"):
            for n in range(1000):
                await store.txn([], [Put(f"/{n}", os.urandom(10_000))])
                done = n
        await store.close()
        return done

    async def again(done: int) -> None:
        store = await open_store(mounted)
        assert (await store.range("/")).count >= done
        await store.txn([], [Put("/after", b"x")])
        await store.close()

    try:
        done = asyncio.run(main())
        subprocess.run(["mount", "-o", "remount,size=16m", str(mounted)], check=True)
        asyncio.run(again(done))
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


@pytest.mark.parametrize("options", [{}, {"launch": inline.launch}], ids=["process", "inline"])
def test_above_the_hard_limit_only_deletions_are_taken(tmp_path: Path, options: dict):
    async def main() -> None:
        limits = Limits(soft_bytes=2 << 20, hard_bytes=4 << 20)
        store = await open_store(tmp_path, limits=limits, **options)
        written = 0
        with pytest.raises(EdgeError, match="its limit is 4 MiB; delete objects") as caught:
            for _ in range(1000):
                await store.txn([], [Put(f"/{written}", b"x" * 10_000)])
                written += 1
        assert caught.value.outcome is Outcome.NOT_DONE
        assert 4 << 20 < store.used_bytes < 7 << 20
        for n in range(written):
            await store.txn([], [Delete(f"/{n}")])
        await store.compact(await store.revision())
        for _ in range(6000):
            if store.used_bytes < 1 << 20:
                break
            await asyncio.sleep(0.01)
            await store.txn([], [Delete("/none")])
        assert store.used_bytes < 1 << 20
        await store.txn([], [Put("/again", b"x")])
        await store.close()

    asyncio.run(main())


def test_compaction_gives_the_space_back(tmp_path: Path):
    async def main() -> None:
        store = await open_store(tmp_path)
        for begin in range(0, 5000, 250):
            await asyncio.gather(*(store.txn([], [Put(f"/{n % 10}", b"x" * 2000)]) for n in range(begin, begin + 250)))
        await store.compact(await store.revision())
        for _ in range(3000):
            await asyncio.sleep(0.02)
            await store.txn([], [Put("/tick", b"x" * 100_000)])
            await store.compact(await store.revision())
            if (tmp_path / "state.db").stat().st_size < 4 << 20 and store.used_bytes < 2 << 20:
                break
        assert store.used_bytes < 2 << 20
        await store.close()
        assert (tmp_path / "state.db").stat().st_size < 4 << 20

    asyncio.run(main())
