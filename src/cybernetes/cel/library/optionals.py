"""Values that may not be there.

source  cel-go cel "OptionalTypes", version 1
"""

from __future__ import annotations

from typing import Any

from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.functions import Overload, function, method
from cybernetes.cel.types import BOOL, list_of, optional_of, param
from cybernetes.cel.values import NONE, Optional

_V = param("V")
_OPTIONAL = optional_of(_V)


def overloads() -> list[Overload]:
    return [
        function("optional.of", "optional_of", [_V], _OPTIONAL, Optional),
        function("optional.ofNonZeroValue", "optional_ofNonZeroValue", [_V], _OPTIONAL, _of_non_zero),
        function("optional.none", "optional_none", [], _OPTIONAL, lambda: NONE),
        function("optional.unwrap", "optional_unwrap", [list_of(_OPTIONAL)], list_of(_V), _unwrap),
        method("unwrapOpt", "optional_unwrapOpt", [list_of(_OPTIONAL)], list_of(_V), _unwrap),
        method("hasValue", "optional_hasValue", [_OPTIONAL], BOOL, lambda value: value.present),
        method("value", "optional_value", [_OPTIONAL], _V, _value),
        method("or", "optional_or_optional", [_OPTIONAL, _OPTIONAL], _OPTIONAL, lambda a, b: a if a.present else b),
        method("orValue", "optional_orValue_value", [_OPTIONAL, _V], _V, lambda a, b: a.value if a.present else b),
    ]


def _of_non_zero(value: Any) -> Optional:
    return Optional(value) if value else NONE


def _value(value: Optional) -> Any:
    if not value.present:
        raise EvaluationError("optional.none() dereference")
    return value.value


def _unwrap(items: list[Optional]) -> list[Any]:
    return [each.value for each in items if each.present]
