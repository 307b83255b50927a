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
_NUMBERS = frozenset(("int32", "int64", "float", "double"))
_FREE_TEXT = frozenset(("password",))
_KNOWN = _NUMBERS | _FREE_TEXT | FORMATS.keys()


def of_definition(definition: Object, old: Object | None, ctx: WriteContext) -> list[str]:
    """A format that was there before is not told of again."""
    known = set(_formats(old)) if old is not None else set()
    unknown = (each for each in _formats(definition) if each not in _KNOWN)
    return [f"unrecognized format {quoted(each)}" for each in dict.fromkeys(unknown) if each not in known]


def _formats(definition: Object) -> Iterator[str]:
    for version in (definition.get("spec") or {}).get("versions") or []:
        yield from _within((version.get("schema") or {}).get("openAPIV3Schema"))


def _within(schema: Any) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    if schema.get("format"):
        yield schema["format"]
    for key in ("items", "additionalProperties", "not"):
        yield from _within(schema.get(key))
    for key in ("allOf", "anyOf", "oneOf"):
        for each in schema.get(key) or ():
            yield from _within(each)
    for each in (schema.get("properties") or {}).values():
        yield from _within(each)
