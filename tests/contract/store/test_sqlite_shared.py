"""What several processes on one SQLite file promise each other, and what happens when the one that writes is killed."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.store.api import Batch, Check, Conflict, Put, Store
from cybernetes.store.sqlite.server import StoreServer
from cybernetes.store.sqlite.shared import SharedStore
from cybernetes.store.sqlite.store import SqliteStore

PROGRAM = Path(__file__).with_name("serving_program.py")
PATIENCE_S = 60


class Writer:
    """The process that writes, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.path, self.address = folder / "state.db", folder / "store.sock"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        command = [sys.executable, str(PROGRAM), str(self.path), str(self.address)]
        self._process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert await self._process.stdout.readline() == b"ready\n"

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()

    async def store(self) -> SharedStore:
        return await SharedStore.open(self.path, self.address, clock=SystemClock())


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[StoreServer]:
    """A server in this process."""
    server, ready = await StoreServer.open(folder / "state.db", clock=SystemClock()), asyncio.Event()
    task = asyncio.create_task(server.serve(folder / "store.sock", ready.set))
    try:
        await ready.wait()
        yield server
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def open_store(folder: Path) -> SharedStore:
    return await SharedStore.open(folder / "state.db", folder / "store.sock", clock=SystemClock())


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await scenario()

    asyncio.run(main())


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 -- what is looked at belongs to others
        await asyncio.sleep(0.01)


async def take(watch: AsyncIterator[Batch], upto: int) -> list[int]:
    """Revisions of the events of a watch, as far as this one."""
    found: list[int] = []
    async for batch in watch:
        found += [batch.revision] * len(batch.events)
        if batch.revision >= upto:
            return found
    raise AssertionError("a watch has no end")


def test_what_one_was_told_the_other_finds(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path):
            one, other = await open_store(tmp_path), await open_store(tmp_path)
            watch = other.watch("/", await other.revision())
            for n in range(50):
                revision = await one.txn([], [Put("/a", b"%d" % n)])
                assert await other.revision() == revision
                entry = await other.get("/a")
                assert entry is not None and entry.revision == revision
            assert await take(watch, revision) == list(range(revision - 49, revision + 1))
            await one.close()
            await other.close()

    run(scenario)


def test_of_two_that_write_the_same_one_hears_of_the_conflict(tmp_path: Path) -> None:
    async def increment(store: Store) -> None:
        for _ in range(30):
            while True:
                entry = await store.get("/n")
                revision, value = (entry.revision, int(entry.value)) if entry else (0, 0)
                try:
                    await store.txn([Check("/n", revision)], [Put("/n", b"%d" % (value + 1))])
                    break
                except Conflict as conflict:
                    assert conflict.current is not None and conflict.current.revision > revision

    async def scenario() -> None:
        async with serving(tmp_path):
            stores = [await open_store(tmp_path) for _ in range(3)]
            await asyncio.gather(*map(increment, stores))
            entry = await stores[0].get("/n")
            assert entry is not None and int(entry.value) == 90
            for each in stores:
                await each.close()

    run(scenario)


