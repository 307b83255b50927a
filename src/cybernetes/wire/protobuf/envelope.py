"""The envelope around every message: four magic bytes and runtime.Unknown, and frames of watches."""

from __future__ import annotations

import msgspec

from cybernetes.wire.protobuf.varint import LENGTH, ProtobufProblem, framed, read_varint, skip, tag

MAGIC = b"k8s\x00"
_TYPE_META, _RAW = tag(1, LENGTH), tag(2, LENGTH)
# Upstream writes contentEncoding and contentType although they are empty.
_EMPTY_TAIL = tag(3, LENGTH) + b"\x00" + tag(4, LENGTH) + b"\x00"


class Envelope(msgspec.Struct, frozen=True):
    api_version: str
    kind: str
    raw: bytes


def open_envelope(body: bytes) -> Envelope:
    """What an enveloped message says of itself, and its content.

    raises  ProtobufProblem
    """
    if not body.startswith(MAGIC):
        shown = " ".join(str(byte) for byte in MAGIC)
        raise ProtobufProblem(f"provided data does not appear to be a protobuf message, expected prefix [{shown}]")
    fields = _strings(body, len(MAGIC))
    meta = _strings(fields.get(1, b""), 0)
    try:
        return Envelope(meta.get(1, b"").decode(), meta.get(2, b"").decode(), fields.get(2, b""))
    except UnicodeDecodeError as error:
        raise ProtobufProblem(f"the type of the message is no text: {error}") from error


def _strings(data: bytes, at: int) -> dict[int, bytes]:
    """The length-delimited fields of a message, by number."""
    found: dict[int, bytes] = {}
    while at < len(data):
        key, at = read_varint(data, at)
        end = skip(data, at, key & 7)
        if key & 7 == LENGTH:
            size, start = read_varint(data, at)
            found[key >> 3] = data[start : start + size]
        at = end
    return found


def seal(api_version: str, kind: str, raw: bytes) -> bytes:
    """The message as a client gets it."""
    meta = tag(1, LENGTH) + framed(api_version.encode()) + tag(2, LENGTH) + framed(kind.encode())
    return b"".join((MAGIC, _TYPE_META, framed(meta), _RAW, framed(raw), _EMPTY_TAIL))


def watch_frame(event_type: str, sealed: bytes) -> bytes:
    """One event of a watch: length and WatchEvent, whose object is a whole sealed message."""
    event = tag(1, LENGTH) + framed(event_type.encode()) + tag(2, LENGTH) + framed(tag(1, LENGTH) + framed(sealed))
    return len(event).to_bytes(4, "big") + event
