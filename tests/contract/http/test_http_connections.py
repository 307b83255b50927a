"""Connections as bytes: what may be sent on one, in which order answers come, what is refused, when it ends."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from cybernetes.wire.http import connection, reading
from cybernetes.wire.http.message import Pieces, Request, Response, Sink
from cybernetes.wire.http.server import HttpServer

PLAIN = ("Content-Type", "text/plain")


async def echo(request: Request) -> Response:
    return Response(200, [PLAIN], f"{request.method} {request.path} {len(request.body)}".encode())


def talk(
    handler: Callable[[Request], Awaitable[Response]],
    talking: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> None:
    async def main() -> None:
        server = HttpServer(handler)
        port = await server.listen("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout(60):
                await talking(reader, writer)
        finally:
            writer.close()
            await server.stop(1)

    asyncio.run(main())


async def answer(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    """Status line, headers, body of an answer with a length."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode()[:-4].split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return first, headers, await reader.readexactly(int(headers.get("content-length", 0)))


def test_requests_sent_ahead_are_answered_in_their_order() -> None:
    async def slow_first(request: Request) -> Response:
        await asyncio.sleep(0.05 if request.path == "/0" else 0)
        return await echo(request)

    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count = 50
        writer.write(b"".join(b"POST /%d HTTP/1.1\r\nContent-Length: 2\r\n\r\nxy" % n for n in range(count)))
        for n in range(count):
            assert (await answer(reader))[2] == b"POST /%d 2" % n

    talk(slow_first, talking)


