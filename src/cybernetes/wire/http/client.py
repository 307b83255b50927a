"""Transport over pooled HTTP/1.1 connections, usually with TLS.

enters   Request values for one server, an SSL context
leaves   Response values; bodies of watches and of followed logs stream, others are read whole
fails    EdgeError when there was no answer: NOT_DONE when no connection came about, else UNKNOWN
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import aiohttp.abc
from multidict import CIMultiDict
from yarl import URL

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.wire.http.duplex import READ_AHEAD_MAX
from cybernetes.wire.http.failures import TooLarge, why
from cybernetes.wire.http.message import BETWEEN_HEADERS, Duplex, Request, Response

# Requests under way at once; more wait until one of them ends.
CONNECTIONS_MAX = 512
# Watches and other streams hold a connection each for as long as they last, so they are counted apart: nothing waits
# behind them. A component has one for each resource that it follows, and a cluster may have thousands of resources.
STREAMS_MAX = 4096
CONNECT_TIMEOUT_S = 10
# Who finds no place for so long is told so; a stream would otherwise wait for ever for the ends of others.
CONNECTION_WAIT_S = 60
# A peer whose kernel acknowledges nothing for so long is gone: the cable is out, or the machine is dead. Otherwise the
# kernel tries for a quarter of an hour, in steps that a cable which is back has to wait for.
SILENT_PEER_S = 15
# The API server ends ordinary requests after 60 s; later than that nothing comes any more.
ANSWER_TIMEOUT_S = 90
KEEP_ALIVE_S = 60
# Of answers that are handed on: what is read at once all the same, so that the connection can be used again, and how
# much a server may say about a failure.
SMALL_BYTES = 64 << 10
FAILURE_BYTES_MAX = 4 << 20


_REPEATED = ("x-remote-group", "x-remote-extra-", "x-stream-protocol-version")


def _socket(info: aiohttp.AddrInfoType) -> socket.socket:
    """source  tcp(7): TCP_USER_TIMEOUT for what was sent, keep-alive probes for who only listens"""
    family, kind, protocol, *_ = info
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENT_PEER_S // 3)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, SILENT_PEER_S // 3)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_PEER_S * 1000)
    return made


class HttpTransport:
    """One server's connections. `token` is sent as a bearer token unless the request has an authorization.

    `reload` swaps the TLS context, so that renewed certificates are used without a restart; connections in
    use go on with the old one. `answer_max` is the size in bytes of the largest answer that is read, for servers that
    are not trusted; they are asked for what is not compressed, because small bytes may stand for many.
    `streamed` hands answers on as they come, for servers whose answers have no bound; failures are read whole all the same.
    `reachable` says of an IP address whether it may be connected to: names are resolved once, and only to such.
    """

    def __init__(
        self,
        url: str,
        tls: ssl.SSLContext | None = None,
        *,
        token: str = "",
        server_name: str = "",
        answer_max: int | None = None,
        reachable: Callable[[str], bool] | None = None,
        streamed: bool = False,
    ) -> None:
        self.url = url.rstrip("/")
        self._tls = tls
        self._token = token
        self._server_name = server_name or None
        self._answer_max = answer_max
        self._reachable = reachable
        self._streamed = streamed
        # Of requests, and of streams.
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def send(self, request: Request) -> Response:
        streaming = _streams(request)
        total_s = None if streaming or self._streamed else ANSWER_TIMEOUT_S
        timeout = aiohttp.ClientTimeout(total=total_s, connect=CONNECTION_WAIT_S, sock_connect=CONNECT_TIMEOUT_S)
        try:
            async with asyncio.timeout(None if streaming else ANSWER_TIMEOUT_S):
                answer = await self._open(streaming).request(
                    request.method,
                    URL(self.url + _target(request), encoded=True),
                    headers=self._headers(request),
                    data=request.body or None,
                    timeout=timeout,
                    ssl=self._tls if self._tls is not None else True,
                    server_hostname=self._server_name if self._tls is not None else None,
                    allow_redirects=False,
                )
            if self._streamed and _is_to_be_streamed(request, answer):
                return Response(answer.status, list(answer.headers.items()), _Chunks(answer))
            limit = FAILURE_BYTES_MAX if self._streamed else self._answer_max
            return await _response(answer, streaming, limit)
        except (TimeoutError, aiohttp.ClientError, OSError, TooLarge) as broken:
            raise self._failed(request, broken) from broken

    def reload(self, tls: ssl.SSLContext) -> None:
        self._tls = tls

    async def close(self) -> None:
        sessions, self._sessions = self._sessions, {}
        for each in sessions.values():
            await each.close()

    def _open(self, streaming: bool) -> aiohttp.ClientSession:
        found = self._sessions.get(streaming)
        if found is None:
            resolver = _Reachable(self._reachable) if self._reachable is not None else None
            connector = aiohttp.TCPConnector(
                limit=STREAMS_MAX if streaming else CONNECTIONS_MAX,
                keepalive_timeout=KEEP_ALIVE_S,
                ttl_dns_cache=10,
                resolver=resolver,
                socket_factory=_socket,
            )
            found = self._sessions[streaming] = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=self._answer_max is None
            )
        return found

    def _headers(self, request: Request) -> CIMultiDict[str]:
        headers: CIMultiDict[str] = CIMultiDict()
        for name, value in request.headers.items():
            # Readers of these headers want one value in each, and don't take lists apart.
            for each in value.split(BETWEEN_HEADERS) if name.startswith(_REPEATED) else (value,):
                headers.add(name, each)
        if self._token:
            headers.setdefault("authorization", f"Bearer {self._token}")
        if request.body:
            headers.setdefault("content-type", "application/json")
        if self._answer_max is not None:
            headers["accept-encoding"] = "identity"
        return headers

    def _failed(self, request: Request, broken: Exception) -> EdgeError:
        unsent = isinstance(broken, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
        return EdgeError(
            request.method,
            self.url + request.path,
            why(broken, _dialled(URL(self.url))),
            outcome=Outcome.NOT_DONE if unsent else Outcome.UNKNOWN,
            retry=Retry.LATER,
        )


class _Reachable(aiohttp.ThreadedResolver):
    """Leaves out addresses that may not be connected to; names that have no other can't be found."""

    def __init__(self, reachable: Callable[[str], bool]) -> None:
        super().__init__()
        self._allowed = reachable

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        found = [each for each in await super().resolve(host, port, family) if self._allowed(each["host"])]
        if not found:
            raise OSError(None, "address not allowed")
        return found


