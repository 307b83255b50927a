"""Descriptions of columns: text, or a reference to the documentation of a field."""

from __future__ import annotations

from functools import cache

import orjson

from cybernetes.model.schema.compile import read_lines

_API = "io.k8s.api."


def described(text: str) -> str:
    """`@core.v1.PodSpec#nodeName` is the documentation of that field; other text is itself."""
    return _documentation(text[1:]) if text.startswith("@") else text


@cache
def _documentation(reference: str) -> str:
    definition, _, field = reference.partition("#")
    name = definition if definition.startswith("io.k8s.") else _API + definition
    found = orjson.loads(_definitions()[name])["properties"][field]
    return str(found.get("description", ""))


@cache
def _definitions() -> dict[str, bytes]:
    return read_lines("openapi.tsv")
