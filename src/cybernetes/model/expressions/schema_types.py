"""Types of expressions' variables from the schemas of custom resources, with bounds of their sizes.

What the schema does not bound is bounded by what fits into one request.

source  Kubernetes documentation "Validation rules": type system; k8s.io/apiserver CEL, limits
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cybernetes.cel import types
from cybernetes.cel.types import Adapt, ObjectType, Type, list_of, map_of
from cybernetes.cel.values import MapList, SetList
from cybernetes.model.expressions.escaping import escaped

if TYPE_CHECKING:
    from cybernetes.model.schema.custom.structural import Structural

REQUEST_MAX_BYTES = 3 * 1024 * 1024
# Bytes of JSON: a time, a day, a duration, each with its quotes.
_TIME_MIN, _TIME_MAX, _DATE, _DURATION_MIN, _DURATION_MAX = 21, 32, 12, 3, 32
# Keys of maps, for which nothing is charged.
_KEY = Type("string", "string", size_max=0, size_min=2)
# Of an object that is empty.
_BRACES = 2


def declared(schema: Structural, name: str, *, root: bool = False) -> Type | None:
    """The type of what the schema describes; None where expressions can't see it.

    name  of the type of objects, of which those inside are called after
    root  whether it is a whole resource, which has a kind, a version and a name
    """
    if schema.int_or_string:
        return _sized("dyn", "dyn", _text_max(schema), 1)
    if root:
        return _object(schema, name, root=True)
    match schema.type:
        case "array":
            return _list(schema, name)
        case "object":
            return _map(schema, name) if schema.has_additional_schema else _object(schema, name, root=False)
        case "string":
            return _string(schema)
        case "boolean":
            return types.BOOL
        case "number":
            return types.DOUBLE
        case "integer":
            return types.INT
    return None


def _sized(kind: str, name: str, size_max: int, size_min: int, adapt: Adapt | None = None) -> Type:
    return Type(kind, name, size_max=size_max, size_min=size_min, adapt=adapt)


def _text_max(schema: Structural) -> int:
    """In bytes: a character may take four."""
    length = schema.source.get("maxLength")
    return REQUEST_MAX_BYTES - 2 if length is None else 4 * max(0, int(length))


def _string(schema: Structural) -> Type:
    match schema.format:
        case "byte":
            length = schema.source.get("maxLength")
            size = REQUEST_MAX_BYTES - 2 if length is None else max(0, int(length))
            return _sized("bytes", "bytes", size, 2, types.BYTES.adapt)
        case "duration":
            return _sized("duration", "duration", _DURATION_MAX, _DURATION_MIN, types.DURATION.adapt)
        case "date":
            return _sized("timestamp", "timestamp", _DATE, _DATE, types.TIMESTAMP.adapt)
        case "date-time":
            return _sized("timestamp", "timestamp", _TIME_MAX, _TIME_MIN, types.TIMESTAMP.adapt)
    if schema.source.get("maxLength") is None and schema.enum:
        return _sized("string", "string", max(len(each) for each in schema.enum if isinstance(each, str)), 2)
    return _sized("string", "string", _text_max(schema), 2)


def _list(schema: Structural, name: str) -> Type | None:
    if schema.items is None:
        return None
    item = declared(schema.items, f"{name}.@idx", root=schema.items.embedded)
    if item is None:
        return None
    most = schema.source.get("maxItems")
    size = max(0, int(most)) if most is not None else (REQUEST_MAX_BYTES - 2) // (item.size_min + 1)
    return list_of(item, size, _as_listed(schema))


def _as_listed(schema: Structural) -> Adapt | None:
    """Lists whose order says nothing are values of their own."""
    if schema.list_type == "set":
        return lambda value: SetList(value) if type(value) is list else value
    if schema.list_type == "map":
        keys = schema.list_keys
        return lambda value: MapList(value, keys) if type(value) is list else value
    return None


def _map(schema: Structural, name: str) -> Type | None:
    inner = schema.additional
    assert inner is not None
    value = declared(inner, f"{name}.@elem", root=inner.embedded)
    if value is None:
        return None
    most = schema.source.get("maxProperties")
    size = max(0, int(most)) if most is not None else (REQUEST_MAX_BYTES - 2) // (value.size_min + 6)
    return map_of(_KEY, value, size)


def _object(schema: Structural, name: str, *, root: bool) -> Type:
    fields: dict[str, Type] = {}
    source_names: dict[str, str] = {}
    size_min = _BRACES
    for key, each in schema.properties.items():
        spelled = escaped(key)
        found = declared(each, f"{name}.{spelled or key}", root=each.embedded)
        if found is None:
            continue
        if spelled is not None:
            fields[spelled] = found
            if spelled != key:
                source_names[spelled] = key
        if key in schema.required and each.source.get("default") is None:
            size_min += len(key) + found.size_min + 4
    if root:
        fields |= _type_and_meta(name)
    return ObjectType(name, fields, source_names=source_names, size_min=size_min)


def _type_and_meta(name: str) -> dict[str, Type]:
    text = _sized("string", "string", REQUEST_MAX_BYTES - 2, 2)
    meta: dict[str, Any] = {"name": text, "generateName": text}
    return {"apiVersion": text, "kind": text, "metadata": ObjectType(f"{name}.metadata", meta)}
