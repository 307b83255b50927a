"""Netlink messages that add or delete elements of nftables sets; `cybernetes/native/nft.py` is its plain twin.

One crossing a batch: Python gives names, sizes and one block of rows; the loop over rows runs without the GIL.
Sizes fit: a message is at most LIST_BYTES_MAX + one element + names, far below 2^31; totals are Py_ssize_t.
"""

import sys

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

SET, MAP, VERDICTS, RANGES = 0, 1, 2, 3
NEW_ELEMENTS, DELETE_ELEMENTS = 12, 14
LIST_BYTES_MAX = 60000

cdef enum:
    _MAP = 1
    _VERDICTS = 2
    _RANGES = 3
    _NEW = 12
    _LIST_MAX = 60000
    _SUBSYSTEM = 10
    _REQUEST = 1
    _CREATE = 0x400
    _NESTED = 0x8000
    # Message head and family head.
    _HEAD = 20
    # Heads of element, key, value, data, verdict, code with its value.
    _ELEMENT_EXTRA = 32


cdef struct Run:
    int message
    int kind
    int family
    Py_ssize_t count
    Py_ssize_t key_bytes
    Py_ssize_t row_bytes
    const uint8_t* head
    Py_ssize_t head_bytes
    const uint8_t* verdict
    Py_ssize_t verdict_bytes
    uint32_t sequence


cdef inline void _put(uint8_t* at, uint16_t length, uint16_t kind) noexcept nogil:
    memcpy(at, &length, 2)
    memcpy(at + 2, &kind, 2)


cdef inline uint8_t* _nested_value(uint8_t* at, int kind, const uint8_t* value, Py_ssize_t size) noexcept nogil:
    """An attribute that holds one value attribute; sizes are multiples of 4."""
    _put(at, <uint16_t>(8 + size), <uint16_t>(kind | _NESTED))
    _put(at + 4, <uint16_t>(4 + size), 1)
    memcpy(at + 8, value, size)
    return at + 8 + size


cdef inline uint8_t* _verdict(uint8_t* at, Run* run, bint reject) noexcept nogil:
    cdef uint16_t body = 8
    cdef uint8_t* code = at + 12
    if reject:
        body = <uint16_t>(8 + run.verdict_bytes)
    _put(at, 8 + body, 2 | _NESTED)
    _put(at + 4, 4 + body, 2 | _NESTED)
    _put(at + 8, 8, 1)
    memset(code, 0, 4)
    if reject:
        # -4, network order: NFT_GOTO.
        memset(code, 0xFF, 3)
        code[3] = 0xFC
        memcpy(code + 4, run.verdict, run.verdict_bytes)
    return code + body - 4


cdef inline uint8_t* _element(uint8_t* at, Run* run, const uint8_t* row) noexcept nogil:
    cdef uint8_t* end = _nested_value(at + 4, 1, row, run.key_bytes)
    if run.kind == _RANGES:
        end = _nested_value(end, 10, row + run.key_bytes, run.key_bytes)
    elif run.kind == _MAP and run.message == _NEW:
        end = _nested_value(end, 2, row + run.key_bytes, run.row_bytes - run.key_bytes)
    elif run.kind == _VERDICTS and run.message == _NEW:
        end = _verdict(end, run, row[run.key_bytes] != 0)
    _put(at, <uint16_t>(end - at), 1 | _NESTED)
    return end


cdef uint8_t* _messages(uint8_t* out, Run* run, const uint8_t* rows) noexcept nogil:
    cdef Py_ssize_t done = 0
    cdef uint8_t* start
    cdef uint8_t* elements
    cdef uint32_t length
    cdef uint32_t zero = 0
    cdef uint16_t kind = <uint16_t>(_SUBSYSTEM << 8 | run.message)
    cdef uint16_t flags = _REQUEST
    if run.message == _NEW:
        flags |= _CREATE
    while done < run.count:
        start = out
        memcpy(start + _HEAD, run.head, run.head_bytes)
        elements = start + _HEAD + run.head_bytes
        out = elements + 4
        while done < run.count and out - elements - 4 < _LIST_MAX:
            out = _element(out, run, rows)
            rows += run.row_bytes
            done += 1
        _put(elements, <uint16_t>(out - elements), 3 | _NESTED)
        length = <uint32_t>(out - start)
        memcpy(start, &length, 4)
        memcpy(start + 4, &kind, 2)
        memcpy(start + 6, &flags, 2)
        memcpy(start + 8, &run.sequence, 4)
        memcpy(start + 12, &zero, 4)
        memcpy(start + 16, &zero, 4)
        start[16] = <uint8_t>run.family
        run.sequence += 1
    return out


def _attribute(kind, body):
    size = 4 + len(body)
    return size.to_bytes(2, sys.byteorder) + kind.to_bytes(2, sys.byteorder) + body + bytes(-len(body) & 3)


def _row_bytes(kind, key_bytes, data_bytes):
    if kind == 2:
        return key_bytes + 1
    return 2 * key_bytes if kind == 3 else key_bytes + data_bytes


def encode(family, table, layout, runs, rows, reject_chain, sequence):
    heads = [_attribute(1, table + b"\0") + _attribute(2, each[0] + b"\0") for each in layout]
    chain = _attribute(2, reject_chain + b"\0")
    needed, given = 0, 0
    for message, index, count in runs:
        name, kind, key_bytes, data_bytes = layout[index]
        row_bytes = _row_bytes(kind, key_bytes, data_bytes)
        given += row_bytes * count
        # Every element may open a message of its own in the worst case of one row; else lists are nearly full.
        per_row = row_bytes + key_bytes + _ELEMENT_EXTRA + len(chain)
        needed += count * per_row + (count * per_row // _LIST_MAX + 1) * (_HEAD + len(heads[index]) + 4)
    if given != len(rows):
        raise ValueError(f"runs speak of {given} bytes of rows, there are {len(rows)}")
    cdef bytes block = rows
    cdef bytearray buffer = bytearray(needed)
    cdef uint8_t* start = <uint8_t*><char*>buffer
    cdef uint8_t* out = start
    cdef const uint8_t* at = <const uint8_t*>PyBytes_AS_STRING(block)
    cdef bytes head
    cdef bytes verdict = chain
    cdef Run run
    run.family = family
    run.sequence = sequence & 0xFFFFFFFF
    run.verdict = <const uint8_t*>PyBytes_AS_STRING(verdict)
    run.verdict_bytes = len(verdict)
    for message, index, count in runs:
        name, kind, key_bytes, data_bytes = layout[index]
        head = heads[index]
        run.message, run.kind, run.count = message, kind, count
        run.key_bytes, run.row_bytes = key_bytes, _row_bytes(kind, key_bytes, data_bytes)
        run.head = <const uint8_t*>PyBytes_AS_STRING(head)
        run.head_bytes = len(head)
        with nogil:
            out = _messages(out, &run, at)
        at += run.row_bytes * run.count
    return PyBytes_FromStringAndSize(<char*>start, out - start)
