"""nftables objects as netlink messages: tables, chains, rules, sets. Elements of sets are `native.nft`'s.

source  linux/netfilter/nf_tables.h; comments as nft(8) keeps them in user data
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from cybernetes.proxy.rules import (
    Chain,
    Choose,
    Compare,
    Dispatch,
    Drop,
    Field,
    Find,
    Forget,
    Goto,
    Jump,
    Keep,
    Load,
    Mask,
    Masquerade,
    Part,
    Put,
    Reject,
    Remember,
    Reset,
    Return,
    Rewrite,
    Rule,
    SetKind,
    SetMark,
    SetSpec,
    Step,
    address_words,
)

NFT = 10 << 8
BATCH_BEGIN, BATCH_END = 0x10, 0x11
NEW_TABLE, GET_TABLE, DEL_TABLE = 0, 1, 2
NEW_CHAIN, GET_CHAIN, DEL_CHAIN = 3, 4, 5
NEW_RULE, GET_RULE, DEL_RULE = 6, 7, 8
NEW_SET, GET_SET, DEL_SET = 9, 10, 11
NEW_ELEMENTS, GET_ELEMENTS, DEL_ELEMENTS = 12, 13, 14

REQUEST, ACK, DUMP, CREATE, APPEND = 0x1, 0x4, 0x300, 0x400, 0x800
NESTED = 0x8000
# linux/socket.h: AF_INET, AF_INET6.
FAMILIES = {4: 2, 6: 10}

SET_INTERVAL, SET_MAP, SET_TIMEOUT, SET_EVAL, SET_CONCAT = 0x4, 0x8, 0x10, 0x20, 0x80
_VERDICT_TYPE = 0xFFFFFF00
_HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
_JUMP, _GOTO, _RETURN = -3, -4, -5
# nft's own numbers for what keys are made of, so that it can print them.
_TYPES = {
    Part.ADDRESS: {4: 7, 6: 8},
    Part.PROTOCOL: {4: 12, 6: 12},
    Part.PORT: {4: 13, 6: 13},
    Part.MARK: {4: 19, 6: 19},
    Part.KEPT: {4: 23, 6: 23},
}
_FIRST_REGISTER = 8
# NFT_META_PRIORITY: where numbers are kept.
_PRIORITY = 2
_COMMENT_MAX = 128


def attribute(kind: int, body: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)


def number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack(">I", value & 0xFFFFFFFF))


def text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def nested(kind: int, *parts: bytes) -> bytes:
    return attribute(kind | NESTED, b"".join(parts))


def message(kind: int, flags: int, family: int, body: bytes, sequence: int) -> bytes:
    """family: the kernel's number, FAMILIES."""
    head = struct.pack("=IHHII", 20 + len(body), kind, flags, sequence, 0)
    return head + struct.pack("=BBH", family, 0, 0) + body


def batch_mark(kind: int, sequence: int) -> bytes:
    head = struct.pack("=IHHII", 20, kind, REQUEST, sequence, 0)
    return head + struct.pack("=BB", 0, 0) + struct.pack(">H", NFT >> 8)


