"""Whole documents as values of their types, where parts are read as such only when expressions reach them."""

from __future__ import annotations

from typing import Any

from cybernetes.cel.types import ObjectType, Type


def needs_dressing(found: Type) -> bool:
    """Whether anything inside of a value differs from how documents have it."""
    return _needs(found, frozenset())


def _needs(found: Type, above: frozenset[int]) -> bool:
    if found.adapt is not None:
        return True
    if id(found) in above:
        return False
    above |= {id(found)}
    if isinstance(found, ObjectType):
        return bool(found.source_names) or any(_needs(each, above) for each in found.fields.values())
    return any(_needs(each, above) for each in found.parameters)


def dressed(found: Type, value: Any) -> Any:
    """The value with everything in it of the type that is declared for it."""
    if found.adapt is not None:
        value = found.adapt(value)
    if isinstance(found, ObjectType) and isinstance(value, dict):
        names: dict[str, str] = {source: name for name, source in found.source_names.items()}
        out = {}
        for key, each in value.items():
            name = names.get(key) or key
            declared = found.fields.get(name)
            if declared is not None:
                out[name] = dressed(declared, each)
        return out
    if found.kind == "map" and isinstance(value, dict):
        return {key: dressed(found.parameters[1], each) for key, each in value.items()}
    if found.kind == "list" and isinstance(value, list):
        items = [dressed(found.parameters[0], each) for each in value]
        return items if found.adapt is None else found.adapt(items)
    return value
