"""A log over a WebSocket, for clients that can't read a streamed answer: browsers, and tools built like them.

enters   the request that asks for an upgrade; the log as chunks
leaves   one message per chunk, behind an empty first one; then the connection is closed
fails    403 when the client knows none of the protocols

source  k8s.io/apimachinery, httpstream/wsstream: protocols binary.k8s.io and base64.binary.k8s.io
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.wire.http.message import Duplex, Request, Response
from cybernetes.wire.stream.websocket import Closed, WebSocket, WebSocketError, accept_key

BINARY = "binary.k8s.io"
BASE64 = "base64.binary.k8s.io"
# More than a round trip takes, and short for a client that never answers.
GOODBYE_S = 2.0


def asked(request: Request) -> bool:
    return request.headers.get("upgrade", "").lower() == "websocket"


def over_websocket(request: Request, log: bytes | AsyncIterator[bytes]) -> Response:
    """The answer that takes the connection over. Raises ApiError."""
    offered = [each.strip() for each in request.headers.get("sec-websocket-protocol", "").split(",") if each.strip()]
    protocol = next((each for each in offered if each in (BINARY, BASE64)), None)
    key = request.headers.get("sec-websocket-key", "")
    if not key or (offered and protocol is None):
        raise ApiError(403, "Forbidden", f"no supported protocol among {', '.join(offered)}; known: {BINARY}, {BASE64}")

    async def run(client: Duplex) -> None:
        await _Session(client, text=protocol == BASE64).run(log)

    headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_key(key))]
    if protocol is not None:
        headers.append(("Sec-WebSocket-Protocol", protocol))
    return Response(101, headers, upgrade=run)


class _Session:
    def __init__(self, client: Duplex, *, text: bool) -> None:
        self._client = client
        self._frames = WebSocket(client=False)
        self._text = text

    async def run(self, log: bytes | AsyncIterator[bytes]) -> None:
        """Until the log has ended, or the client has left."""
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(self._send_all(log), name="log.send")
                listening = group.create_task(self._until_left(), name="log.client")
                await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
                # A client answers the end of the session; to hang up before that would look like a failure to it.
                await asyncio.wait({listening}, timeout=GOODBYE_S)
                sending.cancel()
                listening.cancel()
        finally:
            await self._client.close()

    async def _send_all(self, log: bytes | AsyncIterator[bytes]) -> None:
        try:
            # Tells the client at once that the session stands, however long the log is silent.
            await self._send(b"")
            if isinstance(log, bytes):
                await self._send(log)
            else:
                async for chunk in log:
                    await self._send(chunk)
            self._frames.close()
            await self._flush()
        except (OSError, EdgeError):
            # The client, or the kubelet, is gone: there is nobody to tell, or nothing more to say.
            return

    async def _send(self, data: bytes) -> None:
        self._frames.send(base64.b64encode(data) if self._text else data, text=self._text)
        await self._flush()

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
