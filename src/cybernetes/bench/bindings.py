"""When pods got their nodes, as anybody sees it who watches the API."""

from __future__ import annotations

import asyncio
import re
import time

from cybernetes.bench.connection import Connection
from cybernetes.bench.workloads import NAMESPACE

BOUND = b'"nodeName":"'
NAME = re.compile(rb'"name":"(pod-\d+)"')
PATH = f"/api/v1/namespaces/{NAMESPACE}/pods"


class Bindings:
    """Follows a namespace's pods. bound: name -> seconds of `time.perf_counter` at which it was seen to have a node."""

    def __init__(self, connection: Connection, wanted: int) -> None:
        self.bound: dict[str, float] = {}
        self.all = asyncio.Event()
        self._wanted = wanted
        self._rest = b""
        connection.on_chunk = self._chunk
        self._connection = connection

    def follow(self) -> None:
        """Begin; pods that are there already are seen first."""
        self._connection.send("GET", f"{PATH}?watch=1")

    def _chunk(self, data: bytes) -> None:
        now = time.perf_counter()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if BOUND in line and (found := NAME.search(line)) is not None:
                self.bound.setdefault(found[1].decode(), now)
        if len(self.bound) >= self._wanted:
            self.all.set()
