"""Serves `async (Request) -> Response` on sockets: HTTP/1.1 with keep-alive, over TLS when given a context.

enters   a handler, addresses, an SSL context
leaves   answers; streams are flushed chunk by chunk; a Response with `upgrade` takes the connection over
holds    a client that goes away cancels its handler; bodies above `reading.BODY_MAX` are refused with 413
fails    handlers answer all errors themselves; what escapes one is answered with 500 and logged
"""

from __future__ import annotations

import asyncio
import ssl
from email.utils import formatdate

from cybernetes.wire.http.acceptor import Acceptor, listen
from cybernetes.wire.http.connection import Connection, Handler
from cybernetes.wire.http.crowd import Crowd

# Longer than clients and load balancers keep idle connections, so that they close first.
KEEP_ALIVE_S = 620
# A head comes in one piece or soon after; who sends one for longer only holds the connection.
HEAD_S = 32
SWEEP_S = 10.0


class HttpServer:
    def __init__(self, handle: Handler) -> None:
        self._handle = handle
        self._connections = Crowd()
        self._listeners: list[Acceptor] = []
        self._sweeping: asyncio.TimerHandle | None = None
        self._date = ""
        self._date_s = -1

    async def listen(
        self, host: str, port: int, tls: ssl.SSLContext | None = None, *, with_others: bool = False
    ) -> int:
        """Serve on host:port (0: any free port); the port.

        with_others  processes of the same user that say so too share the port; the kernel deals connections out
        """
        listening = await listen(host, port, shared=with_others)
        acceptors = [Acceptor(each, self._connect, tls) for each in listening]
        self._listeners += acceptors
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
        return acceptors[0].port

    async def stop(self, grace_s: float) -> None:
        """Take no more connections; requests in flight have `grace_s` seconds to end."""
        for listener in self._listeners:
            listener.close()
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in self._connections:
            connection.finish()
        waiting = [asyncio.ensure_future(each.ended()) for each in self._connections if each.busy]
        if waiting:
            await asyncio.wait(waiting, timeout=grace_s)
        for connection in self._connections:
            connection.abort()
        await asyncio.gather(*waiting)

    def _connect(self) -> Connection:
        return Connection(self._handle, self._date_line, self._connections)

    def _date_line(self) -> str:
        now_s = int(asyncio.get_running_loop().time())
        if now_s != self._date_s:
            self._date, self._date_s = f"Date: {formatdate(usegmt=True)}", now_s
        return self._date

    def _sweep(self) -> None:
        """Close what is idle, or takes for ever to ask."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for each in self._connections:
            head_since = each.reading.head_since
            if head_since is not None and now - head_since > HEAD_S:
                each.abort()
            elif not each.busy and now - each.idle_since > KEEP_ALIVE_S:
                each.finish()
        self._sweeping = loop.call_later(SWEEP_S, self._sweep)
