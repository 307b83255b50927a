"""Requests and answers as plain values, so that the API server and the client need no HTTP library to be tested.

The adapters of this package turn what libraries read into these and back; a simulation hands them
over in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

# What stands between the values of a header that was sent several times; a comma alone is part of a value.
BETWEEN_HEADERS = ", "


class Request(msgspec.Struct):
    """One HTTP request.

    path         percent-decoded, starts with "/"
    query        every value of every parameter, in the order sent
    headers      names in lower case; repeated headers joined by ", "
    body         whole body; b"" when there is none
    certificate  DER of the client's verified certificate, None without one
    remote       "address:port" of the peer
    """

    method: str
    path: str
    query: Mapping[str, list[str]] = {}
    headers: Mapping[str, str] = {}
    body: bytes = b""
    certificate: bytes | None = None
    remote: str = ""

    def param(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else default

    def flag(self, name: str) -> bool:
        """A query parameter as Kubernetes converts it: `?watch` alone means yes, as does any text but these two."""
        values = self.query.get(name)
        return bool(values) and values is not None and values[0].lower() not in ("0", "false")


class Response(msgspec.Struct):
    """One HTTP answer: a whole body, or a stream of chunks (each flushed at once), or an upgraded connection.

    headers  pairs, because Warning may repeat
    upgrade  for 101: takes over the raw duplex stream after the head was sent
    attach   of a stream: told, before the first chunk is asked for, where later ones may be pushed; not everywhere
    """

    status: int
    headers: list[tuple[str, str]] = []
    body: bytes | AsyncIterator[bytes] = b""
    upgrade: Callable[[Duplex], Awaitable[None]] | None = None
    attach: Callable[[Sink], None] | None = None


class Sink(Protocol):
    """Takes a stream's chunks from the stream itself, which saves waking the task that waits for the next one.

    Only while that task does wait is it the stream's turn to push.
    """

    @property
    def flowing(self) -> bool:
        """Whether the client takes what it is sent; if not, the next chunk is for the waiting task, which sees to that."""
        ...

    def push(self, chunk: bytes) -> None:
        """Write a chunk that is not empty."""
        ...


# Parts of a body that are joined and sent at once: some hundred kilobytes of a list of pods.
PIECE_PARTS = 256


class Pieces:
    """A stream of bytes that are all there already, in parts that together are too many to be joined.

    Others get their turn between two pieces, and what was sent has time to leave.
    """

    def __init__(self, parts: Sequence[bytes]) -> None:
        self.parts = parts
        self.length = sum(map(len, parts))
        self._sent = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)
        piece = self.parts[self._sent : self._sent + PIECE_PARTS]
        if not piece:
            raise StopAsyncIteration
        self._sent += PIECE_PARTS
        return b"".join(piece)


class Duplex(Protocol):
    """A raw byte stream in both directions; what an upgraded connection becomes."""

    async def read(self) -> bytes:
        """The next bytes; b"" when the peer has finished."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def close(self) -> None: ...


class Transport(Protocol):
    """Sends requests to one server. The real one is aiohttp over TLS; a simulation's is a function call."""

    async def send(self, request: Request) -> Response:
        """The answer once its head is there; a watch's body streams. Raises EdgeError when there was no answer."""
        ...

    async def close(self) -> None: ...
