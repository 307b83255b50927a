"""Runs the asynchronous tests of this folder at the same time against one cluster of two nodes.

A test of a cluster mostly waits, so all of them are started together in a loop of their own that has entered the
cluster's network; pytest then asks for one result after the other. Tests marked `alone` change what others see
(nodes, all of the memory): they follow when the rest is done, one by one.

CYBERNETES_E2E_CLUSTER=DATA_DIR:NETWORK_NAMESPACE takes a cluster that runs already.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import ctypes
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.cluster.running import Cluster
from tests.e2e.rows import image
from tests.e2e.rows.lab import new_lab

from cybernetes.base.clock import SystemClock
from cybernetes.client import kubeconfig

NODES = ("rows-1", "rows-2")
# Two cores: more at once only makes every test slower, and time-outs near.
AT_ONCE = 10
TEST_S = 240.0
_CLONE_NEWNET = 0x40000000


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: changes what other tests see; runs after them, one by one")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in _here(items):
        item.add_marker(pytest.mark.privileged)
        item.add_marker(pytest.mark.timeout(900))


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if Path(__file__).parent not in pyfuncitem.path.parents:
        return None
    results: Results = pyfuncitem._request.getfixturevalue("results")
    results.of(pyfuncitem).result()
    return True


@pytest.fixture
def lab() -> None:
    """Stands for the Lab that each test gets when it is run."""


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> Iterator[Results]:
    if os.geteuid() != 0 or not shutil.which("containerd"):
        pytest.skip("needs root and containerd")
    with _cluster() as (folder, namespace):
        results = Results(_here(request.session.items))
        thread = threading.Thread(target=results.run, args=(folder, namespace), name="rows")
        thread.start()
        try:
            yield results
        finally:
            results.stop()
            thread.join()


class Results:
    """The tests as futures, by name."""

    def __init__(self, items: list[pytest.Function]) -> None:
        self._items = items
        self._futures: dict[str, concurrent.futures.Future[None]] = {
            each.nodeid: concurrent.futures.Future() for each in items
        }
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None

    def of(self, item: pytest.Function) -> concurrent.futures.Future[None]:
        return self._futures[item.nodeid]

    def run(self, folder: Path, namespace: str) -> None:
        _enter(namespace)
        self._task = self._loop.create_task(self._all(folder))
        try:
            self._loop.run_until_complete(self._task)
        except BaseException as broken:
            for future in self._futures.values():
                if not future.done():
                    future.set_exception(broken)

    def stop(self) -> None:
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)

    async def _all(self, folder: Path) -> None:
        client = kubeconfig.connect(folder / "admin.kubeconfig", user_agent="rows", clock=SystemClock())
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(item: pytest.Function) -> None:
            future = self._futures[item.nodeid]
            async with limit:
                try:
                    async with asyncio.timeout(TEST_S), new_lab(client, folder, _short(item.name)) as lab:
                        arguments = {**getattr(item, "callspec", _NoParameters).params, "lab": lab}
                        await item.obj(**arguments)
                except (Exception, asyncio.CancelledError) as failed:
                    future.set_exception(failed)
                else:
                    future.set_result(None)

        try:
            alone = [each for each in self._items if each.get_closest_marker("alone")]
            await asyncio.gather(*(one(each) for each in self._items if each not in alone))
            for each in alone:
                await one(each)
        finally:
            await client.close()


class _NoParameters:
    params: dict[str, Any] = {}


def _here(items: list[pytest.Item]) -> list[pytest.Function]:
    here = Path(__file__).parent
    return [item for item in items if here in item.path.parents and isinstance(item, pytest.Function)]


def _short(name: str) -> str:
    return "".join(each if each.isalnum() else "-" for each in name.removeprefix("test_")).strip("-")[:40].lower()


@contextmanager
def _cluster() -> Iterator[tuple[Path, str]]:
    given = os.environ.get("CYBERNETES_E2E_CLUSTER")
    if given:
        folder, _, namespace = given.partition(":")
        yield Path(folder), namespace
        return
    made = Cluster(Path(tempfile.mkdtemp(prefix="cyb-rows-")), f"cyb-rows-{os.getpid()}", NODES)
    try:
        made.make_machine()
        made.up()
        archive = made.folder / "web.tar"
        image.write(archive)
        for node in NODES:
            socket = made.folder / "nodes" / node / "run" / "containerd.sock"
            made.inside("ctr", "--address", str(socket), "--namespace", "k8s.io", "images", "import", str(archive))
        yield made.folder, made.namespace
    finally:
        made.remove()


def _enter(namespace: str) -> None:
    """This thread, and the programs that it starts, are in that network from now on."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}") as file:
        assert libc.setns(file.fileno(), _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
