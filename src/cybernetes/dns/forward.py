"""Passes queries on to the node's own name servers, byte for byte."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.base.random import Random

DNS_PORT = 53
# Two tries at two servers fit into the 5 s after which resolvers ask again.
TRY_TIMEOUT_S = 1.2
ROUNDS = 2
# Queries that wait for an answer; a flood beyond is refused instead of filling memory and the port range.
IN_FLIGHT_MAX = 1000
# resolv.conf(5): later ones are not looked at.
SERVERS_MAX = 3


class Upstream(Protocol):
    async def ask(self, query: bytes, question_bytes: int, *, udp: bool) -> bytes:
        """The answer to a query, with the query's id. question_bytes: length of its question section.

        Raises EdgeError when nobody answers.
        """
        ...


def servers_in(resolv_conf: str, not_these: Sequence[str]) -> list[str]:
    """Addresses of name servers, without those that would be asked in a circle."""
    found = []
    for line in resolv_conf.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        try:
            address = str(ipaddress.ip_address(words[1].partition("%")[0]))
        except ValueError:
            continue
        if address not in not_these:
            found.append(address)
    return found[:SERVERS_MAX]


class NameServers:
    """Those of a resolv.conf, read again for every query that its time of change tells to."""

    def __init__(self, resolv_conf: Path, not_these: Sequence[str], random: Random, port: int = DNS_PORT) -> None:
        self._path = resolv_conf
        self._not_these = tuple(not_these)
        self._random = random
        self._port = port
        self._read_at = 0
        self._servers: list[str] = []
        self._in_flight = 0

    async def ask(self, query: bytes, question_bytes: int, *, udp: bool) -> bytes:
        if self._in_flight >= IN_FLIGHT_MAX:
            raise EdgeError("forward", "query", f"{IN_FLIGHT_MAX} are waiting", outcome=Outcome.NOT_DONE)
        self._in_flight += 1
        try:
            return await self._ask(query, question_bytes, udp=udp)
        finally:
            self._in_flight -= 1

    async def _ask(self, query: bytes, question_bytes: int, *, udp: bool) -> bytes:
        # An id of ours, and a port of the kernel's choice: an outsider has to guess both.
        own = self._random.token(2) + query[2:]
        why = "no name server to ask"
        for _ in range(ROUNDS):
            for server in self._current():
                try:
                    async with asyncio.timeout(TRY_TIMEOUT_S):
                        answer = await (self._over_udp if udp else self._over_tcp)(server, own, question_bytes)
                    return query[:2] + answer[2:]
                except (OSError, TimeoutError, asyncio.IncompleteReadError) as failed:
                    why = f"{server}: {failed or 'no answer'}"
        raise EdgeError("forward", "query", why, outcome=Outcome.NOT_DONE)

    def _current(self) -> list[str]:
        try:
            changed_at = self._path.stat().st_mtime_ns
            if changed_at != self._read_at:
                self._servers = servers_in(self._path.read_text(), self._not_these)
                self._read_at = changed_at
        except OSError as failed:
            raise EdgeError("read", str(self._path), str(failed), outcome=Outcome.NOT_DONE) from failed
        return self._servers

    async def _over_udp(self, server: str, query: bytes, question_bytes: int) -> bytes:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(
            lambda: _Exchange(query, question_bytes), remote_addr=(server, self._port)
        )
        try:
            return await protocol.answer
        finally:
            transport.close()

    async def _over_tcp(self, server: str, query: bytes, question_bytes: int) -> bytes:
        reader, writer = await asyncio.open_connection(server, self._port)
        try:
            writer.write(len(query).to_bytes(2, "big") + query)
            await writer.drain()
            answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        finally:
            writer.close()
        if not _answers(answer, query, question_bytes):
            raise OSError("it answered something else")
        return answer


class _Exchange(asyncio.DatagramProtocol):
    """One query and the first datagram that answers it."""

    def __init__(self, query: bytes, question_bytes: int) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._query = query
        self._question_bytes = question_bytes

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        # Not asked of its class: uvloop's transports are of classes of their own.
        cast(asyncio.DatagramTransport, transport).sendto(self._query)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        if not self.answer.done() and _answers(data, self._query, self._question_bytes):
            self.answer.set_result(data)

    def error_received(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


def _answers(data: bytes, query: bytes, question_bytes: int) -> bool:
    """Whether this is an answer to that query: same id, a response, same question."""
    end = 12 + question_bytes
    return len(data) >= end and data[:2] == query[:2] and bool(data[2] & 0x80) and data[12:end] == query[12:end]