class Writer:
    """Collects messages about one table, numbered in order."""

    def __init__(self, family: int, table: str, sequence: int = 1) -> None:
        self.family = family
        self.table = table
        self.sequence = sequence
        self.parts: list[bytes] = []

    def add(self, kind: int, flags: int, body: bytes) -> None:
        # One acknowledgement is enough: the kernel sends it when all is committed.
        asked = 0 if self.parts else ACK
        self.parts.append(message(NFT | kind, REQUEST | asked | flags, FAMILIES[self.family], body, self.sequence))
        self.sequence += 1

    def new_table(self, comment: str) -> None:
        self.add(NEW_TABLE, CREATE, text(1, self.table) + number(2, 0) + attribute(6, _user_data(0, comment)))

    def del_table(self) -> None:
        self.add(DEL_TABLE, 0, text(1, self.table))

    def new_chain(self, chain: Chain) -> None:
        body = text(1, self.table) + text(3, chain.name)
        if chain.hook is not None:
            hook = nested(4, number(1, _HOOKS[chain.hook.hook]), number(2, chain.hook.priority))
            # Policy accept.
            body += hook + number(5, 1) + text(7, chain.hook.type)
        self.add(NEW_CHAIN, CREATE, body)

    def del_chain(self, name: str) -> None:
        self.add(DEL_CHAIN, 0, text(1, self.table) + text(3, name))

    def new_rules(self, chain: Chain) -> None:
        for rule in chain.rules:
            self.add(NEW_RULE, CREATE | APPEND, self._rule(chain.name, rule))

    def flush(self, chain: str = "") -> None:
        """Delete the rules of a chain, or of all chains of the table."""
        self.add(DEL_RULE, 0, text(1, self.table) + (text(2, chain) if chain else b""))

    def _rule(self, chain: str, rule: Rule) -> bytes:
        steps = b"".join(nested(1, expression(step, self.family)) for step in rule.steps)
        body = text(1, self.table) + text(2, chain) + nested(4, steps)
        return body + (attribute(7, _user_data(0, rule.comment)) if rule.comment else b"")

    def new_set(self, spec: SetSpec, set_id: int) -> None:
        self.add(NEW_SET, CREATE, set_body(spec, self.family, self.table, set_id))

    def del_set(self, name: str) -> None:
        self.add(DEL_SET, 0, text(1, self.table) + text(2, name))

    def flush_set(self, name: str) -> None:
        self.add(DEL_ELEMENTS, 0, text(1, self.table) + text(2, name))

    def new_verdicts(self, name: str, entries: Iterable[tuple[bytes, str]]) -> None:
        """Elements of a map of shapes: key -> goto chain."""
        elements = [
            nested(1, nested(1, attribute(1, key)), nested(2, nested(2, number(1, _GOTO), text(2, chain))))
            for key, chain in entries
        ]
        for first in range(0, len(elements), 256):
            body = text(1, self.table) + text(2, name) + nested(3, *elements[first : first + 256])
            self.add(NEW_ELEMENTS, CREATE, body)

    def del_keys(self, name: str, keys: Iterable[bytes]) -> None:
        elements = [nested(1, nested(1, attribute(1, key))) for key in keys]
        for first in range(0, len(elements), 256):
            body = text(1, self.table) + text(2, name) + nested(3, *elements[first : first + 256])
            self.add(DEL_ELEMENTS, 0, body)


def set_flags(spec: SetSpec) -> int:
    match spec.kind:
        case SetKind.MAP | SetKind.VERDICTS:
            return SET_MAP
        case SetKind.RANGES:
            return SET_INTERVAL | SET_CONCAT
        case SetKind.MEMORY:
            return SET_MAP | SET_TIMEOUT | SET_EVAL
        case _:
            return 0


def set_body(spec: SetSpec, family: int, table: str, set_id: int) -> bytes:
    body = text(1, table) + text(2, spec.name) + number(3, set_flags(spec))
    body += number(4, _type_of(spec.key, family)) + number(5, spec.key_bytes(family))
    if spec.kind is SetKind.VERDICTS:
        body += number(6, _VERDICT_TYPE)
    elif spec.data:
        body += number(6, _type_of(spec.data, family)) + number(7, spec.data_bytes(family))
    if spec.kind is SetKind.RANGES:
        fields = [nested(1, number(1, _part_bytes(part, family))) for part in spec.key]
        body += nested(9, nested(2, *fields))
    body += number(10, set_id)
    if spec.timeout_s:
        # Milliseconds, 64 bits.
        body += attribute(11, struct.pack(">Q", spec.timeout_s * 1000))
    return body + attribute(13, _user_data(7, spec.comment))


def _part_bytes(part: Part, family: int) -> int:
    """What a field of a range set counts: bytes without padding."""
    return {Part.ADDRESS: 4 * address_words(family), Part.PROTOCOL: 1, Part.PORT: 2, Part.MARK: 4, Part.KEPT: 4}[part]


def _type_of(parts: tuple[Part, ...], family: int) -> int:
    """nft's number of a concatenation: 6 bits a part."""
    found = 0
    for part in parts:
        found = found << 6 | _TYPES[part][family]
    return found


def _user_data(kind: int, comment: str) -> bytes:
    """One entry: type, length, text with its end mark."""
    body = comment.encode()[:_COMMENT_MAX] + b"\0"
    return bytes((kind, len(body))) + body


