"""Gathers the requests of one connection from the callbacks of its parser, within limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from cybernetes.wire.http import head
from cybernetes.wire.http.message import BETWEEN_HEADERS, Response

# The limit of Kubernetes' API server on a request's body.
BODY_MAX = 3 << 20
# That of Go's servers: bearer tokens with many groups and long label selectors are far below it.
HEAD_MAX = 1 << 20

_TOO_LARGE = (
    b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":'
    b'"Request entity too large: limit is 3145728","reason":"RequestEntityTooLarge","code":413}\n'
)
_PLAIN = ("Content-Type", "text/plain; charset=utf-8")
NO_HTTP = Response(400, [_PLAIN], b"400 Bad Request")
_HEAD_TOO_LARGE = Response(431, [_PLAIN], b"431 Request Header Fields Too Large")
_BODY_TOO_LARGE = Response(413, [("Content-Type", "application/json")], _TOO_LARGE)

# Path, query, headers, body of a request that is complete.
Take = Callable[[str, Mapping[str, list[str]], Mapping[str, str], bytes], None]


def _take_nothing(_path: str, _query: Mapping[str, list[str]], _headers: Mapping[str, str], _body: bytes) -> None:
    """Of a connection that is gone."""


class Refused(Exception):
    """What a request is answered with before its handler sees it."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Reading:
    """What httptools' parser calls. `take` gets each request as its last byte comes.

    head_since  on the loop's clock, when a head began that is not complete; None otherwise
    expects_continue  whether the client waits for a word before it sends the body
    """

    def __init__(self, take: Take) -> None:
        self._take = take
        self._headers: dict[str, list[str]] = {}
        self._target: list[bytes] = []
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0
        self.head_since: float | None = None
        self.expects_continue = False

    def end(self) -> None:
        """Nobody takes requests any more. Parser, reader and taker know each other: this frees them without a search."""
        self._take = _take_nothing

    def check_head(self, fed: int) -> None:
        """Count bytes of a head that is not complete. Raises Refused."""
        if self.head_since is None:
            return
        self._head_bytes += fed
        if self._head_bytes > HEAD_MAX:
            raise Refused(_HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        self._headers = {}
        self._target = []
        self._body = []
        self._body_bytes = self._head_bytes = 0
        self.head_since = asyncio.get_running_loop().time()

    def on_url(self, url: bytes) -> None:
        self._target.append(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.setdefault(head.header_name(name), []).append(head.header_value(value))

    def on_headers_complete(self) -> None:
        self.head_since = None
        length = self._header("content-length")
        if length.isdecimal() and int(length) > BODY_MAX:
            raise Refused(_BODY_TOO_LARGE)
        self.expects_continue = self._header("expect").lower() == "100-continue"

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > BODY_MAX:
            raise Refused(_BODY_TOO_LARGE)
        self._body.append(body)

    def on_message_complete(self) -> None:
        self.expects_continue = False
        path, query = head.target(b"".join(self._target))
        headers = {name: BETWEEN_HEADERS.join(values) for name, values in self._headers.items()}
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = []
        self._take(path, query, headers, body)

    def _header(self, name: str) -> str:
        return self._headers.get(name, [""])[0]
