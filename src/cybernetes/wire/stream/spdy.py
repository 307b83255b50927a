"""SPDY/3.1 framing without I/O: bytes in, events out, and bytes to send.

Flow control is left out on purpose: the peers that still speak SPDY (kubectl, container runtimes) ignore it.

source  "SPDY Protocol - Draft 3.1"
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping

import msgspec

# Larger than any peer sends (spdystream writes what its caller gives, at most 32 KiB); guards memory.
FRAME_BYTES_MAX = 1 << 20

_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _HEADERS, _WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
_CONTROL = 0x80000000
_VERSION = 3
FLAG_FIN = 1

REFUSED_STREAM, CANCEL = 3, 5

_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie "
    "keep-alive origin"
)
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _dictionary() -> bytes:
    words = (each.replace("_", " ").encode() for each in _WORDS.split(" "))
    return b"".join(struct.pack(">I", len(word)) + word for word in words) + _TAIL.encode()


DICTIONARY = _dictionary()


class SpdyError(Exception):
    """The peer does not speak SPDY/3.1 correctly; the connection is of no use any more."""


class Opened(msgspec.Struct, frozen=True):
    """The peer has opened a stream. headers: names in lower case."""

    stream: int
    headers: dict[str, str]
    fin: bool


class Accepted(msgspec.Struct, frozen=True):
    stream: int


class Data(msgspec.Struct, frozen=True):
    """fin: nothing more comes on this stream."""

    stream: int
    data: bytes
    fin: bool


class Reset(msgspec.Struct, frozen=True):
    stream: int
    status: int


class GoneAway(msgspec.Struct, frozen=True):
    """The peer takes no new streams."""


Event = Opened | Accepted | Data | Reset | GoneAway


class Spdy:
    """One end of a connection. `client` ends open odd streams. Take `outgoing()` after every call."""

    def __init__(self, *, client: bool) -> None:
        self._next = 1 if client else 2
        self._buffer = bytearray()
        self._out = bytearray()
        self._compress = zlib.compressobj(zdict=DICTIONARY)
        self._decompress = zlib.decompressobj(zdict=DICTIONARY)

    def outgoing(self) -> bytes:
        """What has to be sent now, in order."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def open(self, headers: Mapping[str, str], *, fin: bool = False) -> int:
        """The number of a new stream."""
        stream = self._next
        self._next += 2
        body = struct.pack(">IIBB", stream, 0, 0, 0) + self._header_block(headers)
        self._control(_SYN_STREAM, FLAG_FIN if fin else 0, body)
        return stream

    def accept(self, stream: int) -> None:
        self._control(_SYN_REPLY, 0, struct.pack(">I", stream) + self._header_block({}))

    def refuse(self, stream: int) -> None:
        self.reset(stream, REFUSED_STREAM)

    def reset(self, stream: int, status: int = CANCEL) -> None:
        self._control(_RST_STREAM, 0, struct.pack(">II", stream, status))

    def send(self, stream: int, data: bytes, *, fin: bool = False) -> None:
        self._out += struct.pack(">II", stream, (FLAG_FIN if fin else 0) << 24 | len(data)) + data

    def receive(self, data: bytes) -> Iterator[Event]:
        """Events of all frames that are complete. Raises SpdyError."""
        self._buffer += data
        while len(self._buffer) >= 8:
            first, second = struct.unpack_from(">II", self._buffer)
            length = second & 0xFFFFFF
            if length > FRAME_BYTES_MAX:
                raise SpdyError(f"a frame of {length} bytes; the limit is {FRAME_BYTES_MAX}")
            if len(self._buffer) < 8 + length:
                return
            body = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            flags = second >> 24
            if first & _CONTROL:
                yield from self._on_control(first, flags, body)
            else:
                yield Data(first & 0x7FFFFFFF, body, bool(flags & FLAG_FIN))

    def _on_control(self, first: int, flags: int, body: bytes) -> Iterator[Event]:
        version, kind = first >> 16 & 0x7FFF, first & 0xFFFF
        if version != _VERSION:
            raise SpdyError(f"version {version}; only {_VERSION} is spoken here")
        try:
            if kind == _SYN_STREAM:
                stream = struct.unpack_from(">I", body)[0] & 0x7FFFFFFF
                yield Opened(stream, self._headers(body[10:]), bool(flags & FLAG_FIN))
            elif kind == _SYN_REPLY:
                stream = struct.unpack_from(">I", body)[0] & 0x7FFFFFFF
                self._headers(body[4:])
                yield Accepted(stream)
                if flags & FLAG_FIN:
                    yield Data(stream, b"", True)
            elif kind == _RST_STREAM:
                stream, status = struct.unpack_from(">II", body)
                yield Reset(stream & 0x7FFFFFFF, status)
            elif kind == _HEADERS:
                self._headers(body[4:])
                if flags & FLAG_FIN:
                    yield Data(struct.unpack_from(">I", body)[0] & 0x7FFFFFFF, b"", True)
            elif kind == _PING:
                self._on_ping(struct.unpack_from(">I", body)[0])
            elif kind == _GOAWAY:
                yield GoneAway()
            # SETTINGS and WINDOW_UPDATE say nothing to somebody without flow control.
        except struct.error as short:
            raise SpdyError("a control frame is too short") from short

    def _on_ping(self, number: int) -> None:
        # Pings of our own would have our parity; the others want their number back.
        if number % 2 != self._next % 2:
            self._control(_PING, 0, struct.pack(">I", number))

    def _control(self, kind: int, flags: int, body: bytes) -> None:
        self._out += struct.pack(">HHI", 0x8000 | _VERSION, kind, flags << 24 | len(body)) + body

    def _header_block(self, headers: Mapping[str, str]) -> bytes:
        block = struct.pack(">I", len(headers))
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                block += struct.pack(">I", len(text)) + text
        return self._compress.compress(block) + self._compress.flush(zlib.Z_SYNC_FLUSH)

    def _headers(self, compressed: bytes) -> dict[str, str]:
        try:
            block = self._decompress.decompress(compressed, FRAME_BYTES_MAX)
        except zlib.error as broken:
            raise SpdyError(f"headers can't be decompressed: {broken}") from broken
        count = struct.unpack_from(">I", block)[0]
        at, texts = 4, []
        for _ in range(2 * count):
            size = struct.unpack_from(">I", block, at)[0]
            if at + 4 + size > len(block):
                raise SpdyError("a header is longer than its block")
            texts.append(block[at + 4 : at + 4 + size].decode("utf-8", "replace"))
            at += 4 + size
        return {texts[i].lower(): texts[i + 1] for i in range(0, len(texts), 2)}
