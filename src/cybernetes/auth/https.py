"""Documents and reviews over HTTPS, as those who need them call for them."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.message import Request, Response, Transport
from cybernetes.wire.http.tls import client_context


class Get:
    """authorities  PEM of those who are trusted; b"" for the system's"""

    def __init__(self, authorities: bytes = b"") -> None:
        self._authorities = authorities
        self._transports: dict[str, HttpTransport] = {}

    async def __call__(self, url: str) -> bytes:
        """The body of a 2xx answer; redirects are not followed. Raises EdgeError."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._transports:
            self._transports[origin] = HttpTransport(origin, client_context(self._authorities))
        request = Request("GET", parts.path or "/", parse_qs(parts.query), {"accept": "application/json"})
        return _body(await self._transports[origin].send(request), url)

    async def close(self) -> None:
        for each in self._transports.values():
            await each.close()


class Post:
    """To one path of one server."""

    def __init__(self, transport: Transport, path: str) -> None:
        self._transport = transport
        self._path = path or "/"

    async def __call__(self, body: bytes) -> bytes:
        headers = {"content-type": "application/json", "accept": "application/json"}
        return _body(await self._transport.send(Request("POST", self._path, {}, headers, body)), self._path)

    async def close(self) -> None:
        await self._transport.close()


def _body(answer: Response, what: str) -> bytes:
    if not 200 <= answer.status < 300 or not isinstance(answer.body, bytes):
        raise EdgeError("ask", what, f"it answered {answer.status}", outcome=Outcome.UNKNOWN, retry=Retry.LATER)
    return answer.body