def test_large_requests_sent_ahead_wait_in_the_kernel() -> None:
    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = 1 << 20
        count = 12
        writer.writelines(
            [b"POST /%d HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (n, size, b"x" * size) for n in range(count)]
        )
        for n in range(count):
            assert (await answer(reader))[2] == b"POST /%d %d" % (n, size)

    talk(echo, talking)


def test_headers_may_repeat_very_often() -> None:
    async def told(request: Request) -> Response:
        return Response(200, [PLAIN], str(len(request.headers["a"])).encode())

    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count = 100_000
        writer.write(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * count + b"\r\n")
        assert (await answer(reader))[2] == b"%d" % (3 * count - 2)

    talk(told, talking)


def test_what_follows_an_upgrade_is_not_gathered_without_limit() -> None:
    asked = asyncio.Event()

    async def waits(request: Request) -> Response:
        await asked.wait()
        return await echo(request)

    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        body = b"x" * (2 << 20)
        writer.write(b"POST /b HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        asked.set()
        assert (await answer(reader))[2] == b"GET /a 0"
        assert (await answer(reader))[2] == b"POST /b %d" % len(body)

    talk(waits, talking)


def test_a_request_may_come_byte_by_byte_and_its_body_in_chunks() -> None:
    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        for at in range(len(request)):
            writer.write(request[at : at + 1])
            await asyncio.sleep(0)
        assert (await answer(reader))[2] == b"POST /a 5"

    talk(echo, talking)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nX : space\r\n\r\n",
        b"GET / HTTP/1.1\nX: bare line feeds\n\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_two_servers_could_read_differently_is_refused(
    request_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LINGER_S", 0.05)

    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(request_bytes + b"GET /smuggled HTTP/1.1\r\n\r\n")
        first, headers, _ = await answer(reader)
        assert first == "HTTP/1.1 400 Bad Request"
        assert headers["connection"] == "close"
        assert await reader.read() == b""

    talk(echo, talking)


def test_bodies_that_are_too_large_are_refused_as_soon_as_that_is_known() -> None:
    async def announced(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (reading.BODY_MAX + 1))
        assert (await answer(reader))[0].startswith("HTTP/1.1 413 ")

    async def chunked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(4):
            writer.write(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
        assert (await answer(reader))[0].startswith("HTTP/1.1 413 ")

    talk(echo, announced)
    talk(echo, chunked)


def test_a_head_without_end_is_refused() -> None:
    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET / HTTP/1.1\r\n" + b"X-Long: " + b"x" * (reading.HEAD_MAX + 1))
        assert (await answer(reader))[0].startswith("HTTP/1.1 431 ")

    talk(echo, talking)


def test_a_client_that_asks_whether_to_go_on_is_told_so() -> None:
    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        assert (await answer(reader))[2] == b"POST / 2"

    talk(echo, talking)


def test_head_is_answered_with_the_length_alone() -> None:
    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HEAD /x HTTP/1.1\r\n\r\nGET /y HTTP/1.1\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Content-Length: 9\r\n" in head
        assert (await answer(reader))[2] == b"GET /y 0"

    talk(echo, talking)


def test_an_upgrade_that_the_handler_does_not_make_is_an_ordinary_request() -> None:
    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET /b HTTP/1.1\r\n\r\n")
        assert (await answer(reader))[2] == b"GET /a 0"
        assert (await answer(reader))[2] == b"GET /b 0"

    talk(echo, talking)


def test_old_clients_get_streams_that_end_with_the_connection() -> None:
    async def two() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async def handler(request: Request) -> Response:
        return Response(200, [PLAIN], two())

    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert b"chunked" not in head
        assert body == b"onetwo"

    talk(handler, talking)


def test_pieces_have_a_length_and_the_connection_stays() -> None:
    async def handler(request: Request) -> Response:
        pieces = Pieces([b"x" * 300_000, b"y" * 300_000])
        return Response(200, [PLAIN, ("Content-Length", str(pieces.length))], pieces)

    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            _, headers, body = await answer(reader)
            assert "transfer-encoding" not in headers
            assert body == b"x" * 300_000 + b"y" * 300_000

    talk(handler, talking)


def test_a_handler_that_fails_or_forges_a_header_is_answered_with_500(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(request: Request) -> Response:
        if request.path == "/forged":
            return Response(200, [("X-Text", "a\r\nX-Forged: 1")], b"")
        raise LookupError("a bug")

    async def failing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await answer(reader))[0].startswith("HTTP/1.1 500 ")

    async def forging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /forged HTTP/1.1\r\n\r\n")
        first, headers, _ = await answer(reader)
        assert first.startswith("HTTP/1.1 500 ")
        assert "x-forged" not in headers

    talk(handler, failing)
    talk(handler, forging)
    assert "handler.failed" in caplog.text


def test_a_stream_that_breaks_off_is_cut_not_ended() -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"begun"
        raise LookupError("a bug")

    async def handler(request: Request) -> Response:
        return Response(200, [PLAIN], breaking())

    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n\r\n5\r\nbegun\r\n")

    talk(handler, talking)


def test_a_connection_that_ended_leaves_nothing_to_the_garbage_collector() -> None:
    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        await answer(reader)
        assert await reader.read() == b""

    gc.collect()
    gc.disable()
    try:
        talk(echo, talking)
        left = [each for each in gc.get_objects() if isinstance(each, connection.Connection)]
    finally:
        gc.enable()
    assert left == []


def pushing(chunks: int, size: int) -> tuple[Callable[[Request], Awaitable[Response]], list[int]]:
    """A handler whose stream pushes while that is possible and gives the rest when asked; which it gave when asked."""
    asked: list[int] = []

    async def handler(request: Request) -> Response:
        sinks: list[Sink] = []
        numbers = iter(range(chunks))
        loop = asyncio.get_running_loop()

        async def stream() -> AsyncIterator[bytes]:
            yield b"begun"
            while True:
                waiting: asyncio.Future[int | None] = loop.create_future()
                loop.call_soon(push, waiting)
                number = await waiting
                if number is None:
                    return
                asked.append(number)
                yield b"%d:" % number + b"x" * size

        def push(waiting: asyncio.Future[int | None]) -> None:
            number = next(numbers, None)
            while number is not None and sinks[0].flowing:
                sinks[0].push(b"%d:" % number + b"x" * size)
                number = next(numbers, None)
            waiting.set_result(number)

        return Response(200, [PLAIN], stream(), attach=sinks.append)

    return handler, asked


async def chunk(reader: asyncio.StreamReader) -> bytes:
    size = int(await reader.readline(), 16)
    return (await reader.readexactly(size + 2))[:-2]


def test_chunks_that_a_stream_pushes_come_in_order_with_those_it_was_asked_for() -> None:
    handler, asked = pushing(300, 50_000)

    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert b"chunked" in await reader.readuntil(b"\r\n\r\n")
        assert await chunk(reader) == b"begun"
        for number in range(300):
            assert (await chunk(reader)).startswith(b"%d:" % number)
        assert await chunk(reader) == b""

    talk(handler, talking)
    # Neither all: 15 MB do not fit into the socket. Nor none: most can be pushed.
    assert asked
    assert len(asked) < 300
