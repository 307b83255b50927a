"""Messages to plain values, as the same object would look in JSON: one compiled table per struct."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from cybernetes.wire.protobuf.varint import FIXED64, LENGTH, VARINT, ProtobufProblem, read_varint, signed, skip

# Puts one field's value into the object: (object, value as it stands on the wire).
Put = Callable[[dict[str, Any], Any], None]
Table = dict[int, tuple[int, Put]]
_tables: dict[str, Table] = {}


def decode(node: Any, message: bytes) -> dict[str, Any]:
    """The value of a message (without envelope), not yet in canonical form: zero values are as sent.

    node    the struct of its kind
    raises  ProtobufProblem
    """
    out: dict[str, Any] = {}
    try:
        _read(_table(node), message, out)
    except (UnicodeDecodeError, struct.error, orjson.JSONDecodeError, OverflowError) as error:
        raise ProtobufProblem(f"proto: {error}") from error
    except RecursionError as error:
        raise ProtobufProblem("proto: exceeded max depth") from error
    return out


def _table(node: Any) -> Table:
    found = _tables.get(node.name)
    if found is None:
        # Filled after it is known: a definition may contain itself.
        found = _tables[node.name] = {}
        _fill(found, [(field.wire, field.name, field.node) for field in node.fields.values() if field.wire])
    return found


def _fill(table: Table, fields: list[tuple[tuple[int, ...], str, Any]]) -> None:
    embedded: dict[int, list[tuple[tuple[int, ...], str, Any]]] = {}
    for path, name, node in fields:
        if len(path) > 1:
            embedded.setdefault(path[0], []).append((path[1:], name, node))
        else:
            table[path[0]] = (_wire_type(node), _put(name, node))
    for number, inner in embedded.items():
        nested: Table = {}
        _fill(nested, inner)
        table[number] = (LENGTH, _put_embedded(nested))


def _put_embedded(table: Table) -> Put:
    return lambda obj, data: _read(table, data, obj)


def _read(table: Table, data: bytes, out: dict[str, Any]) -> None:
    at, end = 0, len(data)
    while at < end:
        key = data[at]
        at += 1
        if key >= 0x80:
            key, at = read_varint(data, at - 1)
        wire_type = key & 7
        found = table.get(key >> 3)
        if found is None or (found[0] != wire_type and not (found[0] == VARINT and wire_type == LENGTH)):
            at = skip(data, at, wire_type)
        elif wire_type == LENGTH:
            size = data[at] if at < end else 0x80
            at += 1
            if size >= 0x80:
                size, at = read_varint(data, at - 1)
            if at + size > end:
                raise ProtobufProblem("proto: unexpected EOF")
            content = data[at : at + size]
            at += size
            if found[0] == VARINT:
                _unpack(found[1], content, out)
            else:
                found[1](out, content)
        elif wire_type == VARINT:
            number, at = read_varint(data, at)
            found[1](out, number)
        else:
            if at + 8 > end:
                raise ProtobufProblem("proto: unexpected EOF")
            found[1](out, data[at : at + 8])
            at += 8


def _unpack(put: Put, content: bytes, out: dict[str, Any]) -> None:
    """Repeated numbers may come in one piece."""
    at = 0
    while at < len(content):
        number, at = read_varint(content, at)
        put(out, number)


def _wire_type(node: Any) -> int:
    if node.type == "list":
        return _wire_type(node.item)
    if node.type in ("bool", "int32", "int64"):
        return VARINT
    return FIXED64 if node.type == "double" else LENGTH


def _put(name: str, node: Any) -> Put:
    if node.type == "list":
        item = _value(node.item)

        def append(obj: dict[str, Any], raw: Any) -> None:
            if name in obj:
                obj[name].append(item(raw))
            else:
                obj[name] = [item(raw)]

        return append
    if node.type == "map":
        return _put_entry(name, node.value)
    if node.type == "struct":
        # A message that comes in several pieces is merged.
        def merge(obj: dict[str, Any], raw: Any) -> None:
            _read(_table(node), raw, obj.setdefault(name, {}))

        return merge
    value = _value(node)

    def put(obj: dict[str, Any], raw: Any) -> None:
        obj[name] = value(raw)

    return put


def _put_entry(name: str, node: Any) -> Put:
    table: Table = {1: (LENGTH, _put("key", _STRING))}
    if node.type == "list":
        inner: Table = {1: (_wire_type(node), _put("value", node))}
        table[2] = (LENGTH, _put_embedded(inner))
    else:
        table[2] = (_wire_type(node), _put("value", node))
    empty: Any = {"string": "", "bytes": "", "quantity": "0"}.get(node.type)

    def put(obj: dict[str, Any], raw: Any) -> None:
        entry: dict[str, Any] = {}
        _read(table, raw, entry)
        value = entry.get("value", empty)
        if value is None:
            value = [] if node.type == "list" else {} if node.type == "struct" else None
        obj.setdefault(name, {})[entry.get("key", "")] = value

    return put


def _value(node: Any) -> Callable[[Any], Any]:
    if node.type == "struct":
        return lambda raw: _struct(node, raw)
    if node.type == "union":
        return _union(node)
    return _VALUES[node.type]


def _struct(node: Any, raw: bytes) -> dict[str, Any]:
    out: dict[str, Any] = {}
    _read(_table(node), raw, out)
    return out


def _union(node: Any) -> Callable[[Any], Any]:
    has_bool = any(each.type == "bool" for each in node.members)
    numbers = {"bool": 1, "struct": 2} if has_bool else {"struct": 1, "list": 2}
    table: Table = {numbers[each.type]: (_wire_type(each), _put(each.type, each)) for each in node.members}

    def value(raw: Any) -> Any:
        out: dict[str, Any] = {}
        _read(table, raw, out)
        for kind in ("struct", "list", "bool"):
            if kind in out:
                return out[kind]
        return False if has_bool else None

    return value


class _String:
    type = "string"


_STRING = _String()


def _int32(raw: int) -> int:
    number = signed(raw)
    return (number + 2**31) % 2**32 - 2**31


def _numbers(raw: bytes) -> dict[str, Any]:
    out: dict[str, Any] = {}
    _read(_NUMBER_TABLE, raw, out)
    return out


def _int_or_string(raw: bytes) -> Any:
    out: dict[str, Any] = {}
    _read(_INT_OR_STRING_TABLE, raw, out)
    return out.get("text", "") if out.get("one") else _int32(out.get("two", 0))


def _text(raw: bytes) -> str:
    out: dict[str, Any] = {}
    _read(_TEXT_TABLE, raw, out)
    return str(out.get("text", ""))


def _quantity(raw: bytes) -> str:
    return _text(raw) or "0"


def _time(raw: bytes) -> str | None:
    if not raw:
        return None
    return f"{_moment(_numbers(raw).get('one', 0)).isoformat(timespec='seconds')}Z"


def _micro_time(raw: bytes) -> str | None:
    if not raw:
        return None
    parts = _numbers(raw)
    moment = _moment(parts.get("one", 0)).replace(microsecond=parts.get("two", 0) // 1000)
    return f"{moment.isoformat(timespec='microseconds')}Z"


def _moment(seconds: int) -> datetime:
    """UTC, and without saying so."""
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    except (ValueError, OSError, OverflowError) as error:
        raise ProtobufProblem(f"proto: time out of range: {seconds}") from error


def _raw(raw: bytes) -> Any:
    out: dict[str, Any] = {}
    _read(_BYTES_TABLE, raw, out)
    return orjson.loads(out["bytes"]) if out.get("bytes") else None


def _put_raw(name: str, convert: Callable[[Any], Any]) -> Put:
    def put(obj: dict[str, Any], raw: Any) -> None:
        obj[name] = convert(raw)

    return put


_NUMBER_TABLE: Table = {1: (VARINT, _put_raw("one", signed)), 2: (VARINT, _put_raw("two", signed))}
_TEXT_TABLE: Table = {1: (LENGTH, _put_raw("text", bytes.decode))}
_BYTES_TABLE: Table = {1: (LENGTH, _put_raw("bytes", bytes))}
_INT_OR_STRING_TABLE: Table = {**_NUMBER_TABLE, 3: (LENGTH, _put_raw("text", bytes.decode))}

_VALUES: dict[str, Callable[[Any], Any]] = {
    "string": bytes.decode,
    "bytes": lambda raw: base64.b64encode(raw).decode(),
    "bool": bool,
    "int32": _int32,
    "int64": signed,
    "double": lambda raw: struct.unpack("<d", raw)[0],
    "quantity": _quantity,
    "int-or-string": _int_or_string,
    "time": _time,
    "micro-time": _micro_time,
    "raw": _raw,
}
