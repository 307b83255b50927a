"""Objects that mutations make: Object{spec: Object.spec{replicas: 3}} and JSONPatch{op: 'add', …}.

Every name that begins with Object is a type; whether it stands where its name says is checked when it is used.

source  Kubernetes documentation "Mutating Admission Policy"
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cybernetes.cel import times, types
from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.types import StructType
from cybernetes.cel.values import Duration, ObjectValue, Optional, Timestamp, UInt

ROOT = "Object"
_TEXT = types.STRING


def _patch(fields: dict[str, Any]) -> ObjectValue:
    return ObjectValue("JSONPatch", fields)


JSON_PATCH = StructType("JSONPatch", {"op": _TEXT, "path": _TEXT, "from": _TEXT, "value": types.DYN}, _patch)
# More distinct names than policies have.
_NAMES_MAX = 4096


@lru_cache(maxsize=_NAMES_MAX)
def mutation_struct(name: str) -> StructType | None:
    """The type of Name{…}; None when there is no such type."""
    if name == JSON_PATCH.name:
        return JSON_PATCH
    if name != ROOT and not name.startswith(ROOT + "."):
        return None
    return StructType(name, {}, lambda fields: ObjectValue(name, fields), open_=True)


def check_names(value: ObjectValue, path: str = ROOT) -> None:
    """Raises EvaluationError where an object stands at another place than its name says."""
    if value.name != path:
        raise EvaluationError(
            f'type mismatch: unexpected type name "{value.name}", expected "{path}", which matches field name path '
            "from root Object type"
        )
    for key, each in value.items():
        _check_below(each, f"{path}.{key}")


def _check_below(value: Any, path: str) -> None:
    if isinstance(value, ObjectValue):
        check_names(value, path)
    elif isinstance(value, list):
        for each in value:
            _check_below(each, path)
    elif isinstance(value, dict):
        for each in value.values():
            _check_below(each, path)


def plain(value: Any) -> Any:
    """The value as JSON has it. Raises EvaluationError for what JSON can't have."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, Timestamp):
        return times.render_timestamp(value)
    if isinstance(value, Duration):
        return times.render_duration(value)
    if isinstance(value, UInt):
        return int(value)
    if isinstance(value, Optional):
        return plain(value.value) if value.present else None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise EvaluationError(f"unsupported type in a patch: {type(value).__name__}")
