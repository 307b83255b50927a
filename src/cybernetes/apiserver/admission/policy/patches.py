"""What mutations make of an object. Pure.

source  Kubernetes documentation "Mutating Admission Policy", patch types
"""

from __future__ import annotations

from typing import Any

from cybernetes.apiserver.admission.scope import Failed
from cybernetes.base.errors import ApiError
from cybernetes.cel.errors import CelError
from cybernetes.cel.values import ObjectValue
from cybernetes.model import fieldset, fitting, patch
from cybernetes.model.expressions.mutation import check_names, plain
from cybernetes.model.schema.node import ListNode, MapNode, Node, StructNode

Object = dict[str, Any]
# What says which object it is.
_FIXED = (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"), ("metadata", "uid"))


def applied(node: StructNode, obj: Object, made: Any) -> Object:
    """The object with an apply configuration merged into it; they share what is alike. Raises Failed."""
    if not isinstance(made, ObjectValue):
        raise Failed("unsupported return type from ApplyConfiguration expression")
    try:
        check_names(made)
        configuration = {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind"), **plain(made)}
    except CelError as wrong:
        raise Failed(str(wrong)) from wrong
    try:
        fitting.check(node, configuration)
    except fitting.UnfitValue as wrong:
        said = f"failed to convert patch object to typed object: {wrong}"
        raise Failed(f"error applying patch: {said}") from wrong
    atomic = _atomic(node, configuration, "")
    if atomic:
        why = f"may not mutate atomic arrays, maps or structs: {', '.join(atomic)}"
        raise Failed(f"error applying patch: invalid ApplyConfiguration: {why}")
    merged: Object = fieldset.merge(node, obj, configuration)
    return _same_object(obj, merged)


def _atomic(node: Node, value: Any, path: str) -> list[str]:
    """Paths of values that would be replaced as a whole, with what is not mentioned in them."""
    if isinstance(node, ListNode) and isinstance(value, list):
        found = [path] if node.list_type == "atomic" else []
        for i, each in enumerate(value):
            found += _atomic(node.item, each, f"{path}[{i}]")
        return found
    if isinstance(node, StructNode) and isinstance(value, dict):
        found = [path] if node.map_type == "atomic" else []
        for key, each in value.items():
            field = node.fields.get(key)
            if field is not None:
                found += _atomic(field.node, each, f"{path}.{key}")
        return found
    if isinstance(node, MapNode) and isinstance(value, dict):
        return [path] if node.map_type == "atomic" else []
    return []


def patched(obj: Object, made: Any) -> Object:
    """The object after a JSON patch; unchanged when one of its tests fails. Raises Failed."""
    if not isinstance(made, list):
        raise Failed("type mismatch: JSONPatchType.expression should evaluate to array")
    try:
        operations = [_operation(each) for each in made]
    except CelError as wrong:
        raise Failed(str(wrong)) from wrong
    result = obj
    for each in operations:
        try:
            result = patch.json_patch(result, [each])
        except ApiError as wrong:
            if each["op"] == "test":
                return obj
            raise Failed(f"JSONPath: {wrong.message}") from wrong
    return _same_object(obj, result)


def _operation(made: Any) -> Object:
    if not isinstance(made, ObjectValue):
        raise Failed("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch")
    value = made.get("value")
    if isinstance(value, ObjectValue):
        check_names(value, value.name)
    return {key: plain(each) for key, each in made.items()}


def _same_object(before: Object, after: Object) -> Object:
    for path in _FIXED:
        if _at(before, path) != _at(after, path):
            raise Failed(f"{'.'.join(path)} may not be changed by a mutation")
    return after


def _at(obj: Object, path: tuple[str, ...]) -> Any:
    value: Any = obj
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
