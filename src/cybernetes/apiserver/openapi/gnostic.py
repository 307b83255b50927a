"""The v2 document as protobuf, in the messages of gnostic's openapi.v2, which older kubectl asks for.

A message is described by its fields: JSON name -> (number, how the value is written). Whatever begins with `x-` is
a vendor extension, kept as YAML text (JSON is YAML).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from cybernetes.wire.protobuf.varint import LENGTH, VARINT, framed, tag, varint

Write = Callable[[int, Any], bytes]
Fields = Mapping[str, tuple[int, Write]]


def encode(document: Mapping[str, Any]) -> bytes:
    """The openapi.v2.Document of a swagger document. Cost: some hundred milliseconds for the whole API."""
    return _message(document, _DOCUMENT, 16)


def _message(value: Mapping[str, Any], fields: Fields, extensions: int) -> bytes:
    parts = []
    for name, each in value.items():
        found = fields.get(name)
        if found is not None:
            parts.append(found[1](found[0], each))
        elif name.startswith("x-"):
            parts.append(_submessage(extensions, _text(1, name) + _submessage(2, _any(each))))
    return b"".join(parts)


def _submessage(number: int, content: bytes) -> bytes:
    return tag(number, LENGTH) + framed(content)


def _text(number: int, value: str) -> bytes:
    return tag(number, LENGTH) + framed(value.encode())


def _texts(number: int, values: list[str]) -> bytes:
    return b"".join(_text(number, each) for each in values)


def _flag(number: int, value: bool) -> bytes:
    return tag(number, VARINT) + b"\x01" if value else b""


def _whole(number: int, value: int) -> bytes:
    return tag(number, VARINT) + varint(value)


def _any(value: Any) -> bytes:
    return _text(2, orjson.dumps(value).decode() + "\n")


def _any_field(number: int, value: Any) -> bytes:
    return _submessage(number, _any(value))


def _anys(number: int, values: list[Any]) -> bytes:
    return b"".join(_any_field(number, each) for each in values)


def _named(number: int, content: Callable[[Any], bytes]) -> Callable[[Mapping[str, Any]], bytes]:
    """Maps are lists of (name, value) messages."""

    def write(values: Mapping[str, Any]) -> bytes:
        return b"".join(
            _submessage(number, _text(1, name) + _submessage(2, content(each))) for name, each in values.items()
        )

    return write


def _schema(value: Mapping[str, Any]) -> bytes:
    return _message(value, _SCHEMA, 31)


def _types(number: int, value: str | list[str]) -> bytes:
    return _submessage(number, _texts(1, [value] if isinstance(value, str) else value))


def _items(number: int, value: Mapping[str, Any]) -> bytes:
    return _submessage(number, _submessage(1, _schema(value)))


def _additional(number: int, value: Any) -> bytes:
    if isinstance(value, bool):
        return _submessage(number, tag(2, VARINT) + (b"\x01" if value else b"\x00"))
    return _submessage(number, _submessage(1, _schema(value)))


def _properties(number: int, value: Mapping[str, Any]) -> bytes:
    return _submessage(number, _named(1, _schema)(value))


def _all_of(number: int, values: list[Mapping[str, Any]]) -> bytes:
    return b"".join(_submessage(number, _schema(each)) for each in values)


_SCHEMA: Fields = {
    "$ref": (1, _text),
    "format": (2, _text),
    "title": (3, _text),
    "description": (4, _text),
    "default": (5, _any_field),
    "maxLength": (11, _whole),
    "minLength": (12, _whole),
    "pattern": (13, _text),
    "maxItems": (14, _whole),
    "minItems": (15, _whole),
    "uniqueItems": (16, _flag),
    "required": (19, _texts),
    "enum": (20, _anys),
    "additionalProperties": (21, _additional),
    "type": (22, _types),
    "items": (23, _items),
    "allOf": (24, _all_of),
    "properties": (25, _properties),
}
_INFO: Fields = {"title": (1, _text), "version": (2, _text)}
_BODY: Fields = {
    "description": (1, _text),
    "name": (2, _text),
    "in": (3, _text),
    "required": (4, _flag),
    "schema": (5, lambda number, value: _submessage(number, _schema(value))),
}
_QUERY: Fields = {
    "required": (1, _flag),
    "in": (2, _text),
    "description": (3, _text),
    "name": (4, _text),
    "type": (6, _text),
    "uniqueItems": (20, _flag),
}
_PATH: Fields = {**_QUERY, "type": (5, _text), "uniqueItems": (19, _flag)}


def _parameters(number: int, values: list[Mapping[str, Any]]) -> bytes:
    return b"".join(_submessage(number, _submessage(1, _parameter(each))) for each in values)


def _parameter(value: Mapping[str, Any]) -> bytes:
    if value["in"] == "body":
        return _submessage(1, _message(value, _BODY, 6))
    if value["in"] == "path":
        return _submessage(2, _submessage(4, _message(value, _PATH, 22)))
    return _submessage(2, _submessage(3, _message(value, _QUERY, 23)))


_RESPONSE: Fields = {
    "description": (1, _text),
    "schema": (2, lambda number, value: _submessage(number, _submessage(1, _schema(value)))),
}


def _responses(number: int, values: Mapping[str, Any]) -> bytes:
    return _submessage(number, _named(1, lambda each: _submessage(1, _message(each, _RESPONSE, 5)))(values))


_OPERATION: Fields = {
    "tags": (1, _texts),
    "description": (3, _text),
    "operationId": (5, _text),
    "produces": (6, _texts),
    "consumes": (7, _texts),
    "parameters": (8, _parameters),
    "responses": (9, _responses),
    "schemes": (10, _texts),
}


def _operation(number: int, value: Mapping[str, Any]) -> bytes:
    return _submessage(number, _message(value, _OPERATION, 13))


_PATH_ITEM: Fields = {
    "get": (2, _operation),
    "put": (3, _operation),
    "post": (4, _operation),
    "delete": (5, _operation),
    "options": (6, _operation),
    "head": (7, _operation),
    "patch": (8, _operation),
    "parameters": (9, _parameters),
}


def _paths(number: int, value: Mapping[str, Any]) -> bytes:
    return _submessage(number, _named(2, lambda each: _message(each, _PATH_ITEM, 10))(value))


_API_KEY: Fields = {"type": (1, _text), "name": (2, _text), "in": (3, _text), "description": (4, _text)}


def _security_definitions(number: int, value: Mapping[str, Any]) -> bytes:
    return _submessage(number, _named(1, lambda each: _submessage(2, _message(each, _API_KEY, 5)))(value))


def _security(number: int, values: list[Mapping[str, list[str]]]) -> bytes:
    return b"".join(_submessage(number, _named(1, lambda scopes: _texts(1, scopes))(each)) for each in values)


_DOCUMENT: Fields = {
    "swagger": (1, _text),
    "info": (2, lambda number, value: _submessage(number, _message(value, _INFO, 7))),
    "paths": (8, _paths),
    "definitions": (9, _properties),
    "security": (12, _security),
    "securityDefinitions": (13, _security_definitions),
}
