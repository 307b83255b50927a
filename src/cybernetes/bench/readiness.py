"""When objects were first seen to be Ready: by a watch, as any client would see it."""

from __future__ import annotations

import re
import time

from cybernetes.base.errors import EdgeError
from cybernetes.bench.connection import Connection

READY = re.compile(rb'"status":"True","type":"Ready"|"type":"Ready","status":"True"')
# A node that nothing may land on is not ready for a load.
TAINTS = b'"taints":'
# Longer than any run: the watch is not begun again.
WATCH_S = 6 * 3600


class Readiness:
    """at: name -> seconds of `time.perf_counter` at which an object of that name was seen to be Ready."""

    def __init__(self, connection: Connection, path: str, prefix: str) -> None:
        """path: of the collection, prefix: what names begin with, before a number."""
        self.at: dict[str, float] = {}
        self._path = path
        self._rest = b""
        self._broken = b""
        self._name = re.compile(rb'"name":"(%s\d+)"' % re.escape(prefix.encode()))
        connection.on_chunk = self.take
        connection.send("GET", f"{path}?watch=1&timeoutSeconds={WATCH_S}")

    def check(self) -> None:
        """Raises EdgeError when the watch is over: nothing more would be seen."""
        if self._broken:
            raise EdgeError("watch", self._path, self._broken.decode(errors="replace"))

    def take(self, data: bytes) -> None:
        now = time.perf_counter()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if READY.search(line) and TAINTS not in line and (found := self._name.search(line)) is not None:
                self.at.setdefault(found[1].decode(), now)
            elif line.startswith((b'{"type":"ERROR"', b"HTTP/1.1 4", b"HTTP/1.1 5")) or line == b"0\r":
                self._broken = line[:300]
