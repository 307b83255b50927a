"""Queries and answers as bytes, by dnspython."""

from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from cybernetes.dns.answer import TTL_S, Answer, Record

# What a client takes over UDP when it does not say; and the most that passes every network in one piece (DNS flag
# day 2020).
UDP_BYTES = 512
UDP_BYTES_MAX = 1232
_TCP_BYTES_MAX = 65535
# A name that was told before, type, class, life and length.
_RECORD_BYTES_MIN = 12

Query = dns.message.Message


def parse(data: bytes) -> Query | None:
    """None for what is no query that could be answered."""
    try:
        query = dns.message.from_wire(data)
    except (dns.exception.DNSException, ValueError):
        return None
    return None if query.flags & dns.flags.QR else query


def question(query: Query) -> tuple[str, str] | None:
    """(name in lower case without the dot at its end, type) of a plain question; None for anything else."""
    if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
        return None
    asked = query.question[0]
    if asked.rdclass != dns.rdataclass.IN:
        return None
    return asked.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(asked.rdtype)


def encode(query: Query, found: Answer, authority: Record | None, *, udp: bool, follow: Query | None = None) -> bytes:
    """An authoritative answer; `authority` goes with those that have no records. `follow`: what an alias led to."""
    response = _response(query)
    response.flags |= dns.flags.AA
    response.set_rcode(dns.rcode.NOERROR if found.exists else dns.rcode.NXDOMAIN)
    # One more than could fit is enough to see that they don't.
    most = _limit(query, udp=udp) // _RECORD_BYTES_MIN + 1
    _add(response, response.answer, found.records[:most], query)
    if follow is not None:
        response.answer += follow.answer
    _add(response, response.additional, found.additional[:most], query)
    if not found.records and authority is not None:
        _add(response, response.authority, (authority,), query)
    return to_bytes(response, query, udp=udp)


def failure(query: Query, code: dns.rcode.Rcode) -> bytes:
    response = _response(query)
    response.set_rcode(code)
    return response.to_wire()


def to_bytes(response: Query, query: Query, *, udp: bool) -> bytes:
    """Cut, with the TC bit, when it is too long for the client's datagram."""
    limit = _limit(query, udp=udp)
    try:
        return response.to_wire(max_size=limit)
    except dns.exception.TooBig:
        return _cut(response, query, limit)


def _limit(query: Query, *, udp: bool) -> int:
    if not udp:
        return _TCP_BYTES_MAX
    return min(max(query.payload, UDP_BYTES), UDP_BYTES_MAX) if query.edns >= 0 else UDP_BYTES


def _cut(response: Query, query: Query, limit: int) -> bytes:
    """As many records as fit, were they all as long as the first: not every client asks again over TCP."""
    records = [(rrset, each) for rrset in response.answer for each in rrset]
    none = _first(response, query, [], limit)
    if not records:
        return none
    fitting = (limit - len(none)) // (len(_first(response, query, records[:1], _TCP_BYTES_MAX)) - len(none))
    while True:
        try:
            return _first(response, query, records[:fitting], limit)
        except dns.exception.TooBig:
            fitting = fitting * 3 // 4


def _first(response: Query, query: Query, records: list[tuple[dns.rrset.RRset, dns.rdata.Rdata]], limit: int) -> bytes:
    cut = _response(query)
    cut.flags = response.flags | dns.flags.TC
    for rrset, each in records:
        found = cut.find_rrset(cut.answer, rrset.name, rrset.rdclass, rrset.rdtype, create=True)
        found.add(each, rrset.ttl)
    return cut.to_wire(max_size=limit)


def _response(query: Query) -> Query:
    return dns.message.make_response(query, recursion_available=True, our_payload=UDP_BYTES_MAX)


def _add(response: Query, section: list[dns.rrset.RRset], records: tuple[Record, ...], query: Query) -> None:
    """The asked name is given back in the case it was asked in."""
    asked = query.question[0].name
    lower = asked.to_text(omit_final_dot=True).lower()
    for each in records:
        name = asked if each.name == lower else dns.name.from_text(each.name)
        kind = dns.rdatatype.from_text(each.type)
        found = response.find_rrset(section, name, dns.rdataclass.IN, kind, create=True)
        found.add(dns.rdata.from_text(dns.rdataclass.IN, kind, each.data), TTL_S)
