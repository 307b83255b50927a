"""From the bytes of a query to the bytes of its answer."""

from __future__ import annotations

import dns.message
import dns.rcode
import msgspec

from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log
from cybernetes.dns import wire
from cybernetes.dns.answer import Domain, answer, soa, turned, turns
from cybernetes.dns.forward import Upstream
from cybernetes.dns.zone import Zone

_log = Log("dns")
# Answers kept in encoded form. A cluster's pods ask for few names, over and over; at the limit all are forgotten.
CACHED_MAX = 10_000


class _Kept(msgspec.Struct):
    """Encoded answers without their ids, to be told in turn once there are `wanted`."""

    wanted: int
    answers: list[bytes]
    told: int = 0


class Resolver:
    """complete: whether the zone has been read; until then nothing can be said about the cluster's names."""

    def __init__(self, zone: Zone, domain: Domain, upstream: Upstream) -> None:
        self.complete = False
        self._zone = zone
        self._domain = domain
        self._upstream = upstream
        self._cache: dict[tuple[bytes, bool], _Kept] = {}
        self._cached_at = 0

    def answer_from(self, zone: Zone) -> None:
        """Everything is known that there is to know, and stands in `zone`."""
        self._zone = zone
        self._cache.clear()
        self._cached_at = zone.changes
        self.complete = True

    def cached(self, data: bytes, *, udp: bool) -> bytes | None:
        """The answer when the same query, but for its id, was answered often enough since the zone last changed."""
        if self._cached_at != self._zone.changes:
            self._cache.clear()
            self._cached_at = self._zone.changes
        kept = self._cache.get((data[2:], udp))
        if kept is None or len(kept.answers) < kept.wanted:
            return None
        kept.told += 1
        return data[:2] + kept.answers[kept.told % kept.wanted]

    async def resolve(self, data: bytes, *, udp: bool) -> bytes | None:
        """None for what deserves no answer."""
        query = wire.parse(data)
        if query is None:
            return None
        asked = wire.question(query)
        if asked is None:
            return wire.failure(query, dns.rcode.NOTIMP)
        name, record_type = asked
        if not self._domain.holds(name):
            return await self._forward(query, data, udp=udp)
        if not self.complete:
            return wire.failure(query, dns.rcode.SERVFAIL)
        return await self._answer(query, data, name, record_type, udp=udp)

    async def _answer(self, query: wire.Query, data: bytes, name: str, record_type: str, *, udp: bool) -> bytes:
        changes = self._zone.changes
        found = answer(self._zone, self._domain, name, record_type)
        if found.alias:
            follow = await self._follow(found.alias, record_type)
            return wire.encode(query, found, None, udp=udp, follow=follow)
        kept = self._cache.get((data[2:], udp)) if changes == self._cached_at else None
        turn = len(kept.answers) if kept is not None else 0
        encoded = wire.encode(query, turned(found, turn), soa(self._domain, changes), udp=udp)
        if kept is not None:
            kept.answers.append(encoded[2:])
        elif changes == self._cached_at:
            if len(self._cache) >= CACHED_MAX:
                self._cache.clear()
            self._cache[data[2:], udp] = _Kept(turns(found), [encoded[2:]])
        return encoded

    async def _forward(self, query: wire.Query, data: bytes, *, udp: bool) -> bytes:
        question_bytes = len(query.question[0].name.to_wire() or b"") + 4
        try:
            return await self._upstream.ask(data, question_bytes, udp=udp)
        except EdgeError as error:
            _log.debug("query.not_forwarded", error=error)
            return wire.failure(query, dns.rcode.SERVFAIL)

    async def _follow(self, alias: str, record_type: str) -> wire.Query | None:
        """What an alias out of the cluster leads to; without an answer the client follows it by itself."""
        query = dns.message.make_query(alias, record_type, use_edns=0, payload=wire.UDP_BYTES_MAX)
        data = query.to_wire()
        try:
            answered = await self._upstream.ask(data, len(query.question[0].name.to_wire() or b"") + 4, udp=True)
        except EdgeError as error:
            _log.debug("alias.not_followed", alias=alias, error=error)
            return None
        try:
            return dns.message.from_wire(answered)
        except dns.exception.DNSException:
            return None