def _dialled(url: URL) -> str:
    return f"{url.host_subcomponent}:{url.port}"


def _streams(request: Request) -> bool:
    return request.flag("watch") or request.flag("follow") or "upgrade" in request.headers or "/watch/" in request.path


def _is_to_be_streamed(request: Request, answer: aiohttp.ClientResponse) -> bool:
    """Whether an answer has a body that is not known to be small."""
    if not 200 <= answer.status < 400 or answer.status in (204, 304) or request.method == "HEAD":
        return False
    return answer.content_length is None or answer.content_length > SMALL_BYTES


def _target(request: Request) -> str:
    path = quote(request.path, safe="/:@!$&'()*+,;=~-._")
    return f"{path}?{urlencode(request.query, doseq=True)}" if request.query else path


async def _response(answer: aiohttp.ClientResponse, streaming: bool, limit: int | None) -> Response:
    headers = [(name, value) for name, value in answer.headers.items()]
    if answer.status == 101:
        assert answer.connection is not None
        duplex = _ClientDuplex(answer)
        return Response(101, headers, upgrade=duplex.hand_over)
    if streaming and answer.status == 200:
        return Response(200, headers, _Chunks(answer))
    async with answer:
        return Response(answer.status, headers, await _read(answer, limit))


async def _read(answer: aiohttp.ClientResponse, limit: int | None) -> bytes:
    """The whole body. Raises TooLarge; then the connection is closed, and the rest never comes."""
    if limit is None:
        return await answer.read()
    chunks, size = [], 0
    async for chunk in answer.content.iter_any():
        size += len(chunk)
        if size > limit:
            answer.close()
            raise TooLarge(f"the answer is larger than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


class _Chunks:
    """The body of a streaming answer. A class and no generator: `aclose` must work also before the first chunk."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self._chunks = answer.content.iter_any()

    def __aiter__(self) -> _Chunks:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._chunks.__anext__()
        except StopAsyncIteration:
            self._answer.close()
            raise
        except (aiohttp.ClientError, OSError) as broken:
            self._answer.close()
            said = why(broken, _dialled(self._answer.url))
            raise EdgeError("read", str(self._answer.url), said) from broken

    async def aclose(self) -> None:
        self._answer.close()


class _ClientDuplex:
    """The connection of a 101 answer; aiohttp's protocol feeds it through its parser seam, as for WebSockets."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        connection: Any = answer.connection
        self._answer = answer
        self._protocol = connection.protocol
        self._transport: asyncio.Transport = connection.transport
        self._data: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._readable = asyncio.Event()
        self._protocol.set_parser(self, self)

    async def hand_over(self, peer: Duplex) -> None:
        """Copy both ways between this connection and `peer` until either ends."""
        from cybernetes.wire.stream.copy import join

        await join(self, peer)

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        if data:
            self._data.append(data)
            self._size += len(data)
            if self._size > READ_AHEAD_MAX:
                self._transport.pause_reading()
            self._readable.set()
        return False, b""

    def feed_eof(self) -> None:
        self._ended = True
        self._readable.set()

    def set_exception(self, exc: BaseException, cause: BaseException | None = None) -> None:
        self.feed_eof()

    async def read(self) -> bytes:
        while not self._data:
            if self._ended or self._transport.is_closing():
                return b""
            self._readable.clear()
            await self._readable.wait()
        data = b"".join(self._data)
        self._data.clear()
        if self._size > READ_AHEAD_MAX and not self._transport.is_closing():
            self._transport.resume_reading()
        self._size = 0
        return data

    async def write(self, data: bytes) -> None:
        if self._transport.is_closing():
            raise ConnectionResetError("the server closed the connection")
        self._transport.write(data)
        await self._protocol._drain_helper()

    async def close(self) -> None:
        self._answer.close()