def expression(step: Step, family: int) -> bytes:
    """Name and attributes of the kernel's expression for a step."""
    name, body = _expression(step, family)
    return text(1, name) + nested(2, body)


def _expression(step: Step, family: int) -> tuple[str, bytes]:
    match step:
        case Load(field, into):
            return _load(field, _register(into), family)
        case Put(data, into):
            return "immediate", number(1, _register(into)) + nested(2, attribute(1, data))
        case Mask(register, mask, flip):
            at = _register(register)
            sides = nested(4, attribute(1, mask)) + nested(5, attribute(1, flip))
            return "bitwise", number(1, at) + number(2, at) + number(3, len(mask)) + sides
        case Keep(register):
            return "meta", number(2, _PRIORITY) + number(3, _register(register))
        case Compare(register, data, equal):
            return "cmp", number(1, _register(register)) + number(2, int(not equal)) + nested(3, attribute(1, data))
        case Find():
            return _find(step)
        case Dispatch(name, key):
            return "lookup", text(1, name) + number(2, _register(key)) + number(3, 0)
        case Choose(count, into, first):
            body = number(1, _register(into)) + number(2, count) + number(3, 1)
            return "numgen", body + (number(4, first) if first else b"")
        case Remember(name, key, data):
            # Update: add, or refresh the time it expires.
            return "dynset", text(1, name) + number(3, 1) + number(4, _register(key)) + number(5, _register(data))
        case Forget(name, key, data):
            return "dynset", text(1, name) + number(3, 2) + number(4, _register(key)) + number(5, _register(data))
        case SetMark(register):
            return "meta", number(2, 3) + number(3, _register(register))
        case Rewrite(address, port):
            regs = number(3, _register(address)) + number(5, _register(port))
            return "nat", number(1, 1) + number(2, FAMILIES[family]) + regs
        case Masquerade():
            # NF_NAT_RANGE_PROTO_RANDOM_FULLY: source ports that an outsider cannot guess, and fewer collisions.
            return "masq", number(1, 16)
        case Reject():
            # ICMP unreachable, port unreachable.
            return "reject", number(1, 0) + attribute(2, bytes((4 if family == 6 else 3,)))
        case Reset():
            return "reject", number(1, 1)
        case _:
            return "immediate", number(1, 0) + nested(2, nested(2, _verdict(step)))


def _find(step: Find) -> tuple[str, bytes]:
    body = text(1, step.set) + number(2, _register(step.key))
    return "lookup", body + (number(3, _register(step.into)) if step.into is not None else b"")


def _verdict(step: Step) -> bytes:
    match step:
        case Jump(chain):
            return number(1, _JUMP) + text(2, chain)
        case Goto(chain):
            return number(1, _GOTO) + text(2, chain)
        case Return():
            return number(1, _RETURN)
        case Drop():
            return number(1, 0)
        case _:
            raise TypeError(step)


def _register(index: int) -> int:
    return _FIRST_REGISTER + index


def _load(field: Field, register: int, family: int) -> tuple[str, bytes]:
    six = family == 6
    match field:
        case Field.SOURCE:
            return _payload(register, 1, 8 if six else 12, 16 if six else 4)
        case Field.DESTINATION:
            return _payload(register, 1, 24 if six else 16, 16 if six else 4)
        case Field.PORT:
            return _payload(register, 2, 2, 2)
        case Field.PROTOCOL:
            return _meta(register, 16)
        case Field.MARK:
            return _meta(register, 3)
        case Field.KEPT:
            return _meta(register, _PRIORITY)
        case Field.INPUT_INTERFACE:
            return _meta(register, 6)
        case Field.STATE:
            return "ct", number(1, register) + number(2, 0)
        case Field.STATUS:
            return "ct", number(1, register) + number(2, 2)
        case Field.SOURCE_TYPE:
            return _address_type(register, 1)
        case Field.DESTINATION_TYPE:
            return _address_type(register, 2)


def _payload(register: int, base: int, offset: int, size: int) -> tuple[str, bytes]:
    return "payload", number(1, register) + number(2, base) + number(3, offset) + number(4, size)


def _meta(register: int, key: int) -> tuple[str, bytes]:
    return "meta", number(1, register) + number(2, key)


def _address_type(register: int, side: int) -> tuple[str, bytes]:
    return "fib", number(1, register) + number(2, 3) + number(3, side)
