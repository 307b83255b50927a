"""Definitions of custom resources with formats that nobody checks.

source  go-openapi/strfmt and the number formats of OpenAPI
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cybernetes.model.field import quoted
from cybernetes.model.resource import WriteContext
from cybernetes.model.schema.custom.formats import FORMATS

Object = dict[str, Any]
_TEXTS = frozenset(("password", "quantity", *FORMATS))
# By the type of the schema; others have no formats.
_KNOWN = {
    "": _TEXTS,
    "string": _TEXTS,
    "integer": frozenset(("int32", "int64")),
    "number": frozenset(("float", "double")),
}


def of_definition(definition: Object, old: Object | None, ctx: WriteContext) -> list[str]:
    """A format that was there before is not told of again."""
    known = set(_unknown(old)) if old is not None else set()
    return [f"unrecognized format {quoted(each)}" for each in dict.fromkeys(_unknown(definition)) if each not in known]


def _unknown(definition: Object) -> Iterator[str]:
    for version in (definition.get("spec") or {}).get("versions") or []:
        yield from _within((version.get("schema") or {}).get("openAPIV3Schema"))


def _within(schema: Any) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    if schema.get("format") and schema["format"] not in _KNOWN.get(schema.get("type") or "", ()):
        yield schema["format"]
    for key in ("items", "additionalProperties", "not"):
        yield from _within(schema.get(key))
    for key in ("allOf", "anyOf", "oneOf"):
        for each in schema.get(key) or ():
            yield from _within(each)
    for each in (schema.get("properties") or {}).values():
        yield from _within(each)
