"""Definitions that documents refer to: the generated ones, and those of custom resources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from cybernetes.model.schema.compile import read_lines

PREFIX = b"#/components/schemas/"
_REFERENCE = re.compile(rb'"#/components/schemas/([^"]+)"')


@cache
def built_in() -> dict[str, bytes]:
    """Every definition of the API, with descriptions, as JSON of OpenAPI v3. Loaded when a document is first made."""
    return read_lines("openapi.tsv")


def closure(names: Iterable[str], custom: Mapping[str, bytes]) -> dict[str, bytes]:
    """The named definitions and all that they refer to, sorted by name."""
    found: dict[str, bytes] = {}
    open_names = list(names)
    while open_names:
        name = open_names.pop()
        if name in found:
            continue
        text = custom.get(name) or built_in()[name]
        found[name] = text
        open_names += [each.decode() for each in _REFERENCE.findall(text)]
    return {name: found[name] for name in sorted(found)}


def joined(definitions: Mapping[str, bytes]) -> bytes:
    """The definitions as one JSON object; names need no escaping."""
    return b"{" + b",".join(b'"' + name.encode() + b'":' + text for name, text in definitions.items()) + b"}"
