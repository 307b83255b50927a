"""Netlink messages that add or delete elements of nftables sets: the plain form of `cybernetes_native/nft.pyx`.

source  linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

SET, MAP, VERDICTS, RANGES = 0, 1, 2, 3
NEW_ELEMENTS, DELETE_ELEMENTS = 12, 14

# An attribute's length has 16 bits; the list of elements is one attribute.
LIST_BYTES_MAX = 60000

_SUBSYSTEM = 10
_REQUEST, _CREATE = 1, 0x400
_NESTED = 0x8000
_GOTO = -4


def encode(
    family: int,
    table: bytes,
    layout: Sequence[tuple[bytes, int, int, int]],
    runs: Sequence[tuple[int, int, int]],
    rows: bytes,
    reject_chain: bytes,
    sequence: int,
) -> bytes:
    """Messages for all runs, in order, none longer than LIST_BYTES_MAX and its head.

    family    2 for IPv4, 10 for IPv6
    layout    for each set: name, SET, MAP, VERDICTS or RANGES, bytes of the key, bytes of the data
    runs      (NEW_ELEMENTS or DELETE_ELEMENTS, index of the set, number of rows)
    rows      those of all runs, end to end: the key, then the data (MAP), the last key (RANGES) or one byte
              (VERDICTS: 0 drop, else goto `reject_chain`); sizes are multiples of 4 but for that byte
    sequence  of the first message; each next one has the next number
    returns   whole messages, aligned to 4 bytes
    """
    out = bytearray()
    at = 0
    for message, index, count in runs:
        name, kind, key_bytes, data_bytes = layout[index]
        row_bytes = _row_bytes(kind, key_bytes, data_bytes)
        head = _attribute(1, table + b"\0") + _attribute(2, name + b"\0")
        done = 0
        while done < count:
            elements = bytearray()
            while done < count and len(elements) < LIST_BYTES_MAX:
                row = rows[at : at + row_bytes]
                elements += _element(kind, row, key_bytes, message == NEW_ELEMENTS, reject_chain)
                at += row_bytes
                done += 1
            body = head + _attribute(3 | _NESTED, bytes(elements))
            flags = _REQUEST | (_CREATE if message == NEW_ELEMENTS else 0)
            kind_of_message = _SUBSYSTEM << 8 | message
            out += struct.pack("=IHHII", 20 + len(body), kind_of_message, flags, sequence & 0xFFFFFFFF, 0)
            out += struct.pack("=BBH", family, 0, 0) + body
            sequence += 1
    return bytes(out)


def _row_bytes(kind: int, key_bytes: int, data_bytes: int) -> int:
    if kind == VERDICTS:
        return key_bytes + 1
    return 2 * key_bytes if kind == RANGES else key_bytes + data_bytes


def _element(kind: int, row: bytes, key_bytes: int, new: bool, reject_chain: bytes) -> bytes:
    body = _attribute(1 | _NESTED, _attribute(1, row[:key_bytes]))
    if kind == RANGES:
        body += _attribute(10 | _NESTED, _attribute(1, row[key_bytes:]))
    elif kind == MAP and new:
        body += _attribute(2 | _NESTED, _attribute(1, row[key_bytes:]))
    elif kind == VERDICTS and new:
        body += _attribute(2 | _NESTED, _attribute(2 | _NESTED, _verdict(row[key_bytes], reject_chain)))
    return _attribute(1 | _NESTED, body)


def _verdict(code: int, reject_chain: bytes) -> bytes:
    if code == 0:
        return _attribute(1, struct.pack(">i", 0))
    return _attribute(1, struct.pack(">i", _GOTO)) + _attribute(2, reject_chain + b"\0")


def _attribute(kind: int, body: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)
