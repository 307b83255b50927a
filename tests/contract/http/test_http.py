"""Server and client over real sockets: what goes in comes out, streams flow, and failures say what is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.base.random import SystemRandom
from cybernetes.wire.http import client as http_client
from cybernetes.wire.http import connection as http_connection
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.message import Duplex, Request, Response
from cybernetes.wire.http.server import HttpServer
from cybernetes.wire.http.tls import client_context, server_context

Handler = Callable[[Request], Awaitable[Response]]


async def echo(request: Request) -> Response:
    lines = [request.method, request.path, str(dict(request.query)), request.headers.get("x-test", ""), request.remote]
    return Response(200, [("X-One", "1"), ("X-One", "2")], "\n".join(lines).encode() + b"\n" + request.body)


def run(handler: Handler, test: Callable[[HttpTransport, HttpServer], Awaitable[None]]) -> None:
    async def main() -> None:
        server = HttpServer(handler)
        port = await server.listen("127.0.0.1", 0)
        transport = HttpTransport(f"http://127.0.0.1:{port}")
        try:
            await test(transport, server)
        finally:
            await transport.close()
            await server.stop(1)

    asyncio.run(main())


def text(response: Response) -> str:
    assert isinstance(response.body, bytes)
    return response.body.decode()


def test_requests_arrive_as_they_were_sent() -> None:
    async def test(transport: HttpTransport, server: HttpServer) -> None:
        query = {"a": ["1", "2"], "empty": [""], "sign": ["x=y&z"]}
        answer = await transport.send(Request("POST", "/a b/ü%", query, {"x-test": "yes"}, b"body"))
        method, path, shown, header, remote, body = text(answer).split("\n")
        assert (method, path, header, body) == ("POST", "/a b/ü%", "yes", "body")
        assert shown == str(query)
        assert remote.startswith("127.0.0.1:")
        assert [value for name, value in answer.headers if name == "X-One"] == ["1", "2"]

    run(echo, test)


def test_a_server_whose_name_can_not_be_found_is_named() -> None:
    async def main() -> None:
        transport = HttpTransport("https://nosuch.example", reachable=lambda address: False)
        try:
            await transport.send(Request("GET", "/"))
        finally:
            await transport.close()

    with pytest.raises(EdgeError) as failed:
        asyncio.run(main())
    assert failed.value.message == "dial tcp: lookup nosuch.example: no such host"


def test_streams_are_flushed_chunk_by_chunk() -> None:
    more = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        await more.wait()
        yield b"second"

    async def handler(request: Request) -> Response:
        return Response(200, [("Content-Type", "application/json")], chunks())

    async def test(transport: HttpTransport, server: HttpServer) -> None:
        answer = await transport.send(Request("GET", "/", {"watch": ["1"]}))
        assert not isinstance(answer.body, bytes)
        stream = answer.body.__aiter__()
        async with asyncio.timeout(60):
            assert await stream.__anext__() == b"first"
            more.set()
            assert await stream.__anext__() == b"second"
            with pytest.raises(StopAsyncIteration):
                await stream.__anext__()

    run(handler, test)


def test_requests_do_not_wait_for_the_ends_of_streams() -> None:
    async def quiet() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    async def handler(request: Request) -> Response:
        return Response(200, [], quiet() if request.query else b"answer")

    async def test(transport: HttpTransport, server: HttpServer) -> None:
        watches = [
            await transport.send(Request("GET", "/", {"watch": ["1"]})) for _ in range(http_client.CONNECTIONS_MAX + 1)
        ]
        async with asyncio.timeout(60):
            assert text(await transport.send(Request("GET", "/"))) == "answer"
        for each in watches:
            await each.body.aclose()  # type: ignore[union-attr]

    run(handler, test)


def test_streams_that_find_no_place_fail_and_were_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "STREAMS_MAX", 1)
    monkeypatch.setattr(http_client, "CONNECTION_WAIT_S", 0.05)
    seen: list[str] = []

    async def quiet() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    async def handler(request: Request) -> Response:
        seen.append(request.path)
        return Response(200, [], quiet())

    async def test(transport: HttpTransport, server: HttpServer) -> None:
        first = await transport.send(Request("GET", "/first", {"watch": ["1"]}))
        with pytest.raises(EdgeError) as failed:
            await transport.send(Request("GET", "/second", {"watch": ["1"]}))
        assert failed.value.outcome is Outcome.NOT_DONE
        assert seen == ["/first"]
        await first.body.aclose()  # type: ignore[union-attr]

    run(handler, test)


def test_heads_of_quiet_streams_come_at_once() -> None:
    async def nothing() -> AsyncIterator[bytes]:
        yield b""
        await asyncio.sleep(30)

    async def handler(request: Request) -> Response:
        return Response(200, [], nothing())

    async def test(transport: HttpTransport, server: HttpServer) -> None:
        async with asyncio.timeout(60):
            answer = await transport.send(Request("GET", "/", {"watch": ["1"]}))
        assert answer.status == 200
        await answer.body.aclose()  # type: ignore[union-attr]

    run(handler, test)


def test_a_client_that_leaves_cancels_its_handler() -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    async def handler(request: Request) -> Response:
        return Response(200, [], endless())

    async def test(transport: HttpTransport, server: HttpServer) -> None:
        answer = await transport.send(Request("GET", "/", {"watch": ["1"]}))
        await answer.body.aclose()  # type: ignore[union-attr]
        async with asyncio.timeout(60):
            await ended.wait()

    run(handler, test)


def test_a_client_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "STALLED_S", 0.2)
    ended = asyncio.Event()

    async def flood() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * (1 << 20)
        finally:
            ended.set()

    async def handler(request: Request) -> Response:
        return Response(200, [], flood())

    async def test(transport: HttpTransport, server: HttpServer) -> None:
        _reader, writer = await asyncio.open_connection(*transport.url.removeprefix("http://").split(":"))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(60):
            await ended.wait()
        writer.close()

    run(handler, test)


def test_stopping_waits_for_what_is_under_way() -> None:
    started = asyncio.Event()

    async def slow(request: Request) -> Response:
        started.set()
        await asyncio.sleep(0.3)
        return Response(200, [], b"done")

    async def test(transport: HttpTransport, server: HttpServer) -> None:
        answering = asyncio.create_task(transport.send(Request("GET", "/")))
        await started.wait()
        await server.stop(5)
        assert text(await answering) == "done"
        with pytest.raises(EdgeError) as refused:
            await transport.send(Request("GET", "/"))
        assert refused.value.outcome is Outcome.NOT_DONE

    run(slow, test)


def test_an_upgraded_connection_is_raw_bytes_both_ways() -> None:
    async def shout(duplex: Duplex) -> None:
        while data := await duplex.read():
            await duplex.write(data.upper())

    async def handler(request: Request) -> Response:
        return Response(101, [("Connection", "Upgrade"), ("Upgrade", "test")], upgrade=shout)

    async def test(transport: HttpTransport, server: HttpServer) -> None:
        reader, writer = await asyncio.open_connection(*transport.url.removeprefix("http://").split(":"))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n")
        async with asyncio.timeout(60):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            writer.write(b"GET is no request any more")
            assert await reader.readexactly(26) == b"GET IS NO REQUEST ANY MORE"
        writer.close()

    run(handler, test)


def test_client_certificates_reach_the_handler_and_can_be_renewed(tmp_path: Path) -> None:
    async def who(request: Request) -> Response:
        return Response(200, [], request.certificate or b"nobody")

    async def main() -> None:
        terms = pki.Terms(SystemClock().now(), SystemRandom())
        authority = pki.ca("authority", terms)
        serving = pki.serving(authority, "test", terms, addresses=("127.0.0.1",))
        (tmp_path / "crt").write_bytes(serving.certificate)
        (tmp_path / "key").write_bytes(serving.key)
        server = HttpServer(who)
        tls = server_context(tmp_path / "crt", tmp_path / "key", authority.certificate)
        port = await server.listen("127.0.0.1", 0, tls)
        first, second = (pki.client(authority, name, (), terms) for name in ("first", "second"))
        transport = HttpTransport(f"https://127.0.0.1:{port}", client_context(authority.certificate))
        assert text(await transport.send(Request("GET", "/"))) == "nobody"
        seen = []
        for each in (first, second):
            transport.reload(client_context(authority.certificate, each.certificate, each.key))
            answer = await transport.send(Request("GET", "/"))
            assert isinstance(answer.body, bytes)
            seen.append(answer.body)
        assert b"first" in seen[0]
        assert b"second" in seen[1]
        await transport.close()
        stranger = HttpTransport(f"https://127.0.0.1:{port}", client_context(pki.ca("other", terms).certificate))
        with pytest.raises(EdgeError):
            await stranger.send(Request("GET", "/"))
        await stranger.close()
        await server.stop(1)

    asyncio.run(main())
