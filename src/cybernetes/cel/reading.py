"""Fields, keys and items of values."""

from __future__ import annotations

from typing import Any

from cybernetes.cel import types
from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.parts import Frame, Part
from cybernetes.cel.syntax import Call, Select
from cybernetes.cel.types import Adapt, ObjectType, Type
from cybernetes.cel.values import MISSING, NONE, Optional, entry, is_number


def key_of(node: Select) -> str:
    """The key in the document."""
    operand = node.operand.type
    return operand.source_names.get(node.field, node.field) if isinstance(operand, ObjectType) else node.field


def is_plain(node: Select) -> bool:
    """Whether the operand is known to be a dict that needs nothing done to it."""
    kind = node.operand.type.kind
    return kind in ("object", "map", "dyn") and node.operand.type.adapt is None


def no_such_key(key: Any) -> EvaluationError:
    return EvaluationError(f"no such key: {shown_key(key)}")


def shown_key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def chain(slot: int, keys: list[str], adapt: Adapt | None) -> Part:
    """Of a variable one field after the other."""
    first, rest = keys[0], keys[1:]

    def run(frame: Frame) -> Any:
        value = frame[slot]
        key = first
        try:
            value = value[first]
            for key in rest:
                value = value[key]
        except KeyError as wrong:
            raise no_such_key(key) from wrong
        except TypeError:
            value = _field(value, key, rest[rest.index(key) + 1 :] if key is not first else rest)
        return value if adapt is None else adapt(value)

    return run, 1 + len(keys)


def _field(value: Any, key: str, rest: list[str]) -> Any:
    """The long way, for what may be an optional value."""
    for each in (key, *rest):
        if isinstance(value, Optional):
            value = _optional_field(value, each, None)
        elif isinstance(value, dict):
            if each not in value:
                raise no_such_key(each)
            value = value[each]
        else:
            raise EvaluationError("no such overload")
    return value


def has_chain(slot: int, keys: list[str]) -> Part:
    before, last = keys[:-1], keys[-1]

    def run(frame: Frame) -> bool:
        value = frame[slot]
        try:
            for key in before:
                value = value[key]
        except KeyError as wrong:
            raise no_such_key(key) from wrong
        except TypeError:
            value = _field(value, key, before[before.index(key) + 1 :])
        return _has(value, last)

    return run, len(keys)


def _has(value: Any, key: str) -> bool:
    if isinstance(value, dict):
        return key in value
    if isinstance(value, Optional):
        return value.present and _has(value.value, key)
    raise EvaluationError("no such overload")


def has(operand: Part, node: Select) -> Part:
    read, cost = operand
    key = key_of(node)
    return (lambda frame: _has(read(frame), key)), cost


def select(operand: Part, node: Select) -> Part:
    read, cost = operand
    inner = node.operand.type
    optional = types.is_optional(inner)
    key, adapt = key_of(node), node.type.adapt
    if optional:
        inner = inner.parameters[0]
        key = inner.source_names.get(node.field, node.field) if isinstance(inner, ObjectType) else node.field
        adapt = node.type.parameters[0].adapt if node.type.parameters else None

    def run(frame: Frame) -> Any:
        value = read(frame)
        if isinstance(value, dict):
            try:
                found = value[key]
            except KeyError as wrong:
                raise no_such_key(key) from wrong
            return found if adapt is None else adapt(found)
        if isinstance(value, Optional):
            return _optional_field(value, key, adapt)
        raise EvaluationError("no such overload")

    return run, cost + 1


def optional_select(operand: Part, node: Select) -> Part:
    """operand.?field; node: the same without the question mark."""
    read, cost = operand
    inner = node.operand.type
    if types.is_optional(inner):
        inner = inner.parameters[0]
    key = inner.source_names.get(node.field, node.field) if isinstance(inner, ObjectType) else node.field
    adapt = node.type.adapt
    return (lambda frame: _optional_field(read(frame), key, adapt)), cost + 1


def _optional_field(value: Any, key: Any, adapt: Adapt | None) -> Optional:
    if isinstance(value, Optional):
        if not value.present:
            return NONE
        value = value.value
    if not isinstance(value, dict):
        raise EvaluationError("no such overload")
    found = entry(value, key)
    if found is MISSING:
        return NONE
    return Optional(found if adapt is None else adapt(found))


def index(operand: Part, at: Part, node: Call) -> Part:
    (read, cost), (where, where_cost) = operand, at
    adapt = _item_adapt(node.type, node.arguments[0].type)

    def run(frame: Frame) -> Any:
        value, key = read(frame), where(frame)
        if isinstance(value, Optional):
            return _optional_item(value, key, adapt)
        found = item(value, key)
        return found if adapt is None else adapt(found)

    return run, cost + where_cost + 1


def _item_adapt(result: Type, operand: Type) -> Adapt | None:
    if types.is_optional(operand) and result.parameters:
        return result.parameters[0].adapt
    return result.adapt


def optional_index(operand: Part, at: Part, node: Call) -> Part:
    (read, cost), (where, where_cost) = operand, at
    adapt = node.type.parameters[0].adapt if node.type.parameters else None
    return (lambda frame: _optional_item(read(frame), where(frame), adapt)), cost + where_cost + 1


def _optional_item(value: Any, key: Any, adapt: Adapt | None) -> Optional:
    if isinstance(value, Optional):
        if not value.present:
            return NONE
        value = value.value
    if isinstance(value, dict):
        return _optional_field(value, key, adapt)
    position = _position(value, key)
    if not 0 <= position < len(value):
        return NONE
    found = value[position]
    return Optional(found if adapt is None else adapt(found))


def item(value: Any, key: Any) -> Any:
    """value[key]."""
    if isinstance(value, dict):
        found = entry(value, key)
        if found is MISSING:
            raise no_such_key(key)
        return found
    position = _position(value, key)
    if 0 <= position < len(value):
        return value[position]
    raise EvaluationError(f"index out of bounds: {position}")


def _position(value: Any, key: Any) -> int:
    if not isinstance(value, list) or not is_number(key):
        raise EvaluationError("no such overload")
    if type(key) is float and not key.is_integer():
        raise EvaluationError("unsupported index value")
    return int(key)


def in_texts(operand: Part, known: frozenset[str]) -> Part:
    """Whether a value is one of these texts."""
    read, cost = operand

    def run(frame: Frame) -> bool:
        value = read(frame)
        return type(value) is str and value in known

    return run, cost
