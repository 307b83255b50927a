"""What the DNS server remembers: answers of others, and its own names over a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import dns.message
import dns.rcode
import dns.rrset
import pytest

from cybernetes.base.errors import EdgeError
from cybernetes.dns import snapshot
from cybernetes.dns.answer import Domain
from cybernetes.dns.forward_cache import KEPT_S, CachingUpstream
from cybernetes.dns.objects import Endpoint, Port, Service, Slice
from cybernetes.dns.resolve import Resolver
from cybernetes.dns.zone import Zone


class _Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


class _NameServer:
    """Answers with records of a zone file's text, or with a failure."""

    def __init__(self, answer: str = "", authority: str = "", code: dns.rcode.Rcode = dns.rcode.NOERROR) -> None:
        self.asked = 0
        self._sections = (answer, authority)
        self._code = code

    async def ask(self, query: bytes, question_bytes: int, *, udp: bool) -> bytes:
        self.asked += 1
        response = dns.message.make_response(dns.message.from_wire(query))
        response.set_rcode(self._code)
        for section, text in zip((response.answer, response.authority), self._sections, strict=True):
            if text:
                name, life, kind, data = text.split(maxsplit=3)
                section.append(dns.rrset.from_text(name, int(life), "IN", kind, data))
        return response.to_wire()


SOA = "example.com. 900 SOA ns.example.com. root.example.com. 1 2 3 4 5"


def _ask(upstream: CachingUpstream, name: str = "www.example.com.") -> dns.message.Message:
    query = dns.message.make_query(name, "A")
    wire = asyncio.run(upstream.ask(query.to_wire(), len(query.question[0].name.to_wire() or b"") + 4, udp=True))
    answer = dns.message.from_wire(wire)
    assert answer.id == query.id
    return answer


def test_an_answer_is_repeated_while_it_lives_and_ages() -> None:
    clock, server = _Clock(), _NameServer("www.example.com. 20 A 192.0.2.1")
    upstream = CachingUpstream(server, clock)
    assert [each.ttl for each in _ask(upstream).answer] == [20]
    clock.at += 8
    assert [each.ttl for each in _ask(upstream).answer] == [12]
    assert server.asked == 1
    clock.at += 12
    assert [each.ttl for each in _ask(upstream).answer] == [20]
    assert server.asked == 2


def test_long_lives_are_cut() -> None:
    clock, server = _Clock(), _NameServer("www.example.com. 86400 A 192.0.2.1")
    upstream = CachingUpstream(server, clock)
    _ask(upstream)
    clock.at += KEPT_S
    _ask(upstream)
    assert server.asked == 2


@pytest.mark.parametrize(
    ("server", "asked"),
    [
        (_NameServer(authority=SOA, code=dns.rcode.NXDOMAIN), 1),
        (_NameServer(authority=SOA), 1),
        (_NameServer(code=dns.rcode.NXDOMAIN), 2),
        (_NameServer(code=dns.rcode.SERVFAIL), 2),
        (_NameServer("www.example.com. 0 A 192.0.2.1"), 2),
    ],
    ids=["no name", "no such record", "no soa", "failure", "no life"],
)
def test_what_may_be_repeated(server: _NameServer, asked: int) -> None:
    clock = _Clock()
    upstream = CachingUpstream(server, clock)
    _ask(upstream)
    clock.at += 4
    _ask(upstream)
    assert server.asked == asked
    clock.at += 2
    _ask(upstream)
    assert server.asked == asked + 1


def test_another_question_is_asked() -> None:
    server = _NameServer("www.example.com. 20 A 192.0.2.1")
    upstream = CachingUpstream(server, _Clock())
    _ask(upstream)
    _ask(upstream, "ftp.example.com.")
    assert server.asked == 2


def test_a_failure_to_ask_is_not_kept() -> None:
    class _Nobody:
        async def ask(self, query: bytes, question_bytes: int, *, udp: bool) -> bytes:
            raise EdgeError("forward", "query", "nobody")

    with pytest.raises(EdgeError):
        _ask(CachingUpstream(_Nobody(), _Clock()))


def test_names_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "dns" / "names.json"
    assert snapshot.read(path) is None
    web = Service("shop", "web", ("10.96.0.5",), (Port("http", "tcp", 80),))
    pods = Slice("shop/web", (Port("http", "tcp", 8080),), (Endpoint("10.244.0.1", "one"),))
    snapshot.write(path, snapshot.Snapshot({"shop/web": web}, {"shop/web-abc": pods}))
    found = snapshot.read(path)
    assert found is not None
    zone = found.zone()
    assert zone.services == {"shop/web": web} and zone.at("10.244.0.1") == ["shop/web"]
    path.write_bytes(b'{"version": 99}')
    assert snapshot.read(path) is None
    path.write_bytes(b"half a fi")
    assert snapshot.read(path) is None


def test_a_resolver_answers_from_memory_until_it_knows_better() -> None:
    def address(resolver: Resolver) -> tuple[int, list[str]]:
        query = dns.message.make_query("web.shop.svc.cluster.local.", "A").to_wire()
        data = asyncio.run(resolver.resolve(query, udp=True))
        assert data is not None
        answer = dns.message.from_wire(data)
        return answer.rcode(), [record.address for each in answer.answer for record in each]

    remembered, live = Zone(), Zone()
    remembered.reduce_service("shop/web", None, Service("shop", "web", ("10.96.0.5",)))
    resolver = Resolver(live, Domain("cluster.local", "10.96.0.10", ()), CachingUpstream(_NameServer(), _Clock()))
    assert address(resolver) == (dns.rcode.SERVFAIL, [])
    resolver.answer_from(remembered)
    assert address(resolver) == (dns.rcode.NOERROR, ["10.96.0.5"])
    live.reduce_service("shop/web", None, Service("shop", "web", ("10.96.0.6",)))
    resolver.answer_from(live)
    assert address(resolver) == (dns.rcode.NOERROR, ["10.96.0.6"])
