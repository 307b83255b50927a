"""Objects to messages: one compiled closure per struct."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import orjson

from cybernetes.wire.protobuf.varint import FIXED64, LENGTH, VARINT, framed, tag, varint

Write = Callable[[Any], bytes]
_compiled: dict[str, Write] = {}


def encode(node: Any, obj: dict[str, Any]) -> bytes:
    """The message of an object (without envelope). Fields without a number are left out.

    node  the struct of its kind; obj in canonical form
    """
    return _message(node)(obj)


def encode_list(metadata_node: Any, metadata: dict[str, Any], items: Iterable[bytes]) -> bytes:
    """A list of already encoded items: every XList has its metadata as 1 and its items as 2."""
    head = tag(1, LENGTH) + framed(encode(metadata_node, metadata))
    mark = tag(2, LENGTH)
    parts = [head]
    for each in items:
        parts += (mark, varint(len(each)), each)
    return b"".join(parts)


def _message(node: Any) -> Write:
    """The writer of a struct's content, compiled once per definition."""
    found = _compiled.get(node.name)
    if found is None:
        # The steps are made on first use: a definition may contain itself.
        found = _compiled[node.name] = _lazily(node)
    return found


def _lazily(node: Any) -> Write:
    plan: list[tuple[str, Write]] = []
    embedded: list[tuple[bytes, tuple[tuple[str, Write], ...]]] = []

    def write(obj: Any) -> bytes:
        if not plan and not embedded:
            _plan(node, plan, embedded)
        parts = []
        for name, step in plan:
            if name in obj:
                value = obj[name]
                if value is not None:
                    parts.append(step(value))
        for mark, steps in embedded:
            inner = b"".join(step(obj[name]) for name, step in steps if obj.get(name) is not None)
            if inner:
                parts += (mark, framed(inner))
        return b"".join(parts)

    return write


def _plan(
    node: Any, plan: list[tuple[str, Write]], embedded: list[tuple[bytes, tuple[tuple[str, Write], ...]]]
) -> None:
    """Fields of the message itself, and of the messages that Go embeds, each by its outer number."""
    nested: dict[int, list[tuple[str, Write]]] = {}
    for field in node.fields.values():
        if len(field.wire) == 1:
            plan.append((field.name, _field(field.wire[0], field.node)))
        elif field.wire:
            nested.setdefault(field.wire[0], []).append((field.name, _nested(field.wire[1:], field.node)))
    for number, steps in nested.items():
        embedded.append((tag(number, LENGTH), tuple(steps)))


def _nested(path: tuple[int, ...], node: Any) -> Write:
    """A field some messages deep. Decoders merge messages that come in several pieces."""
    inner = _field(path[-1], node)
    for number in reversed(path[:-1]):
        inner = _wrapped(tag(number, LENGTH), inner)
    return inner


def _wrapped(mark: bytes, inner: Write) -> Write:
    return lambda value: mark + framed(inner(value))


def _field(number: int, node: Any) -> Write:
    """The writer of a whole field, tag included."""
    if node.type == "list":
        one = _field(number, node.item)
        return lambda values: b"".join([one(each) for each in values])
    if node.type == "map":
        return _map(number, node.value)
    if node.type in ("bool", "int32", "int64"):
        mark = tag(number, VARINT)
        return lambda value: mark + varint(value)
    if node.type == "double":
        mark = tag(number, FIXED64)
        return lambda value: mark + struct.pack("<d", value)
    mark = tag(number, LENGTH)
    content = _content(node)

    def write(value: Any) -> bytes:
        inner = content(value)
        return mark + varint(len(inner)) + inner

    return write


def _map(number: int, value: Any) -> Write:
    mark = tag(number, LENGTH)
    key = _field(1, _STRING)
    # A list inside of a map is a message of its own, with the list as field 1.
    inner = _wrapped(tag(2, LENGTH), _field(1, value)) if value.type == "list" else _field(2, value)

    def write(values: Any) -> bytes:
        parts = []
        for name in sorted(values):
            each = values[name]
            parts.append(mark + framed(key(name) + (b"" if each is None else inner(each))))
        return b"".join(parts)

    return write


def _content(node: Any) -> Write:
    if node.type == "struct":
        return _message(node)
    if node.type == "union":
        return _union(node)
    return _CONTENTS[node.type]


def _union(node: Any) -> Write:
    """Schema or list, schema or bool: the members' numbers are fixed by upstream."""
    kinds = {"struct": dict, "list": list, "bool": bool}
    has_bool = any(each.type == "bool" for each in node.members)
    numbers = {"bool": 1, "struct": 2} if has_bool else {"struct": 1, "list": 2}
    writers = {kinds[each.type]: _field(numbers[each.type], each) for each in node.members}

    def write(value: Any) -> bytes:
        inner = writers[type(value)](value)
        # `allows` is written beside a schema too: it is true there.
        return tag(1, VARINT) + b"\x01" + inner if has_bool and type(value) is dict else inner

    return write


class _String:
    type = "string"


_STRING = _String()
_ONE, _TWO, _THREE = tag(1, LENGTH), tag(2, VARINT), tag(3, LENGTH)
_ONE_VARINT = tag(1, VARINT)


def _quantity(text: str) -> bytes:
    return _ONE + framed(text.encode())


def _int_or_string(value: Any) -> bytes:
    if isinstance(value, str):
        return _ONE_VARINT + b"\x01" + _TWO + b"\x00" + _THREE + framed(value.encode())
    return _ONE_VARINT + b"\x00" + _TWO + varint(value) + _THREE + b"\x00"


def _time(text: str) -> bytes:
    seconds = int(datetime.fromisoformat(text).timestamp())
    return _ONE_VARINT + varint(seconds) + _TWO + b"\x00"


def _micro_time(text: str) -> bytes:
    moment = datetime.fromisoformat(text)
    seconds = int(moment.replace(microsecond=0).timestamp())
    return _ONE_VARINT + varint(seconds) + _TWO + varint(moment.microsecond * 1000)


def _raw(value: Any) -> bytes:
    return _ONE + framed(orjson.dumps(value))


_CONTENTS: dict[str, Write] = {
    "string": str.encode,
    "bytes": base64.b64decode,
    "quantity": _quantity,
    "int-or-string": _int_or_string,
    "time": _time,
    "micro-time": _micro_time,
    "raw": _raw,
}
