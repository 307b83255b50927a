"""A log over a WebSocket: one message per chunk, behind an empty first one.

fails    403 when the client knows none of the protocols

source  k8s.io/apimachinery, httpstream/wsstream: protocols binary.k8s.io and base64.binary.k8s.io
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

from cybernetes.apiserver import sockets
from cybernetes.base.errors import ApiError
from cybernetes.wire.http.message import Request, Response

BINARY = "binary.k8s.io"
BASE64 = "base64.binary.k8s.io"


def over_websocket(request: Request, log: bytes | AsyncIterator[bytes]) -> Response:
    """The answer that takes the connection over. Raises ApiError."""
    offered = [each.strip() for each in request.headers.get("sec-websocket-protocol", "").split(",") if each.strip()]
    protocol = next((each for each in offered if each in (BINARY, BASE64)), None)
    if offered and protocol is None:
        raise ApiError(403, "Forbidden", f"no supported protocol among {', '.join(offered)}; known: {BINARY}, {BASE64}")
    text = protocol == BASE64
    return sockets.answer(request, _messages(log, text=text), text=text, protocol=protocol)


async def _messages(log: bytes | AsyncIterator[bytes], *, text: bool) -> AsyncIterator[bytes]:
    # Tells the client at once that the session stands, however long the log is silent.
    yield b""
    if isinstance(log, bytes):
        yield base64.b64encode(log) if text else log
        return
    async for chunk in log:
        yield base64.b64encode(chunk) if text else chunk
