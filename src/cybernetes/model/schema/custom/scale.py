"""What a custom resource's scale subresource demands of the object that it reads and writes."""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, invalid

_LIMIT = 2**31 - 1


def validate_scale(obj: dict[str, Any], replicas_path: str) -> list[FieldError]:
    """Errors of the count at a path like `.spec.replicas`: a whole number that a Scale can carry, or absent."""
    path = Path(replicas_path)
    value: Any = obj
    for name in replicas_path.lstrip(".").split("."):
        if not isinstance(value, dict):
            wrong = f"{_shown(value)} is of the type {_go_type(value)}, expected map[string]interface{{}}"
            return [invalid(path, 0, f"{replicas_path} accessor error: {wrong}")]
        if name not in value:
            return []
        value = value[name]
    if isinstance(value, bool) or not isinstance(value, int):
        wrong = f"{_shown(value)} is of the type {_go_type(value)}, expected int64"
        return [invalid(path, 0, f"{replicas_path} accessor error: {wrong}")]
    if value < 0:
        return [invalid(path, value, "should be a non-negative integer")]
    if value > _LIMIT:
        return [invalid(path, value, f"should be less than or equal to {_LIMIT}")]
    return []


def _go_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if value is None:
        return "<nil>"
    names: dict[type, str] = {
        str: "string",
        int: "int64",
        float: "float64",
        list: "[]interface {}",
        dict: "map[string]interface {}",
    }
    return names[type(value)]


def _shown(value: Any) -> str:
    """As Go prints values: lists and maps in brackets, without quotes."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + " ".join(_shown(each) for each in value) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{name}:{_shown(value[name])}" for name in sorted(value)) + "]"
    return str(value)
