"""The primitives of the wire format."""

from __future__ import annotations

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_MASK64 = 2**64 - 1


class ProtobufProblem(ValueError):
    """The bytes are no message of the expected type."""


def varint(number: int) -> bytes:
    """Negative numbers take ten bytes, as int32 and int64 do."""
    if 0 <= number < 0x80:
        return _SMALL[number]
    number &= _MASK64
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_SMALL = tuple(bytes([i]) for i in range(0x80))


def tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def framed(content: bytes) -> bytes:
    """Length and content."""
    return varint(len(content)) + content


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """(number, next position).

    raises  ProtobufProblem
    """
    number = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ProtobufProblem("proto: unexpected EOF" if at >= len(data) else "proto: integer overflow")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & _MASK64, at
        shift += 7


def signed(number: int) -> int:
    """A 64-bit varint as the integer that it stands for."""
    return number - 2**64 if number >= 2**63 else number


def skip(data: bytes, at: int, wire_type: int) -> int:
    """The position behind a field of unknown meaning."""
    if wire_type == VARINT:
        return read_varint(data, at)[1]
    if wire_type == LENGTH:
        size, at = read_varint(data, at)
        at += size
    elif wire_type in (FIXED64, FIXED32):
        at += 8 if wire_type == FIXED64 else 4
    else:
        raise ProtobufProblem(f"proto: illegal wireType {wire_type}")
    if at > len(data):
        raise ProtobufProblem("proto: unexpected EOF")
    return at
