"""Parsed bodies of custom resources to objects: metadata typed, unknown fields dropped, keys in order; and defaults."""

from __future__ import annotations

import copy
from typing import Any

from cybernetes.model.schema.compile import OBJECT_META, node
from cybernetes.model.schema.custom.structural import CustomNode, Structural
from cybernetes.model.schema.node import StructNode
from cybernetes.model.schema.reader import Mismatch, converter
from cybernetes.model.schema.strict import Walk

# The rest of a custom object comes in the order of the alphabet, as Go writes maps.
_HEAD = ("kind", "apiVersion", "metadata")


def read(root: CustomNode, value: dict[str, Any]) -> tuple[dict[str, Any], list[str], str | None]:
    """(object, paths of unknown fields, error of the decoder); the value is the caller's own and may be taken over."""
    metadata, unknown, error = _metadata(value.get("metadata"), "metadata")
    out: dict[str, Any] = {name: value[name] for name in ("kind", "apiVersion") if name in value}
    out["metadata"] = metadata
    rest = {name: each for name, each in value.items() if name not in _HEAD}
    out.update(prune(root.schema, rest, "", unknown))
    return out, unknown, error


def _metadata(value: Any, path: str) -> tuple[Any, list[str], str | None]:
    meta: StructNode = node(OBJECT_META)
    if value is None:
        return {}, [], None
    try:
        return converter(meta)(value), [], None
    except Mismatch:
        walk = Walk()
        read = walk.read(meta, value, path)
        return read, walk.unknown, walk.error


def prune(schema: Structural, value: Any, path: str, unknown: list[str]) -> Any:
    """The value without what the schema doesn't name; keys sorted. Paths of what was dropped go to `unknown`."""
    if isinstance(value, dict):
        return _pruned_object(schema, value, path, unknown)
    if isinstance(value, list):
        items = schema.items
        if items is None:
            return value
        return [prune(items, each, f"{path}[{i}]", unknown) for i, each in enumerate(value)]
    return value


def _pruned_object(schema: Structural, value: dict[str, Any], path: str, unknown: list[str]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in sorted(value):
        here = f"{path}.{name}" if path else name
        each = value[name]
        if schema.embedded and name in ("apiVersion", "kind", "metadata"):
            out[name] = _embedded_head(name, each, here, unknown)
            continue
        found = schema.properties.get(name) or schema.additional
        if found is not None:
            out[name] = prune(found, each, here, unknown)
        elif schema.preserve:
            out[name] = _sorted(each)
        else:
            unknown.append(here)
    return out


def _embedded_head(name: str, value: Any, path: str, unknown: list[str]) -> Any:
    if name != "metadata" or not isinstance(value, dict):
        return value
    metadata, dropped, error = _metadata(value, path)
    unknown += dropped
    # What can't be read as metadata stays as it is: validation refuses it.
    return value if error is not None else metadata


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_sorted(each) for each in value]
    return value


def fill(root: CustomNode, obj: dict[str, Any]) -> None:
    """Drop nulls that the schema doesn't allow, then set defaults, in place."""
    if root.schema.has_defaults:
        _fill(root.schema, obj, frozenset(_HEAD))


def _fill(schema: Structural, value: Any, left_alone: frozenset[str] = frozenset()) -> None:
    if isinstance(value, dict):
        _fill_object(schema, value, left_alone)
    elif isinstance(value, list) and schema.items is not None and schema.items.has_defaults:
        for i, each in enumerate(value):
            if each is None and not schema.items.nullable and "default" in schema.items.source:
                value[i] = each = copy.deepcopy(schema.items.source["default"])
            _fill(schema.items, each)


def _fill_object(schema: Structural, value: dict[str, Any], left_alone: frozenset[str]) -> None:
    added = False
    for name, each in schema.properties.items():
        if name in left_alone:
            continue
        if value.get(name) is None and not (name in value and each.nullable):
            value.pop(name, None)
            if "default" not in each.source:
                continue
            value[name] = copy.deepcopy(each.source["default"])
            added = True
        _fill(each, value[name])
    if schema.additional is not None:
        _fill_additional(schema, schema.additional, value, left_alone)
    if added:
        _sort_in_place(value, left_alone)


def _fill_additional(
    schema: Structural, additional: Structural, value: dict[str, Any], left_alone: frozenset[str]
) -> None:
    """The same for fields that are not named."""
    for name in [each for each in value if each not in schema.properties and each not in left_alone]:
        if value[name] is None and not additional.nullable:
            if "default" not in additional.source:
                del value[name]
                continue
            value[name] = copy.deepcopy(additional.source["default"])
        _fill(additional, value[name])


def _sort_in_place(value: dict[str, Any], first: frozenset[str]) -> None:
    order = sorted(value, key=lambda name: (name not in first, "" if name in first else name))
    found = dict(value)
    value.clear()
    value.update((name, found[name]) for name in order)
