"""One client's connection: requests come out of its bytes, answers go back in the order of the requests.

enters   bytes of a socket (after TLS), and a handler
leaves   a task while there are requests to answer, cancelled when the client leaves
holds    one request at a time; what waits is bounded: heads and bodies (`reading`), requests ahead by AHEAD_MAX
fails    what is no HTTP is answered with 400 and the connection ends; a handler's failure with 500, and is logged
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import httptools
import msgspec

from cybernetes.base.log import Log
from cybernetes.wire.http import head
from cybernetes.wire.http.crowd import Crowd
from cybernetes.wire.http.duplex import RawDuplex, close_once
from cybernetes.wire.http.message import Request, Response
from cybernetes.wire.http.reading import NO_HTTP, Reading, Refused

log = Log("http")

# Requests that a client may send before it has the answer to an earlier one, and bytes of them.
AHEAD_MAX = 8
AHEAD_BYTES_MAX = 256 << 10
# A client that takes nothing off a stream for this long is gone, whatever its kernel says.
STALLED_S = 60
# A refused client may still be sending; closing at once would take the answer away from it.
LINGER_S = 1.0

Handler = Callable[[Request], Awaitable[Response]]


class Incoming(msgspec.Struct):
    """A request that was read to its end, or the answer to what was none.

    chunks    whether the client knows chunked answers (HTTP/1.1)
    upgrades  whether what follows on the connection is no HTTP, if the handler says so
    """

    request: Request
    keep_alive: bool = False
    chunks: bool = True
    upgrades: bool = False
    refusal: Response | None = None


class Connection(asyncio.Protocol):
    """crowd  of the server: this one is in it while it is open
    idle_since  on the loop's clock: when the last answer was given
    """

    def __init__(self, handle: Handler, date: Callable[[], str], crowd: Crowd) -> None:
        self._handle = handle
        self._date = date
        self._crowd = crowd
        self._transport: asyncio.Transport = _NOT_YET
        self._certificate: bytes | None = None
        self._remote = ""
        self.reading = Reading(self._take_request)
        self._parser = httptools.HttpRequestParser(self.reading)
        self._waiting: deque[Incoming] = deque()
        self._waiting_bytes = 0
        self._task: asyncio.Task[None] | None = None
        # Bytes after a request that asked to upgrade, until its handler has decided.
        self._beyond: bytearray | None = None
        self._writable: asyncio.Future[None] | None = None
        self._closing = False
        self.idle_since = asyncio.get_running_loop().time()

    @property
    def busy(self) -> bool:
        return self._task is not None

    def finish(self) -> None:
        """Take no more requests; close once the answer under way, if any, is given."""
        self._closing = True
        self._waiting.clear()
        if self._task is None:
            self._close()

    def _close(self) -> None:
        close_once(self._transport)

    async def ended(self) -> None:
        if self._task is not None:
            await asyncio.wait((self._task,))

    def abort(self) -> None:
        self._transport.abort()

    # ---- of asyncio.Protocol ---------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        tls = transport.get_extra_info("ssl_object")
        self._certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        self._remote = _address(transport.get_extra_info("peername"))
        self._crowd.join(self)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if self._beyond is not None:
            self._beyond += data
            if len(self._beyond) > AHEAD_BYTES_MAX:
                self._transport.pause_reading()
            return
        try:
            self._parser.feed_data(data)
            self.reading.check_head(len(data))
        except httptools.HttpParserUpgrade as upgrade:
            self._beyond = bytearray(data[upgrade.args[0] :])
        except Refused as refused:
            self._refuse(refused.response)
        except httptools.HttpParserError as error:
            # What a callback raises arrives as the context of the parser's own error.
            within = error.__context__
            self._refuse(within.response if isinstance(within, Refused) else NO_HTTP)
        else:
            if self.reading.expects_continue and self._task is None:
                self.reading.expects_continue = False
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.leave(self)
        self._closing = True
        self._waiting.clear()
        self.reading.end()
        self.resume_writing()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        if self._writable is None:
            self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # ---- requests --------------------------------------------------------------------------------------------------

    def _take_request(self, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str], body: bytes) -> None:
        parser = self._parser
        method = parser.get_method().decode("latin-1")
        request = Request(method, path, query, headers, body, self._certificate, self._remote)
        chunks = parser.get_http_version() != "1.0"
        self._take(Incoming(request, parser.should_keep_alive(), chunks, parser.should_upgrade()))

    def _refuse(self, response: Response) -> None:
        self._take(Incoming(Request("", "/"), refusal=response))
        self._closing = True

    def _take(self, incoming: Incoming) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._answer_all(incoming), name="http.request")
            return
        self._waiting.append(incoming)
        self._waiting_bytes += len(incoming.request.body)
        if self._is_ahead():
            self._transport.pause_reading()

    def _is_ahead(self) -> bool:
        return len(self._waiting) >= AHEAD_MAX or self._waiting_bytes > AHEAD_BYTES_MAX

    def _next(self) -> Incoming:
        was_ahead, incoming = self._is_ahead(), self._waiting.popleft()
        self._waiting_bytes -= len(incoming.request.body)
        if was_ahead and not self._is_ahead():
            self._transport.resume_reading()
        return incoming

    async def _answer_all(self, incoming: Incoming) -> None:
        """Answer a request, and those that came meanwhile."""
        linger_s = 0.0
        try:
            while await self._answer(incoming):
                if not self._waiting:
                    return
                incoming = self._next()
            self._closing = True
            linger_s = LINGER_S if incoming.refusal is not None else 0.0
        except ConnectionError:
            self._closing = True
        except BaseException:
            self._closing = True
            raise
        finally:
            self._task = None
            loop = asyncio.get_running_loop()
            self.idle_since = loop.time()
            if linger_s:
                loop.call_later(linger_s, self._close)
            elif self._closing:
                self._close()

    async def _answer(self, incoming: Incoming) -> bool:
        """Whether another request may follow. Raises ConnectionError when the client is gone."""
        response = incoming.refusal or await self._handled(incoming)
        if response.upgrade is not None:
            await self._upgrade(response, response.upgrade)
            return False
        if self._closing:
            incoming.keep_alive = False
        if isinstance(response.body, bytes):
            self._send_whole(incoming, response, response.body)
        else:
            await self._send_stream(incoming, response, response.body)
        await self._drained()
        if incoming.upgrades and incoming.keep_alive:
            self._go_on_without_upgrade()
        return incoming.keep_alive

    async def _handled(self, incoming: Incoming) -> Response:
        try:
            response = await self._handle(incoming.request)
            head.check(response.headers)
            return response
        except Exception as error:
            log.error("handler.failed", error, path=incoming.request.path)
            incoming.keep_alive = False
            return Response(500, [("Content-Type", "text/plain; charset=utf-8")], b"500 Internal Server Error\n")

    # ---- answers ---------------------------------------------------------------------------------------------------

    def _send_whole(self, incoming: Incoming, response: Response, body: bytes) -> None:
        start = self._sized_head(incoming, response, len(body))
        if incoming.request.method != "HEAD" and response.status not in head.BODILESS:
            start += body
        self._write(start)

    async def _send_stream(self, incoming: Incoming, response: Response, chunks: AsyncIterator[bytes]) -> None:
        sized = _sized(response)
        chunked = incoming.chunks and not sized
        incoming.keep_alive = incoming.keep_alive and (chunked or sized)
        self._write(self._head(incoming, response, *(("Transfer-Encoding: chunked",) if chunked else ())))
        try:
            if incoming.request.method == "HEAD":
                return
            if chunked and response.attach is not None:
                response.attach(self)
            async for chunk in chunks:
                if chunk:
                    self._write(_framed(chunk) if chunked else chunk)
                await self._drained()
            if chunked:
                self._write(b"0\r\n\r\n")
        except ConnectionError:
            raise
        except Exception as error:
            # The head is sent: only a cut tells the client that this is not the whole.
            log.error("stream.failed", error, path=incoming.request.path)
            self._transport.abort()
            raise ConnectionResetError("the answer broke off") from error
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()

    @property
    def flowing(self) -> bool:
        """As a Sink."""
        return self._writable is None and not self._transport.is_closing()

    def push(self, chunk: bytes) -> None:
        """As a Sink."""
        self._transport.write(_pushed(chunk))

    async def _upgrade(self, response: Response, run: Callable[[RawDuplex], Awaitable[None]]) -> None:
        self._write(head.render(response.status, response.headers))
        duplex = RawDuplex(self._transport, self)
        if self._beyond:
            duplex.data_received(bytes(self._beyond))
        await run(duplex)

    def _go_on_without_upgrade(self) -> None:
        """What followed a request that was not upgraded is the next one."""
        beyond, self._beyond = self._beyond, None
        self._parser = httptools.HttpRequestParser(self.reading)
        self._transport.resume_reading()
        if beyond:
            self.data_received(bytes(beyond))

    def _sized_head(self, incoming: Incoming, response: Response, length: int) -> bytes:
        if response.status in head.BODILESS or _sized(response):
            return self._head(incoming, response)
        return self._head(incoming, response, f"Content-Length: {length}")

    def _head(self, incoming: Incoming, response: Response, *framing: str) -> bytes:
        if not incoming.keep_alive:
            framing = (*framing, "Connection: close")
        return head.render(response.status, response.headers, self._date(), *framing)

    def _write(self, data: bytes) -> None:
        if self._transport.is_closing():
            raise ConnectionResetError("the client left")
        self._transport.write(data)

    async def _drained(self) -> None:
        """Return once the client has taken enough. Raises ConnectionResetError when it does not read."""
        if self._writable is None:
            return
        try:
            async with asyncio.timeout(STALLED_S):
                await asyncio.shield(self._writable)
        except TimeoutError as stalled:
            self._transport.abort()
            raise ConnectionResetError("the client does not read") from stalled


class _NoTransport(asyncio.Transport):
    """Before there is a connection."""


_NOT_YET = _NoTransport()


def _framed(chunk: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(chunk), chunk)


class _Last:
    """Frames chunks, and remembers the last one: watchers of one event are sent the same bytes, one after the other."""

    def __init__(self) -> None:
        self._chunk = self._frame = b""

    def __call__(self, chunk: bytes) -> bytes:
        if chunk is not self._chunk:
            self._chunk, self._frame = chunk, _framed(chunk)
        return self._frame


_pushed = _Last()


def _sized(response: Response) -> bool:
    """Whether the answer tells its length itself, as those of other servers do that are passed on."""
    return any(name.lower() == "content-length" for name, _ in response.headers)


def _address(peer: Any) -> str:
    if not isinstance(peer, tuple):
        return ""
    host = f"[{peer[0]}]" if ":" in peer[0] else peer[0]
    return f"{host}:{peer[1]}"
