"""Whatever a pod sends, the server goes on."""

from __future__ import annotations

import asyncio

import dns.message
from hypothesis import given, settings
from hypothesis import strategies as st

from cybernetes.base.errors import EdgeError
from cybernetes.dns.answer import Domain
from cybernetes.dns.objects import Endpoint, Port, Service, Slice
from cybernetes.dns.resolve import Resolver
from cybernetes.dns.zone import Zone


class Nobody:
    async def ask(self, query: bytes, question_bytes: int, *, udp: bool) -> bytes:
        raise EdgeError("forward", "query", "nobody")


def resolver() -> Resolver:
    zone = Zone()
    zone.reduce_service("shop/web", None, Service("shop", "web", ("10.96.0.5",), (Port("http", "tcp", 80),)))
    zone.reduce_service("shop/db", None, Service("shop", "db"))
    zone.reduce_slice("shop/db-1", None, Slice("shop/db", (), (Endpoint("10.244.1.7", "db-0"),)))
    zone.reduce_service("shop/away", None, Service("shop", "away", external="www.example.com"))
    made = Resolver(zone, Domain("cluster.local", "10.96.0.10", ("10.96.0.0/12",)), Nobody())
    made.complete = True
    return made


labels = st.sampled_from(
    [b"web", b"shop", b"svc", b"pod", b"cluster", b"local", b"_http", b"_tcp", b"db-0", b"db", b"away"]
)
any_label = st.one_of(labels, st.binary(min_size=1, max_size=20))


@st.composite
def queries(draw: st.DrawFn) -> bytes:
    name = draw(st.lists(any_label, max_size=8)) + draw(
        st.sampled_from([[], [b"cluster", b"local"], [b"in-addr", b"arpa"]])
    )
    wire = b"".join(bytes((len(each),)) + each for each in name) + b"\0"
    kind = draw(st.one_of(st.sampled_from([1, 28, 33, 12, 16, 5, 6, 2, 255, 251, 41, 250]), st.integers(0, 65535)))
    flags = draw(st.sampled_from([0x0100, 0x0000, 0x2800, 0x2100, 0x8180]))
    head = b"\x12\x34" + flags.to_bytes(2, "big") + b"\0\1\0\0\0\0" + draw(st.sampled_from([b"\0\0", b"\0\1"]))
    tail = draw(st.one_of(st.just(b""), st.just(b"\0\0\x29\x10\0\0\0\0\0\0\0"), st.binary(max_size=20)))
    return head + wire + kind.to_bytes(2, "big") + draw(st.sampled_from([b"\0\1", b"\0\3", b"\0\xff"])) + tail


@settings(max_examples=600, deadline=None)
@given(st.one_of(queries(), st.binary(max_size=64)), st.booleans())
def test_any_query_is_answered_or_ignored(data: bytes, udp: bool) -> None:
    answered = asyncio.run(resolver().resolve(data, udp=udp))
    if answered is not None:
        read = dns.message.from_wire(answered)
        assert answered[:2] == data[:2]
        assert len(answered) <= (1232 if udp else 65535)
        assert read.flags & 0x8000
