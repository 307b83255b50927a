"""Queries over real sockets on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from cybernetes.base.errors import EdgeError
from cybernetes.base.random import SeededRandom
from cybernetes.dns.answer import Domain
from cybernetes.dns.forward import NameServers, servers_in
from cybernetes.dns.objects import Endpoint, Port, Service, Slice
from cybernetes.dns.resolve import Resolver
from cybernetes.dns.serve import DnsServer
from cybernetes.dns.zone import Zone

HOST = "127.0.0.1"
DOMAIN = Domain("cluster.local", "10.96.0.10", ("10.96.0.0/12",))
NAME = "web.shop.svc.cluster.local"


class FakeUpstream:
    """Answers A queries for anything with 192.0.2.1, unless it is down."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.down = False

    async def ask(self, query: bytes, question_bytes: int, *, udp: bool) -> bytes:
        if self.down:
            raise EdgeError("forward", "query", "down")
        read = dns.message.from_wire(query)
        assert len(read.question[0].name.to_wire() or b"") + 4 == question_bytes
        self.asked.append(read.question[0].name.to_text())
        response = dns.message.make_response(read)
        response.answer.append(dns.rrset.from_text(read.question[0].name, 30, "IN", "A", "192.0.2.1"))
        return response.to_wire()


class Serving:
    def __init__(self) -> None:
        self.zone = Zone()
        self.upstream = FakeUpstream()
        self.resolver = Resolver(self.zone, DOMAIN, self.upstream)
        self.resolver.complete = True
        self.server = DnsServer(self.resolver)
        self.zone.reduce_service("shop/web", None, Service("shop", "web", ("10.96.0.5",), (Port("http", "tcp", 80),)))

    async def ask(self, name: str, kind: str = "A", *, tcp: bool = False, **options: object) -> dns.message.Message:
        query = dns.message.make_query(name, kind, **options)  # type: ignore[arg-type]
        over = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
        return await over(query, HOST, timeout=60, port=self.server.port)


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Serving]:
    made = Serving()
    listening = asyncio.Event()
    task = asyncio.create_task(made.server.run(HOST, 0, listening))
    await asyncio.wait_for(listening.wait(), 60)
    try:
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("tcp", [False, True])
def test_a_service_is_answered_with_authority_and_a_short_life(tcp: bool) -> None:
    async def run() -> None:
        async with serving() as made:
            for _ in range(3):
                response = await made.ask(NAME, tcp=tcp)
                assert response.rcode() == dns.rcode.NOERROR
                assert response.flags & dns.flags.AA
                assert [each.to_text() for each in response.answer] == [f"{NAME}. 5 IN A 10.96.0.5"]

    asyncio.run(run())


