"""SPDY and WebSocket framing: what one end sends, the other understands, however the bytes are cut."""

from __future__ import annotations

import hashlib
import zlib

import pytest

from cybernetes.wire.stream import channels, websocket
from cybernetes.wire.stream.channels import Channelled
from cybernetes.wire.stream.spdy import DICTIONARY, Accepted, Data, Opened, Reset, Spdy, SpdyError
from cybernetes.wire.stream.websocket import Closed, Message, WebSocket, WebSocketError


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def test_the_header_dictionary_is_the_published_one() -> None:
    assert len(DICTIONARY) == 1423
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2
    assert hashlib.sha256(DICTIONARY).hexdigest() == "51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02"


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_streams_open_carry_data_and_end(size: int) -> None:
    client, server = Spdy(client=True), Spdy(client=False)
    first = client.open({"streamtype": "error"}, fin=True)
    second = client.open({"StreamType": "data", "port": "80"})
    client.send(second, b"hello")
    client.send(second, b"", fin=True)
    events = [event for part in _cut(client.outgoing(), size) for event in server.receive(part)]
    assert (first, second) == (1, 3)
    assert events == [
        Opened(1, {"streamtype": "error"}, True),
        Opened(3, {"streamtype": "data", "port": "80"}, False),
        Data(3, b"hello", False),
        Data(3, b"", True),
    ]
    server.accept(3)
    server.reset(1)
    assert list(client.receive(server.outgoing())) == [Accepted(3), Reset(1, 5)]


def test_a_ping_is_answered_with_its_number() -> None:
    server = Spdy(client=False)
    ping = b"\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01"
    assert list(server.receive(ping)) == []
    assert server.outgoing() == ping


def test_broken_frames_are_refused() -> None:
    with pytest.raises(SpdyError):
        list(Spdy(client=False).receive(b"\x80\x02\x00\x01\x00\x00\x00\x00"))
    with pytest.raises(SpdyError):
        list(Spdy(client=False).receive(b"\x00\x00\x00\x01\x00\xff\xff\xff"))
    with pytest.raises(SpdyError):
        list(Spdy(client=False).receive(b"\x80\x03\x00\x01\x00\x00\x00\x0c" + b"\0" * 12))


@pytest.mark.parametrize("size", [1, 100, 1 << 20])
@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536, 70001])
def test_messages_of_all_lengths_arrive(length: int, size: int) -> None:
    client, server = WebSocket(client=True, mask=b"\x01\x02\x03\x04"), WebSocket(client=False)
    data = bytes(each % 251 for each in range(length))
    client.send(data)
    cuts = _cut(client.outgoing(), size)
    assert [event for part in cuts for event in server.receive(part)] == [Message(data, False)]
    server.send(data, text=True)
    assert list(client.receive(server.outgoing())) == [Message(data, True)]


def test_pings_and_closes_are_answered() -> None:
    client, server = WebSocket(client=True), WebSocket(client=False)
    client.ping()
    client.close()
    assert list(server.receive(client.outgoing())) == [Closed(1000)]
    assert server.outgoing() == b"\x8a\x00\x88\x02\x03\xe8"


def test_unmasked_and_oversized_frames_are_refused() -> None:
    with pytest.raises(WebSocketError):
        list(WebSocket(client=False).receive(b"\x82\x01a"))
    with pytest.raises(WebSocketError) as failed:
        list(WebSocket(client=False).receive(b"\x82\xff" + (1 << 30).to_bytes(8, "big")))
    assert failed.value.code == websocket.TOO_BIG


def test_the_accept_key_is_that_of_the_rfc() -> None:
    assert websocket.accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_channels_of_every_protocol() -> None:
    assert channels.decode(channels.V5, Message(b"\xff\x00", False)) == Channelled(0, b"", closes=True)
    assert channels.decode(channels.V4, Message(b"\xff\x00", False)) == Channelled(255, b"\0")
    assert channels.decode(channels.V4_BASE64, Message(b"0aGk=", True)) == Channelled(0, b"hi")
    assert channels.encode(channels.V4, 1, b"hi") == (b"\x01hi", False)
    assert channels.encode(channels.V1_BASE64, 2, b"hi") == (b"2aGk=", True)
    assert channels.choose(["other", channels.V4]) == channels.V4
    assert channels.choose([]) == channels.V1
    assert channels.choose(["other"]) is None
    with pytest.raises(channels.ChannelError):
        channels.decode(channels.V4, Message(b"", False))
