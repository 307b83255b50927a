"""The ends that a bridge joins: the runtime's TCP connection, a WebSocket of channels, a WebSocket that carries bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from cybernetes.wire.http.message import Duplex
from cybernetes.wire.stream import channels
from cybernetes.wire.stream.channels import ChannelError, Channelled
from cybernetes.wire.stream.websocket import PROTOCOL, Closed, Message, WebSocket, WebSocketError

READ_BYTES = 32 * 1024


class Pipe:
    """A TCP connection as a Duplex."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        return await self._reader.read(READ_BYTES)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        self._writer.close()


class _Socket:
    """The server's end of a WebSocket on an upgraded connection."""

    def __init__(self, duplex: Duplex) -> None:
        self._duplex = duplex
        self._frames = WebSocket(client=False)
        self._pending: list[Message] = []
        self._ended = False

    async def _next(self) -> Message | None:
        """The next message; None when the client has closed, or broke the protocol."""
        while not self._pending:
            if self._ended:
                return None
            data = await self._duplex.read()
            if not data:
                return None
            try:
                self._take(self._frames.receive(data))
            except WebSocketError as broken:
                self._ended = True
                self._frames.close(broken.code, str(broken))
            await self._flush()
        return self._pending.pop(0)

    def _take(self, events: Iterator[Message | Closed]) -> None:
        for event in events:
            if isinstance(event, Closed):
                self._ended = True
            elif event.data:
                self._pending.append(event)

    async def _flush(self) -> None:
        out = self._frames.outgoing()
        if out:
            await self._duplex.write(out)

    async def close(self) -> None:
        try:
            self._frames.close()
            await self._flush()
        except OSError:
            # The client left first.
            pass
        await self._duplex.close()


class TunnelSocket(_Socket):
    """A WebSocket whose binary messages are one stream of bytes; a Duplex."""

    async def read(self) -> bytes:
        message = await self._next()
        return message.data if message is not None else b""

    async def write(self, data: bytes) -> None:
        self._frames.send(data)
        await self._flush()


class ChannelSocket(_Socket):
    """A WebSocket of numbered channels."""

    def __init__(self, duplex: Duplex, protocol: str) -> None:
        super().__init__(duplex)
        self.protocol = protocol

    async def receive(self) -> Channelled | None:
        """The next piece of a channel; None at the end."""
        message = await self._next()
        if message is None:
            return None
        try:
            return channels.decode(self.protocol, message)
        except ChannelError as broken:
            self._ended = True
            self._frames.close(PROTOCOL, str(broken))
            await self._flush()
            return None

    async def send(self, channel: int, data: bytes) -> None:
        message, text = channels.encode(self.protocol, channel, data)
        self._frames.send(message, text=text)
        await self._flush()
