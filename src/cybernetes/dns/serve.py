"""DNS on sockets: UDP, and TCP with many queries a connection."""

from __future__ import annotations

import asyncio
import contextlib
from typing import cast

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.dns.resolve import Resolver

# A client that sends nothing for this long is disconnected (RFC 7766, section 6.2.3).
TCP_IDLE_S = 10.0
TCP_CONNECTIONS_MAX = 256
# Queries over UDP that are being answered; those beyond are dropped, and clients ask again.
UDP_QUERIES_MAX = 2000


class DnsServer:
    """Serves one address and port until cancelled."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._connections = 0
        self.port = 0

    async def run(self, host: str, port: int, listening: asyncio.Event) -> None:
        """port 0: any free one, told in `self.port`. Raises EdgeError when the address is taken."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            try:
                tcp = await asyncio.start_server(self._serve_connection, host, port)
                self.port = int(tcp.sockets[0].getsockname()[1])
                udp, _ = await loop.create_datagram_endpoint(
                    lambda: _Udp(self._resolver, group), local_addr=(host, self.port)
                )
            except OSError as taken:
                raise EdgeError(
                    "listen", f"{host}:{port}", str(taken), outcome=Outcome.NOT_DONE, retry=Retry.LATER
                ) from taken
            listening.set()
            try:
                async with tcp:
                    await tcp.serve_forever()
            finally:
                udp.close()

    async def _serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= TCP_CONNECTIONS_MAX:
            writer.close()
            return
        self._connections += 1
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                await self._answer_all(reader, writer)
        finally:
            self._connections -= 1
            writer.close()

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(TCP_IDLE_S):
                size = int.from_bytes(await reader.readexactly(2), "big")
                data = await reader.readexactly(size)
            answer = self._resolver.cached(data, udp=False) or await self._resolver.resolve(data, udp=False)
            if answer is None:
                return
            writer.write(len(answer).to_bytes(2, "big") + answer)
            async with asyncio.timeout(TCP_IDLE_S):
                await writer.drain()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, resolver: Resolver, group: asyncio.TaskGroup) -> None:
        self._resolver = resolver
        self._group = group
        self._answering = 0
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asked of its class: uvloop's transports are of classes of their own.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        assert self._transport is not None
        cached = self._resolver.cached(data, udp=True)
        if cached is not None:
            self._transport.sendto(cached, addr)
        elif self._answering < UDP_QUERIES_MAX:
            self._answering += 1
            self._group.create_task(self._answer(data, addr), name="dns.query")

    async def _answer(self, data: bytes, addr: tuple[str | object, int]) -> None:
        assert self._transport is not None
        try:
            answer = await self._resolver.resolve(data, udp=True)
        finally:
            self._answering -= 1
        if answer is not None and not self._transport.is_closing():
            self._transport.sendto(answer, addr)
