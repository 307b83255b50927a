"""Serves `async (Request) -> Response` on sockets: HTTP/1.1 with keep-alive, over TLS when given a context.

enters   a handler, addresses, an SSL context
leaves   answers; streams are flushed chunk by chunk; a Response with `upgrade` takes the connection over
holds    a client that goes away cancels its handler; bodies above BODY_MAX are refused with 413
fails    handlers answer all errors themselves; what escapes one is answered with 500 by aiohttp and logged
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy

from cybernetes.wire.http.duplex import RawDuplex
from cybernetes.wire.http.message import Request, Response

# The limit of Kubernetes' API server on a request's body.
BODY_MAX = 3 << 20
# Bearer tokens with many groups and long label selectors do not fit in the usual 8 KiB.
LINE_MAX = 64 << 10
# Longer than clients and load balancers keep idle connections, so that they close first.
KEEP_ALIVE_S = 620
# A client that takes nothing off a stream for this long is gone, whatever its kernel says.
STALLED_S = 60
# Accepted connections that wait for the loop; a whole cluster reconnects at once after a restart.
BACKLOG = 1024

Handler = Callable[[Request], Awaitable[Response]]

TOO_LARGE = (
    b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":'
    b'"Request entity too large: limit is 3145728","reason":"RequestEntityTooLarge","code":413}\n'
)


class HttpServer:
    def __init__(self, handle: Handler) -> None:
        self._handle = handle
        self._aiohttp: web.Server | None = None
        self._listeners: list[asyncio.Server] = []

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Serve on host:port (0: any free port); the port."""
        if self._aiohttp is None:
            self._aiohttp = web.Server(
                self._serve,
                handler_cancellation=True,
                access_log=None,
                keepalive_timeout=KEEP_ALIVE_S,
                max_line_size=LINE_MAX,
                max_field_size=LINE_MAX,
                lingering_time=0,
                auto_decompress=True,
            )
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(self._aiohttp, host, port, ssl=tls, backlog=BACKLOG, reuse_address=True)
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    async def stop(self, grace_s: float) -> None:
        """Take no more connections; requests in flight have `grace_s` seconds to end."""
        for listener in self._listeners:
            listener.close()
        if self._aiohttp is not None:
            self._aiohttp.pre_shutdown()
            await self._aiohttp.shutdown(grace_s)

    async def _serve(self, incoming: web.BaseRequest) -> web.StreamResponse:
        body = await _read_body(incoming)
        if body is None:
            return web.Response(status=413, body=TOO_LARGE, headers={"Content-Type": "application/json"})
        response = await self._handle(_request(incoming, body))
        if response.upgrade is not None:
            return await _upgrade(incoming, response, response.upgrade)
        if isinstance(response.body, bytes):
            return _Whole(response)
        return await _stream(incoming, response)


class _Whole(web.Response):
    """A response with a complete body; `Date` and `Server` are left out, as the API has no use for them."""

    def __init__(self, response: Response) -> None:
        assert isinstance(response.body, bytes)
        super().__init__(status=response.status, headers=CIMultiDict(response.headers), body=response.body)


async def _read_body(incoming: web.BaseRequest) -> bytes | None:
    """The whole body; None when it is too large."""
    if not incoming.body_exists:
        return b""
    if (incoming.content_length or 0) > BODY_MAX:
        return None
    if incoming.headers.get("Expect", "").lower() == "100-continue" and incoming.transport is not None:
        incoming.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    parts: list[bytes] = []
    size = 0
    while True:
        part = await incoming.content.readany()
        if not part:
            return b"".join(parts)
        size += len(part)
        if size > BODY_MAX:
            return None
        parts.append(part)


def _request(incoming: web.BaseRequest, body: bytes) -> Request:
    message: RawRequestMessage = incoming._message
    raw_path, _, raw_query = message.path.partition("?")
    if not raw_path.startswith("/"):
        raw_path, raw_query = _absolute(incoming)
    transport = incoming.transport
    return Request(
        method=message.method,
        path=unquote(raw_path) if "%" in raw_path else raw_path,
        query=parse_qs(raw_query, keep_blank_values=True) if raw_query else {},
        headers=_headers(message.headers),
        body=body,
        certificate=_certificate(transport),
        remote=_peer(transport),
    )


def _absolute(incoming: web.BaseRequest) -> tuple[str, str]:
    """Path and query of a request line in absolute form, as clients of proxies send it."""
    return incoming.url.raw_path, incoming.url.raw_query_string


def _headers(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    plain: dict[str, str] = {}
    for name, value in headers.items():
        name = name.lower()
        plain[name] = f"{plain[name]}, {value}" if name in plain else value
    return plain


def _certificate(transport: asyncio.Transport | None) -> bytes | None:
    connection: Any = transport.get_extra_info("ssl_object") if transport else None
    der: bytes | None = connection.getpeercert(binary_form=True) if connection else None
    return der


def _peer(transport: asyncio.Transport | None) -> str:
    peer = transport.get_extra_info("peername") if transport else None
    if not isinstance(peer, tuple):
        return ""
    host = f"[{peer[0]}]" if ":" in peer[0] else peer[0]
    return f"{host}:{peer[1]}"


async def _stream(incoming: web.BaseRequest, response: Response) -> web.StreamResponse:
    assert not isinstance(response.body, bytes)
    outgoing = web.StreamResponse(status=response.status, headers=CIMultiDict(response.headers))
    if "content-length" not in outgoing.headers:
        outgoing.enable_chunked_encoding()
    chunks = response.body
    try:
        await outgoing.prepare(incoming)
        async for chunk in chunks:
            async with asyncio.timeout(STALLED_S):
                await outgoing.write(chunk)
        await outgoing.write_eof()
    except TimeoutError as stalled:
        if incoming.transport is not None:
            incoming.transport.abort()
        raise ConnectionResetError("the client does not read") from stalled
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()
    return outgoing


async def _upgrade(
    incoming: web.BaseRequest, response: Response, run: Callable[[RawDuplex], Awaitable[None]]
) -> web.StreamResponse:
    transport = incoming.transport
    if transport is None:
        raise ConnectionResetError("the client left before the upgrade")
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    duplex = RawDuplex(transport, incoming.protocol)
    transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    try:
        await run(duplex)
    finally:
        transport.close()
    # Nothing of this is sent: the transport is closed, which ends aiohttp's loop over requests.
    return web.Response()
