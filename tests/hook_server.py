"""A webhook behind TLS, for tests of whatever asks one; it answers as it is told, or misbehaves in a named way.

    async with hooks() as served:
        served.answers["/path"] = function from the decoded review to the answer's document (or bytes)
        served.client_config("/path")      # url and caBundle, for a configuration

`served.reviews` lists (path, review) as they came. Paths in MISBEHAVIOURS need no answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.wire.http.tls import server_context

Object = dict[str, Any]
Answer = Callable[[Object], Any]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MEGABYTE = b"x" * (1 << 20)


class Hooks:
    def __init__(self, ca: bytes) -> None:
        self.answers: dict[str, Answer] = {}
        self.reviews: list[tuple[str, Object]] = []
        self.sent = 0
        self.port = 0
        self._ca = ca

    def client_config(self, path: str) -> Object:
        return {"url": f"https://127.0.0.1:{self.port}{path}", "caBundle": b64encode(self._ca).decode()}

    def asked(self, path: str) -> list[Object]:
        return [review["request"] for where, review in self.reviews if where == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                path = head.split(" ")[1].partition("?")[0]
                size = next(
                    int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")
                )
                body = await reader.readexactly(size)
                self.reviews.append((path, json.loads(body)))
                misbehaviour = MISBEHAVIOURS.get(path)
                if misbehaviour is not None:
                    await misbehaviour(self, writer)
                    break
                answer = self.answers[path](self.reviews[-1][1])
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                writer.write(OK + b"Content-Length: %d\r\n\r\n%b" % (len(data), data))
                await writer.drain()
        writer.close()


async def _hang(hooks: Hooks, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def _early(hooks: Hooks, writer: asyncio.StreamWriter) -> None:
    """Closes without a word."""


async def _half(hooks: Hooks, writer: asyncio.StreamWriter) -> None:
    writer.write(OK + b"Content-Length: 1000\r\n\r\n{")
    await writer.drain()


async def _no_http(hooks: Hooks, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example.test ESMTP\r\n\r\n")
    await writer.drain()


async def _three_gigabytes(hooks: Hooks, writer: asyncio.StreamWriter) -> None:
    writer.write(OK + b"Content-Length: %d\r\n\r\n" % (3 << 30))
    for _ in range(3 << 10):
        writer.write(MEGABYTE)
        hooks.sent += len(MEGABYTE)
        # A turn of the loop, in which a connection that was cut is noticed.
        await asyncio.sleep(0)
        await writer.drain()


async def _redirect(hooks: Hooks, writer: asyncio.StreamWriter) -> None:
    where = f"https://127.0.0.1:{hooks.port}/elsewhere".encode()
    writer.write(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % where)
    await writer.drain()


async def _broken(hooks: Hooks, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\nboom")
    await writer.drain()


async def _absent(hooks: Hooks, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


MISBEHAVIOURS = {
    "/hang": _hang,
    "/early": _early,
    "/half": _half,
    "/no-http": _no_http,
    "/3gb": _three_gigabytes,
    "/redirect": _redirect,
    "/500": _broken,
    "/404": _absent,
}


def _context(folder: Path, serving: pki.Credential) -> ssl.SSLContext:
    certificate, key = folder / "hook.crt", folder / "hook.key"
    certificate.write_bytes(serving.certificate)
    key.write_bytes(serving.key)
    return server_context(certificate, key)


@contextlib.asynccontextmanager
async def hooks() -> AsyncIterator[Hooks]:
    terms = pki.Terms(SystemClock().now(), SystemRandom())
    ca = pki.ca("hooks", terms)
    serving = pki.serving(ca, "hook", terms, addresses=["127.0.0.1"])
    with tempfile.TemporaryDirectory() as folder:
        served = Hooks(ca.certificate)
        tls = _context(Path(folder), serving)
        connections: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            try:
                await served.serve(reader, writer)
            except asyncio.CancelledError:
                writer.transport.abort()
            finally:
                connections.discard(task)

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        served.port = server.sockets[0].getsockname()[1]
        try:
            yield served
        finally:
            server.close()
            for each in connections:
                each.cancel()
            await asyncio.gather(*connections, return_exceptions=True)
