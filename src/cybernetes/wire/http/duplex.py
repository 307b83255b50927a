"""An upgraded connection as a Duplex: raw bytes both ways, with back-pressure, over an asyncio transport."""

from __future__ import annotations

import asyncio
from collections import deque

# Bytes read ahead before the peer is made to wait: a few TLS records, small beside the pipes of a container.
READ_AHEAD_MAX = 256 << 10


def close_once(transport: asyncio.Transport) -> None:
    """Python's TLS transports up to 3.11.2 break when they are closed again: nothing can be asked of them then."""
    if not transport.is_closing():
        transport.close()


class RawDuplex(asyncio.Protocol):
    """Takes over `transport` from `former`, which still learns when the connection is lost."""

    def __init__(self, transport: asyncio.Transport, former: asyncio.BaseProtocol) -> None:
        self._transport = transport
        self._former = former
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._paused = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        transport.set_protocol(self)
        transport.resume_reading()

    async def read(self) -> bytes:
        while not self._chunks:
            if self._ended:
                return b""
            self._readable.clear()
            await self._readable.wait()
        data = b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        if self._transport.is_closing():
            raise ConnectionResetError("the peer closed the connection")
        self._transport.write(data)
        await self._writable.wait()

    async def close(self) -> None:
        close_once(self._transport)

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        self._size += len(data)
        if self._size > READ_AHEAD_MAX and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._readable.set()

    def eof_received(self) -> bool:
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        self._writable.set()
        self._former.connection_lost(exc)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _end(self) -> None:
        self._ended = True
        self._readable.set()
