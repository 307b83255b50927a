"""Reads our own table back, so that a restarted proxy repairs differences instead of building everything again."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator

from cybernetes.proxy.frame import Frame, Settings
from cybernetes.proxy.packets.api import Installed
from cybernetes.proxy.packets.messages import GET_CHAIN, GET_ELEMENTS, GET_SET, NFT, set_flags, text
from cybernetes.proxy.packets.netlink import Netlink, attributes
from cybernetes.proxy.rules import (
    DROP_VERDICT,
    REJECT_VERDICT,
    SETS,
    SHAPE_MAPS,
    Part,
    SetKind,
    SetSpec,
    affinity_memory,
)

_HOOKS = {0: "prerouting", 1: "input", 2: "forward", 3: "output", 4: "postrouting"}
# What the kernel says of a verdict's length.
_VERDICT_BYTES = 16
_MEMORY_PREFIX = "affinity-"
_SHAPES = SetSpec("", SetKind.VERDICTS, (Part.KEPT,))
# Netlink speaks in the byte order of the machine.
_ORDER = sys.byteorder


def read_installed(netlink: Netlink, family: int, table: str) -> Installed | None:
    """None when the table is missing, or its sets or base chains are not those that this program makes."""
    sets = _sets(netlink, family, table)
    chains = _chains(netlink, family, table)
    memories = {int(name.removeprefix(_MEMORY_PREFIX)) for name in sets if _is_memory(name)}
    if not _sets_match(sets, memories, family) or not _hooks_match(chains, family):
        return None
    rows: set[bytes] = set()
    for index, spec in enumerate(SETS):
        rows.update(_rows(netlink, family, table, index, spec))
    shapes = frozenset(_shapes(netlink, family, table))
    return Installed(frozenset(rows), frozenset(chains), frozenset(memories), shapes)


def read_chains(netlink: Netlink, family: int, table: str) -> frozenset[str]:
    """Names of the table's chains."""
    return frozenset(_chains(netlink, family, table))


def _is_memory(name: str) -> bool:
    return name.startswith(_MEMORY_PREFIX) and name.removeprefix(_MEMORY_PREFIX).isdigit()


def _sets(netlink: Netlink, family: int, table: str) -> dict[str, tuple[int, int, int, int]]:
    """Name -> flags, key length, data length, timeout in seconds."""
    found: dict[str, tuple[int, int, int, int]] = {}
    for _, body in netlink.dump(NFT | GET_SET, family, text(1, table), f"sets of {table}"):
        each = attributes(body)
        if _text(each[1]) == table:
            timeout_ms = struct.unpack(">Q", each[11])[0] if 11 in each else 0
            found[_text(each[2])] = (_int(each, 3), _int(each, 5), _int(each, 7), timeout_ms // 1000)
    return found


def _chains(netlink: Netlink, family: int, table: str) -> dict[str, tuple[str, str, int] | None]:
    """Name -> type, hook and priority, or None for a chain without."""
    found: dict[str, tuple[str, str, int] | None] = {}
    for _, body in netlink.dump(NFT | GET_CHAIN, family, text(1, table), f"chains of {table}"):
        each = attributes(body)
        if _text(each[1]) != table:
            continue
        hook = None
        if 4 in each:
            place = attributes(each[4])
            hook = (_text(each[7]), _HOOKS[_int(place, 1)], struct.unpack(">i", place[2])[0])
        found[_text(each[3])] = hook
    return found


def _sets_match(sets: dict[str, tuple[int, int, int, int]], memories: set[int], family: int) -> bool:
    specs = [*SETS, *(affinity_memory(timeout_s) for timeout_s in memories)]
    expected = {spec.name: _shape_of(spec, family) for spec in specs}
    marks = _shape_of(_SHAPES, family)
    expected.update((name, marks) for name in SHAPE_MAPS)
    return sets == expected


def _shape_of(spec: SetSpec, family: int) -> tuple[int, int, int, int]:
    data = _VERDICT_BYTES if spec.kind is SetKind.VERDICTS else spec.data_bytes(family)
    return set_flags(spec), spec.key_bytes(family), data, spec.timeout_s


def _hooks_match(chains: dict[str, tuple[str, str, int] | None], family: int) -> bool:
    expected = {
        chain.name: (chain.hook.type, chain.hook.hook, chain.hook.priority)
        for chain in Frame(family, Settings()).chains()
        if chain.hook is not None
    }
    return {name: hook for name, hook in chains.items() if hook is not None} == expected


def _rows(netlink: Netlink, family: int, table: str, index: int, spec: SetSpec) -> Iterator[bytes]:
    tag = bytes((index,))
    answers = netlink.dump(NFT | GET_ELEMENTS, family, text(1, table) + text(2, spec.name), f"set {spec.name}")
    for _, body in answers:
        elements = attributes(body).get(3, b"")
        yield from _elements(elements, tag, spec, family)


def _shapes(netlink: Netlink, family: int, table: str) -> Iterator[tuple[str, bytes]]:
    for name in SHAPE_MAPS:
        for _, body in netlink.dump(NFT | GET_ELEMENTS, family, text(1, table) + text(2, name), f"map {name}"):
            for row in _elements(attributes(body).get(3, b""), b"", _SHAPES, family):
                yield name, row[: _SHAPES.key_bytes(family)]


def _elements(elements: bytes, tag: bytes, spec: SetSpec, family: int) -> Iterator[bytes]:
    """Elements without extras have a fixed length and are cut by position, which is ten times faster than parsing."""
    key = spec.key_bytes(family)
    data = spec.data_bytes(family)
    plain = 12 + key + (8 + data if data else 0)
    fixed = spec.kind in (SetKind.SET, SetKind.MAP)
    at = 0
    while at + 4 <= len(elements):
        size = int.from_bytes(elements[at : at + 2], _ORDER)
        if fixed and size == plain:
            found = elements[at + 12 : at + 12 + key]
            yield tag + found + elements[at + 20 + key : at + 20 + key + data] if data else tag + found
        else:
            yield tag + _parsed(attributes(elements[at + 4 : at + size]), spec)
        at += size + -size % 4


def _parsed(element: dict[int, bytes], spec: SetSpec) -> bytes:
    row = attributes(element[1])[1]
    match spec.kind:
        case SetKind.MAP:
            return row + attributes(element[2])[1]
        case SetKind.RANGES:
            return row + (attributes(element[10])[1] if 10 in element else row)
        case SetKind.VERDICTS:
            code = _int(attributes(attributes(element[2])[2]), 1)
            return row + (DROP_VERDICT if code == 0 else REJECT_VERDICT)
        case _:
            return row


def _text(body: bytes) -> str:
    return body.rstrip(b"\0").decode()


def _int(found: dict[int, bytes], kind: int) -> int:
    return int.from_bytes(found[kind], "big") if kind in found else 0