def test_who_closes_gets_the_answers_to_what_was_asked(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as server:
            one, other = await open_store(tmp_path), await open_store(tmp_path)
            writes = [asyncio.create_task(one.txn([], [Put(f"/{n}", b"x")])) for n in range(300)]
            await asyncio.sleep(0)
            await one.close()
            revisions = await asyncio.gather(*writes)
            assert await other.revision() == max(revisions)
            assert server.peers == 1
            await other.close()

    run(scenario)


def test_a_killed_writer_leaves_the_unknown_unknown_and_watches_whole(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    acknowledged: dict[int, str] = {}
    outcomes: list[Outcome] = []

    async def write(store: Store, number: int, stop: asyncio.Event) -> None:
        count = 0
        while not stop.is_set():
            key, count = f"/k/{number}-{count}", count + 1
            try:
                acknowledged[await store.txn([], [Put(key, b"x")])] = key
            except EdgeError as failed:
                outcomes.append(failed.outcome)

    async def scenario() -> None:
        await writer.start()
        stores, stop = [await writer.store(), await writer.store()], asyncio.Event()
        start = await stores[0].revision()
        watches = [each.watch("/k/", start) for each in stores]
        writing = [asyncio.create_task(write(stores[n % 2], n, stop)) for n in range(8)]
        for _ in range(3):
            enough = len(acknowledged) + 50
            await until(lambda enough=enough: len(acknowledged) >= enough)
            await writer.kill()
            # What is on disk can be read meanwhile.
            assert (await stores[0].range("/k/")).count >= enough
            await writer.start()
        stop.set()
        await asyncio.gather(*writing)
        last = await stores[0].txn([], [Put("/k/last", b"x")])
        seen = await take(watches[0], last)
        assert seen == list(range(start + 1, last + 1)), "each revision once, in order"
        assert await take(watches[1], last) == seen
        for revision, key in acknowledged.items():
            entry = await stores[1].get(key)
            assert entry is not None and entry.revision == revision
        assert set(outcomes) == {Outcome.UNKNOWN}, "what was sent may have happened; what was not sent waits"
        for each in stores:
            await each.close()
        await writer.kill()

    run(scenario)


def test_a_write_waits_for_a_writer_only_so_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cybernetes.store.sqlite.shared.CONNECT_TIMEOUT_S", 0.2)

    async def scenario() -> None:
        async with serving(tmp_path):
            store = await open_store(tmp_path)
            revision = await store.txn([], [Put("/a", b"x")])
        # It may go out before the end of the connection is noticed.
        with suppress(EdgeError):
            await store.txn([], [Put("/b", b"x")])
        with pytest.raises(EdgeError, match="no store process answers") as caught:
            await store.txn([], [Put("/b", b"x")])
        assert caught.value.outcome is Outcome.NOT_DONE
        assert await store.revision() == revision
        await store.close()
        with pytest.raises(EdgeError, match="no store process answers"):
            await open_store(tmp_path)

    run(scenario)


def test_who_does_not_read_is_cut_off_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cybernetes.store.sqlite.server.UNREAD_BYTES_MAX", 1 << 16)

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            store = await open_store(tmp_path)
            with socket.socket(socket.AF_UNIX) as deaf:
                deaf.connect(str(tmp_path / "store.sock"))
                await until(lambda: server.peers == 2)
                while server.peers == 2:
                    await store.txn([], [Put("/a", b"x" * 100_000)])
            assert await store.txn([], [Put("/a", b"x")]) == await store.revision()
            await store.close()

    run(scenario)


def test_who_was_cut_off_misses_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as server:
            one, other = await open_store(tmp_path), await open_store(tmp_path)
            watch = other.watch("/", await other.revision())
            first = await one.txn([], [Put("/a", b"x")])
            assert await take(watch, first) == [first]
            *_, peer = server._peers
            peer._transport.abort()
            await asyncio.gather(*(one.txn([], [Put(f"/{n}", b"x")]) for n in range(20)))
            last = await one.txn([], [Put("/last", b"x")])
            assert await take(watch, last) == list(range(first + 1, last + 1))
            await one.close()
            await other.close()

    run(scenario)


def test_a_lease_of_one_ends_for_all_also_after_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path):
            one, other = await open_store(tmp_path), await open_store(tmp_path)
            watch = other.watch("/a", await other.revision())
            await one.txn([], [Put("/a", b"1", await one.grant(2))])
            batches = [await anext(watch)]
            while batches[-1].events == () or batches[-1].events[0].value is not None:
                batches.append(await anext(watch))
            await one.txn([], [Put("/b", b"1", await one.grant(2))])
        async with serving(tmp_path):
            after = await other.revision()
            async for batch in other.watch("/b", after - 1):
                if batch.events and batch.events[0].value is None:
                    break
            await one.close()
            await other.close()

    run(scenario)


def modes_in(folder: Path) -> dict[str, int]:
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}


def test_only_its_owner_is_let_in(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path):
            modes = modes_in(tmp_path)
        assert {"state.db", "state.db.newest", "store.sock"} <= set(modes)
        assert set(modes.values()) == {0o600}

    run(scenario)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_somebody_else_hears_nothing_even_with_the_socket_open_to_all() -> None:
    folder = Path(tempfile.mkdtemp(prefix="cyb-store-"))
    code = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(99))"
    # Another interpreter's folders may be closed to others; this one belongs to the system.
    command = ["/usr/bin/python3", "-c", code, str(folder / "store.sock")]

    async def ask(**who: int) -> str:
        child = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-2, cwd="/", **who)
        return (await child.communicate())[0].decode()

    async def scenario() -> None:
        async with serving(folder):
            os.chmod(folder, 0o755)
            os.chmod(folder / "store.sock", 0o666)
            assert "opened" in await ask()
            refused = await ask(user=65534)
            assert refused == "b''\n" or "ConnectionReset" in refused

    try:
        run(scenario)
    finally:
        shutil.rmtree(folder)


def test_alone_or_with_others_the_file_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cybernetes.store.sqlite.lock.LOCK_TIMEOUT_S", 0.2)

    async def scenario() -> None:
        alone = await SqliteStore.open(tmp_path / "state.db", clock=SystemClock())
        first = await alone.txn([], [Put("/a", b"1")])
        with pytest.raises(EdgeError, match="another process writes it"):
            await StoreServer.open(tmp_path / "state.db", clock=SystemClock())
        await alone.close()
        async with serving(tmp_path):
            store = await open_store(tmp_path)
            second = await store.txn([Check("/a", first)], [Put("/a", b"2")])
            with pytest.raises(EdgeError, match="another process writes it"):
                await SqliteStore.open(tmp_path / "state.db", clock=SystemClock())
            await store.close()
        alone = await SqliteStore.open(tmp_path / "state.db", clock=SystemClock())
        assert await alone.txn([Check("/a", second)], [Put("/a", b"3")]) == second + 1
        await alone.close()
        async with serving(tmp_path):
            store = await open_store(tmp_path)
            assert await store.revision() == second + 1
            await store.close()

    run(scenario)
