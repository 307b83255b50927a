"""Types of expressions' variables from the definitions of built-in kinds.

source  Kubernetes documentation "Validating Admission Policy", Type checking
"""

from __future__ import annotations

from cybernetes.cel import types
from cybernetes.cel.types import ObjectType, Type, list_of, map_of
from cybernetes.model.expressions.escaping import escaped
from cybernetes.model.schema.node import ListNode, MapNode, Node, StructNode

_SCALARS = {
    "string": types.STRING,
    "int32": types.INT,
    "int64": types.INT,
    "bool": types.BOOL,
    "double": types.DOUBLE,
    "bytes": types.BYTES,
    "time": types.TIMESTAMP,
    "micro-time": types.TIMESTAMP,
    "duration": types.STRING,
}


def kind_type(node: StructNode, name: str) -> ObjectType:
    """The type of a whole object. name: of the type; those inside are called after it."""
    return ObjectType(name, lambda: _fields(node, name), source_names=_source_names(node))


def _fields(node: StructNode, name: str) -> dict[str, Type]:
    out = {}
    for key, field in node.fields.items():
        spelled, found = escaped(key), _typed(field.node, f"{name}.{key}")
        if spelled is not None and found is not None:
            out[spelled] = found
    return out


def _source_names(node: StructNode) -> dict[str, str]:
    pairs = ((escaped(key), key) for key in node.fields)
    return {spelled: key for spelled, key in pairs if spelled is not None and spelled != key}


def _typed(node: Node, name: str) -> Type | None:
    if isinstance(node, StructNode):
        return ObjectType(name, lambda: _fields(node, name), source_names=_source_names(node))
    if isinstance(node, ListNode):
        item = _typed(node.item, f"{name}.@idx")
        return None if item is None else list_of(item)
    if isinstance(node, MapNode):
        value = _typed(node.value, f"{name}.@elem")
        return None if value is None else map_of(types.STRING, value)
    return _SCALARS.get(node.type, types.DYN)
