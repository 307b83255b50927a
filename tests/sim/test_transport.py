"""Requests that are late, lost or cut off, and what their client learns."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from cybernetes.auth.user import User
from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.base.random import SeededRandom
from cybernetes.sim.loop import run
from cybernetes.sim.transcript import Transcript
from cybernetes.sim.transport import CONNECT_TIMEOUT_S, Door, Network, SimTransport
from cybernetes.wire.http.message import Pieces, Request, Response

ANN = User("ann")
READ = Request("GET", "/api/v1/pods")


class Setup:
    """A network, a door, and a client on machine `here`. handled: paths that the server saw."""

    def __init__(self) -> None:
        self.network = Network(SeededRandom(1), Transcript(asyncio.get_running_loop()))
        self.door = Door(lambda user, request, response: None)
        self.client = SimTransport(self.network, [self.door], "here", ANN, lambda request, chunks: chunks)
        self.handled: list[str] = []
        self.door.open(self.handle, contextvars.copy_context())

    async def handle(self, user: User, request: Request) -> Response:
        self.handled.append(request.path)
        await asyncio.sleep(1)
        return Response(200, body=user.name.encode())


def in_setup(test: Callable[[Setup], Awaitable[None]]) -> None:
    async def main() -> None:
        await test(Setup())

    run(main())


def test_an_answer_takes_time_both_ways() -> None:
    async def test(setup: Setup) -> None:
        response = await setup.client.send(READ)
        assert response.body == b"ann"
        assert 1 < asyncio.get_running_loop().time() < 1.1

    in_setup(test)


def test_nobody_listening_is_known_not_to_have_happened() -> None:
    async def test(setup: Setup) -> None:
        setup.door.close()
        with pytest.raises(EdgeError) as refused:
            await setup.client.send(READ)
        assert refused.value.outcome is Outcome.NOT_DONE

    in_setup(test)


def test_a_server_that_dies_while_it_works_leaves_its_client_unsure() -> None:
    async def test(setup: Setup) -> None:
        asyncio.get_running_loop().call_later(0.5, setup.door.close)
        with pytest.raises(EdgeError) as reset:
            await setup.client.send(READ)
        assert reset.value.outcome is Outcome.UNKNOWN
        assert setup.handled == [READ.path]

    in_setup(test)


def test_a_machine_without_network_gives_up_and_later_gets_through() -> None:
    async def test(setup: Setup) -> None:
        setup.network.cut_off("here")
        with pytest.raises(EdgeError) as late:
            await setup.client.send(READ)
        assert late.value.outcome is Outcome.NOT_DONE
        assert asyncio.get_running_loop().time() == pytest.approx(CONNECT_TIMEOUT_S)
        asyncio.get_running_loop().call_later(3, setup.network.heal, "here")
        assert (await setup.client.send(READ)).status == 200

    in_setup(test)


def test_a_lossy_network_loses_requests_and_answers() -> None:
    async def test(setup: Setup) -> None:
        setup.network.loss_per_mille = 300
        failures = []
        for _ in range(40):
            try:
                await setup.client.send(READ)
            except EdgeError as lost:
                failures.append((lost.message, lost.outcome))
        assert ("answer lost", Outcome.UNKNOWN) in failures
        assert ("request lost", Outcome.NOT_DONE) in failures
        assert len(setup.handled) == 40 - sum(message == "request lost" for message, _ in failures)

    in_setup(test)


def test_a_stream_keeps_its_order_and_ends_with_an_error_when_it_is_cut() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for number in range(100):
            yield b"%d" % number
        await asyncio.sleep(1)
        yield b"too late"

    async def watch(user: User, request: Request) -> Response:
        return Response(200, body=chunks())

    async def test(setup: Setup) -> None:
        setup.door.open(watch, contextvars.copy_context())
        response = await setup.client.send(READ)
        assert not isinstance(response.body, bytes)
        asyncio.get_running_loop().call_later(0.5, setup.network.sever_some, 1)
        read: list[int] = []
        with pytest.raises(EdgeError):
            async for chunk in response.body:
                read.append(int(chunk))
        assert read == list(range(100))
        assert not setup.network.streams

    in_setup(test)


def test_an_answer_in_parts_needs_nothing_to_close() -> None:
    async def test(setup: Setup) -> None:
        async def handle(user: User, request: Request) -> Response:
            return Response(200, body=Pieces([b"a", b"b"]))

        setup.door.open(handle, contextvars.copy_context())
        response = await setup.client.send(READ)
        assert not isinstance(response.body, bytes)
        assert b"".join([chunk async for chunk in response.body]) == b"ab"
        await asyncio.sleep(1)
        assert not setup.network.streams

    in_setup(test)
