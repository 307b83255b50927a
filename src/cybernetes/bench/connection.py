"""A keep-alive connection that costs less than the server that it loads; and who does how much work in the kernel's words."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# One chunk of what a watch sends.
OnChunk = Callable[[bytes], None]


class Connection(asyncio.Protocol):
    """One keep-alive connection; a request at a time. `on_chunk` takes what comes instead of an answer."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        # Where the answer ends in the buffer, -1 before its head is there.
        self._length = -1
        self._start = 0
        self._status = 0
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None
        self.on_chunk: OnChunk | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionResetError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        if self.on_chunk is not None:
            self.on_chunk(data)
            return
        self._buffer += data
        if self._length < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            at = head.find(b"content-length:")
            self._status = int(head[9:12])
            self._start = end + 4
            self._length = self._start + (int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0)
        if len(self._buffer) >= self._length and self._waiting is not None:
            body = bytes(self._buffer[self._start :])
            self._buffer.clear()
            self._length = -1
            waiting, self._waiting = self._waiting, None
            waiting.set_result((self._status, body))

    def send(self, method: str, path: str, body: bytes = b"", accept: str = "application/json") -> None:
        assert self._transport is not None
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nUser-Agent: perf/1\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._transport.write(head.encode() + b"\r\n" + body)

    async def call(
        self, method: str, path: str, body: bytes = b"", accept: str = "application/json"
    ) -> tuple[int, bytes]:
        """(status, body). Raises ConnectionError when the server goes away, or has gone: it closes what is idle for long."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the server closed the connection")
        self._waiting = asyncio.get_running_loop().create_future()
        self.send(method, path, body, accept)
        return await self._waiting

    def close(self) -> None:
        """At once: a watch has no end to wait for."""
        if self._transport is not None:
            self._transport.abort()


async def connect(url: str, tls: ssl.SSLContext) -> Connection:
    host, _, port = url.removeprefix("https://").partition(":")
    _, protocol = await asyncio.get_running_loop().create_connection(Connection, host, int(port), ssl=tls)
    return protocol


async def post_all(connections: Sequence[Connection], path: str, bodies: Sequence[bytes]) -> None:
    """POST every body, each connection its share. Raises ApiRefused when one is not created."""
    await send_all(connections, "POST", [path] * len(bodies), bodies)


async def send_all(
    connections: Sequence[Connection], method: str, paths: Sequence[str], bodies: Sequence[bytes]
) -> None:
    """Send every body to its path, each connection its share. Raises ApiRefused when one is not taken."""

    async def some(connection: Connection, first: int) -> None:
        for n in range(first, len(paths), len(connections)):
            status, answer = await connection.call(method, paths[n], bodies[n])
            if status not in (200, 201):
                raise ApiRefused(f"{method} {paths[n]}: {status} {answer[:300]!r}")

    async with asyncio.TaskGroup() as group:
        for n, each in enumerate(connections):
            group.create_task(some(each, n), name=f"bench.send-{n}")


class ApiRefused(Exception):
    """The API server did not take an object of the load."""


def cpu_s(pid: int) -> float:
    """Processor time of a process and of its children, those that have ended too, in seconds."""
    return sum(_own_cpu_s(each) for each in [pid, *_children(pid)])


def memory_mb(pid: int) -> float:
    """Resident memory of one process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def pss_mb(pid: int) -> float:
    """Memory of a process and of its children: what is its own, and its share of what several have mapped."""
    return sum(_own_pss_mb(each) for each in [pid, *_children(pid)])


def _own_pss_mb(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1]) / 1024


def _own_cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(each) for each in text.split()]
