"""Answers over a WebSocket, for clients that can't read a streamed one: browsers, and tools built like them.

enters   the request that asks for an upgrade; what to say, message by message
leaves   one WebSocket message each; then the connection is closed
fails    400 where the request is no handshake
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from cybernetes.base.errors import EdgeError, bad_request
from cybernetes.wire.http.message import Duplex, Request, Response
from cybernetes.wire.stream.websocket import Closed, WebSocket, WebSocketError, accept_key

# More than a round trip takes, and short for a client that never answers.
GOODBYE_S = 2.0


def asked(request: Request) -> bool:
    return request.headers.get("upgrade", "").lower() == "websocket"


def answer(request: Request, messages: AsyncIterator[bytes], *, text: bool, protocol: str | None = None) -> Response:
    """The answer that takes the connection over. Raises ApiError."""
    key = request.headers.get("sec-websocket-key", "")
    if not key:
        raise bad_request("a WebSocket handshake needs a Sec-WebSocket-Key")

    async def run(client: Duplex) -> None:
        await _Session(client, text=text).run(messages)

    headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_key(key))]
    if protocol is not None:
        headers.append(("Sec-WebSocket-Protocol", protocol))
    return Response(101, headers, upgrade=run)


class _Session:
    def __init__(self, client: Duplex, *, text: bool) -> None:
        self._client = client
        self._frames = WebSocket(client=False)
        self._text = text

    async def run(self, messages: AsyncIterator[bytes]) -> None:
        """Until there is nothing more to say, or the client has left."""
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(self._send_all(messages), name="socket.send")
                listening = group.create_task(self._until_left(), name="socket.client")
                await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
                # A client answers the end of the session; to hang up before that would look like a failure to it.
                await asyncio.wait({listening}, timeout=GOODBYE_S)
                sending.cancel()
                listening.cancel()
        finally:
            await self._client.close()

    async def _send_all(self, messages: AsyncIterator[bytes]) -> None:
        try:
            async for each in messages:
                self._frames.send(each, text=self._text)
                await self._flush()
            self._frames.close()
            await self._flush()
        except (OSError, EdgeError):
            # The client, or what it listened to, is gone: there is nobody to tell, or nothing more to say.
            return

    async def _flush(self) -> None:
        await self._client.write(self._frames.outgoing())

    async def _until_left(self) -> None:
        """A client has nothing to say here; what counts is that it ends."""
        try:
            while data := await self._client.read():
                if any(isinstance(each, Closed) for each in self._frames.receive(data)):
                    return
                out = self._frames.outgoing()
                if out:
                    await self._client.write(out)
        except (OSError, WebSocketError):
            return
