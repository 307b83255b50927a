"""WebSocket framing without I/O, for connections that were upgraded already.

source  RFC 6455
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterator

import msgspec

# The largest message of kubectl cp is 32 KiB; this bounds what a peer can make us hold.
MESSAGE_BYTES_MAX = 4 << 20

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_CONTINUATION = 0
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

NORMAL, PROTOCOL, TOO_BIG = 1000, 1002, 1009


class WebSocketError(Exception):
    """The peer breaks the protocol; `code` is what to close with."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class Message(msgspec.Struct, frozen=True):
    data: bytes
    text: bool


class Closed(msgspec.Struct, frozen=True):
    code: int


def accept_key(key: str) -> str:
    """Sec-WebSocket-Accept for a client's Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


class WebSocket:
    """One end of a connection. A client masks what it sends; a server expects masks. Take `outgoing()` after every call."""

    def __init__(self, *, client: bool, mask: bytes = b"\0\0\0\0") -> None:
        self._client = client
        self._mask = mask
        self._buffer = bytearray()
        self._out = bytearray()
        self._parts = bytearray()
        self._opcode = 0
        self._closed = False

    def outgoing(self) -> bytes:
        out = bytes(self._out)
        self._out.clear()
        return out

    def send(self, data: bytes, *, text: bool = False) -> None:
        self._frame(TEXT if text else BINARY, data)

    def ping(self) -> None:
        self._frame(PING, b"")

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Say that nothing more comes; a second time says nothing."""
        if not self._closed:
            self._closed = True
            self._frame(CLOSE, struct.pack(">H", code) + reason.encode()[:100])

    def receive(self, data: bytes) -> Iterator[Message | Closed]:
        """Messages that are complete; pings are answered. Raises WebSocketError."""
        self._buffer += data
        while True:
            frame = self._next_frame()
            if frame is None:
                return
            yield from self._on_frame(*frame)

    def _next_frame(self) -> tuple[bool, int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, at = buffer[1] & 0x7F, 2
        if size == 126:
            if len(buffer) < 4:
                return None
            size, at = struct.unpack_from(">H", buffer, 2)[0], 4
        elif size == 127:
            if len(buffer) < 10:
                return None
            size, at = struct.unpack_from(">Q", buffer, 2)[0], 10
        masked = bool(buffer[1] & 0x80)
        if masked is self._client:
            raise WebSocketError(PROTOCOL, "frames of clients are masked, those of servers are not")
        if buffer[0] & 0x70:
            raise WebSocketError(PROTOCOL, "reserved bits are set")
        if size + len(self._parts) > MESSAGE_BYTES_MAX:
            raise WebSocketError(TOO_BIG, f"a message above {MESSAGE_BYTES_MAX} bytes")
        start = at + (4 if masked else 0)
        if len(buffer) < start + size:
            return None
        payload = bytes(buffer[start : start + size])
        if masked:
            payload = _masked(payload, bytes(buffer[at:start]))
        final, opcode = bool(buffer[0] & 0x80), buffer[0] & 0x0F
        del buffer[: start + size]
        return final, opcode, payload

    def _on_frame(self, final: bool, opcode: int, payload: bytes) -> Iterator[Message | Closed]:
        if opcode == PING:
            self._frame(PONG, payload)
        elif opcode == CLOSE:
            code = struct.unpack_from(">H", payload)[0] if len(payload) >= 2 else NORMAL
            self.close(NORMAL)
            yield Closed(code)
        elif opcode in (TEXT, BINARY, _CONTINUATION):
            if (opcode == _CONTINUATION) is not bool(self._opcode):
                raise WebSocketError(PROTOCOL, "a continuation of nothing, or a message within another")
            self._opcode = opcode or self._opcode
            self._parts += payload
            if final:
                message = Message(bytes(self._parts), self._opcode == TEXT)
                self._parts.clear()
                self._opcode = 0
                yield message
        elif opcode != PONG:
            raise WebSocketError(PROTOCOL, f"opcode {opcode}")

    def _frame(self, opcode: int, payload: bytes) -> None:
        size, bit = len(payload), 0x80 if self._client else 0
        if size < 126:
            head = struct.pack(">BB", 0x80 | opcode, bit | size)
        elif size < 65536:
            head = struct.pack(">BBH", 0x80 | opcode, bit | 126, size)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, bit | 127, size)
        self._out += head + (self._mask + _masked(payload, self._mask) if self._client else payload)


def _masked(payload: bytes, mask: bytes) -> bytes:
    """XOR with the repeated mask, as one long number: a loop over bytes would take the whole core."""
    size = len(payload)
    if not size or mask == b"\0\0\0\0":
        return payload
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")
