"""Connections are taken a few in each round of the loop, however many knock."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
from collections import Counter
from collections.abc import Iterator

import pytest
import uvloop

from cybernetes.wire.http import acceptor
from cybernetes.wire.http.acceptor import AT_ONCE, Acceptor, listen

MANY = 5 * AT_ONCE
PATIENCE_S = 60


class Rounds:
    """Counts the loop's rounds, and who is connected in which."""

    def __init__(self, expected: int) -> None:
        self.now = 0
        self.connected: Counter[int] = Counter()
        self._expected = expected
        self._all = asyncio.Event()
        self._next()

    def _next(self) -> None:
        self.now += 1
        if not self._all.is_set():
            asyncio.get_running_loop().call_soon(self._next)

    def protocol(self) -> asyncio.Protocol:
        self.connected[self.now] += 1
        if self.connected.total() == self._expected:
            self._all.set()
        return asyncio.Protocol()

    async def until_all(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self._all.wait()


@pytest.fixture
def knocking() -> Iterator[list[socket.socket]]:
    """Sockets to be closed afterwards."""
    found: list[socket.socket] = []
    yield found
    for each in found:
        each.close()


async def few_in_a_round(knocking: list[socket.socket]) -> None:
    [listener] = await listen("127.0.0.1", 0)
    for _ in range(MANY):
        knocking.append(socket.create_connection(listener.getsockname()))
    rounds = Rounds(MANY)
    door = Acceptor(listener, rounds.protocol, None)
    await rounds.until_all()
    assert max(rounds.connected.values()) <= AT_ONCE
    door.close()
    door.close()


def test_a_round_takes_a_few() -> None:
    for runner in (asyncio.run, uvloop.run):
        knocking: list[socket.socket] = []
        runner(few_in_a_round(knocking))
        for each in knocking:
            each.close()


def test_what_breaks_off_or_speaks_no_tls_harms_nobody(knocking: list[socket.socket]) -> None:
    async def main() -> None:
        [listener] = await listen("127.0.0.1", 0)
        rounds = Rounds(1)
        door = Acceptor(listener, rounds.protocol, None)
        gone = socket.create_connection(("127.0.0.1", door.port))
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        gone.close()
        knocking.append(socket.create_connection(("127.0.0.1", door.port)))
        await rounds.until_all()
        door.close()

    asyncio.run(main())


def test_a_port_that_is_taken_is_refused_and_nothing_stays_open(knocking: list[socket.socket]) -> None:
    async def main() -> None:
        [listener] = await listen("127.0.0.1", 0)
        knocking.append(listener)
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(OSError) as refused:
            await listen("127.0.0.1", listener.getsockname()[1])
        assert refused.value.errno == errno.EADDRINUSE
        assert len(os.listdir("/proc/self/fd")) == before

    asyncio.run(main())


def test_without_file_descriptors_it_rests_and_comes_back(
    knocking: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptor, "REST_S", 0.01)

    async def main() -> None:
        [listener] = await listen("127.0.0.1", 0)
        knocking.append(socket.create_connection(listener.getsockname()))
        rounds = Rounds(1)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        # The number that the next one would have.
        free = os.dup(listener.fileno())
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            door = Acceptor(listener, rounds.protocol, None)
            for _ in range(100):
                await asyncio.sleep(0)
            assert not rounds.connected
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await rounds.until_all()
        door.close()

    asyncio.run(main())