def test_names_are_asked_in_any_case_and_given_back_in_that(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving() as made:
            response = await made.ask("WeB.shop.SVC.cluster.local")
            assert response.answer[0].name.to_text() == "WeB.shop.SVC.cluster.local."

    asyncio.run(run())


def test_negative_answers_carry_the_zone_s_authority() -> None:
    async def run() -> None:
        async with serving() as made:
            absent = await made.ask("nowhere.shop.svc.cluster.local")
            assert absent.rcode() == dns.rcode.NXDOMAIN
            assert absent.authority[0].rdtype == dns.rdatatype.SOA
            assert absent.authority[0].ttl == 5
            empty = await made.ask(NAME, "AAAA")
            assert (empty.rcode(), empty.answer) == (dns.rcode.NOERROR, [])
            assert empty.authority[0].name.to_text() == "cluster.local."

    asyncio.run(run())


def test_a_kept_answer_is_given_up_when_the_zone_changes() -> None:
    async def run() -> None:
        async with serving() as made:
            old = made.zone.services["shop/web"]
            assert (await made.ask(NAME)).answer[0][0].to_text() == "10.96.0.5"
            made.zone.reduce_service("shop/web", old, Service("shop", "web", ("10.96.0.6",)))
            assert (await made.ask(NAME)).answer[0][0].to_text() == "10.96.0.6"

    asyncio.run(run())


def test_a_long_answer_is_cut_over_udp_and_whole_over_tcp() -> None:
    async def run() -> None:
        async with serving() as made:
            made.zone.reduce_service("shop/db", None, Service("shop", "db"))
            endpoints = tuple(Endpoint(f"10.244.{n // 250}.{n % 250}") for n in range(300))
            made.zone.reduce_slice("shop/db-1", None, Slice("shop/db", (), endpoints))
            name = "db.shop.svc.cluster.local"
            cut = await made.ask(name, use_edns=0, payload=4096)
            assert cut.flags & dns.flags.TC
            assert 60 < len(cut.answer[0]) < 80
            others = [await made.ask(name, use_edns=0, payload=4096) for _ in range(16)]
            assert {each for response in others for each in response.answer[0]} > set(cut.answer[0])
            assert len((await made.ask(name, tcp=True)).answer[0]) == 300

    asyncio.run(run())


def test_other_names_are_forwarded_and_cluster_names_never() -> None:
    async def run() -> None:
        async with serving() as made:
            response = await made.ask("www.example.com")
            assert response.answer[0][0].to_text() == "192.0.2.1"
            await made.ask("nowhere.cluster.local")
            assert made.upstream.asked == ["www.example.com."]
            made.upstream.down = True
            assert (await made.ask("www.example.com")).rcode() == dns.rcode.SERVFAIL
            assert (await made.ask(NAME)).rcode() == dns.rcode.NOERROR

    asyncio.run(run())


def test_an_alias_out_of_the_cluster_is_followed() -> None:
    async def run() -> None:
        async with serving() as made:
            made.zone.reduce_service("shop/away", None, Service("shop", "away", external="www.example.com"))
            response = await made.ask("away.shop.svc.cluster.local")
            assert [each.to_text() for each in response.answer] == [
                "away.shop.svc.cluster.local. 5 IN CNAME www.example.com.",
                "www.example.com. 30 IN A 192.0.2.1",
            ]

    asyncio.run(run())


def test_before_the_zone_was_read_cluster_names_fail_and_others_work() -> None:
    async def run() -> None:
        async with serving() as made:
            made.resolver.complete = False
            assert (await made.ask("other.shop.svc.cluster.local")).rcode() == dns.rcode.SERVFAIL
            assert (await made.ask("www.example.com")).rcode() == dns.rcode.NOERROR

    asyncio.run(run())


def test_rubbish_is_ignored_and_other_classes_are_refused() -> None:
    async def run() -> None:
        async with serving() as made:
            assert await made.resolver.resolve(b"rubbish", udp=True) is None
            assert (
                await made.resolver.resolve(
                    dns.message.make_response(dns.message.make_query(NAME, "A")).to_wire(), udp=True
                )
                is None
            )
            chaos = dns.message.make_query("version.bind", "TXT", "CH")
            answered = await made.resolver.resolve(chaos.to_wire(), udp=True)
            assert answered is not None
            assert dns.message.from_wire(answered).rcode() == dns.rcode.NOTIMP

    asyncio.run(run())


def test_name_servers_of_resolv_conf_without_circles() -> None:
    text = "# nameserver 1.1.1.1\nnameserver 10.96.0.10\nsearch x\nnameserver 192.0.2.53\nnameserver bad\nnameserver fe80::1%eth0\n"
    assert servers_in(text, ["10.96.0.10"]) == ["192.0.2.53", "fe80::1"]


@pytest.mark.parametrize("udp", [True, False])
def test_forwarding_to_a_real_server(tmp_path: Path, udp: bool) -> None:
    """One server forwards to another, which answers for the cluster."""

    async def run() -> None:
        async with serving() as made:
            resolv_conf = tmp_path / "resolv.conf"
            resolv_conf.write_text(f"nameserver {HOST}\n")
            upstream = NameServers(resolv_conf, (), SeededRandom(1), port=made.server.port)
            query = dns.message.make_query(NAME, "A")
            size = len(query.question[0].name.to_wire() or b"") + 4
            answered = dns.message.from_wire(await upstream.ask(query.to_wire(), size, udp=udp))
            assert answered.id == query.id
            assert answered.answer[0][0].to_text() == "10.96.0.5"
            resolv_conf.unlink()
            with pytest.raises(EdgeError):
                await upstream.ask(query.to_wire(), size, udp=udp)

    asyncio.run(run())
