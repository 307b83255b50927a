"""Every implementation of the store, each fresh and empty, under one suite."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from etcd_process import EtcdProcess

from cybernetes.base.clock import Clock, SystemClock
from cybernetes.store.api import Store
from cybernetes.store.memory import MemoryStore
from cybernetes.store.sqlite import inline
from cybernetes.store.sqlite.server import StoreServer
from cybernetes.store.sqlite.shared import SharedStore
from cybernetes.store.sqlite.store import SqliteStore

Scenario = Callable[[Store], Awaitable[None]]
Run = Callable[[Scenario], None]

SCENARIO_TIMEOUT_S = 60


class SteppedClock:
    """Time that only moves when told to; sleepers wake in order."""

    def __init__(self) -> None:
        self._now = 1_000_000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if not seconds:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + seconds, future))
        await future

    async def advance(self, seconds: float) -> None:
        self._now += seconds
        due = [each for each in self._sleepers if each[0] <= self._now]
        self._sleepers = [each for each in self._sleepers if each[0] > self._now]
        for _, future in sorted(due, key=lambda each: each[0]):
            if not future.done():
                future.set_result(None)
        for _ in range(10):
            await asyncio.sleep(0)


async def open_memory(_path: Path, clock: Clock) -> Store:
    return MemoryStore(clock)


async def open_sqlite(path: Path, clock: Clock) -> Store:
    return await SqliteStore.open(path / "state.db", clock=clock)


async def open_sqlite_inline(path: Path, clock: Clock) -> Store:
    return await SqliteStore.open(path / "state.db", clock=clock, launch=inline.launch)


class HostedStore(SharedStore):
    """With its server, which ends when it is closed."""

    serving: asyncio.Task[None]

    async def close(self) -> None:
        await super().close()
        self.serving.cancel()
        await asyncio.wait((self.serving,))


async def open_sqlite_shared(path: Path, clock: Clock) -> Store:
    server = await StoreServer.open(path / "state.db", clock=clock)
    ready = asyncio.Event()
    serving = asyncio.create_task(server.serve(path / "store.sock", ready.set))
    await ready.wait()
    store = await HostedStore.open(path / "state.db", path / "store.sock", clock=clock)
    store.serving = serving
    return store


Opener = Callable[[Path, Clock], Awaitable[Store]]

OPENERS: dict[str, Opener] = {
    "memory": open_memory,
    "sqlite": open_sqlite,
    "sqlite-inline": open_sqlite_inline,
    "sqlite-shared": open_sqlite_shared,
}


@pytest.fixture(scope="module")
def etcd_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of this module's own. Its tests share revisions, and have a root of keys each."""
    server = EtcdProcess(tmp_path_factory.mktemp("etcd"))
    yield server.endpoint
    server.stop()


@pytest.fixture(params=[*sorted(OPENERS), "etcd"])
def opener(request: pytest.FixtureRequest) -> Opener:
    if request.param != "etcd":
        return OPENERS[request.param]
    endpoint = request.getfixturevalue("etcd_endpoint")

    async def open_etcd(_path: Path, clock: Clock) -> Store:
        from cybernetes.store.etcd.store import EtcdStore

        return await EtcdStore.open([endpoint], clock=clock, root=f"/{request.node.name}")

    return open_etcd


@pytest.fixture
def run(opener: Opener, tmp_path: Path) -> Run:
    """Runs a scenario on a fresh store and closes it."""

    def run(scenario: Scenario) -> None:
        async def main() -> None:
            store = await opener(tmp_path, SystemClock())
            try:
                async with asyncio.timeout(SCENARIO_TIMEOUT_S):
                    await scenario(store)
            finally:
                await store.close()

        asyncio.run(main())

    return run


@pytest.fixture(params=["memory", "sqlite", "sqlite-inline", "sqlite-shared"])
def stepped_opener(request: pytest.FixtureRequest) -> Opener:
    """The stores whose leases follow the injected clock; etcd has its own."""
    return OPENERS[request.param]


@pytest.fixture
def stepped_clock() -> SteppedClock:
    return SteppedClock()
