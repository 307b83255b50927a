"""Numbers.

source  cel-go ext "Math", version 1
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.functions import Overload, function
from cybernetes.cel.types import BOOL, DOUBLE, DYN, INT, UINT, Type, list_of
from cybernetes.cel.values import INT_MAX, INT_MIN, UINT_MAX, UInt, checked_int, is_number

_NUMBERS = {"int": INT, "uint": UINT, "double": DOUBLE}


def overloads() -> list[Overload]:
    return [*_extremes("max", max), *_extremes("min", min), *_rounding(), *_bits()]


def _extremes(name: str, choose: Callable[[Any, Any], Any]) -> list[Overload]:
    def of_two(a: Any, b: Any) -> Any:
        return choose(a, b)

    def of_list(items: list[Any]) -> Any:
        if not items:
            raise EvaluationError(f"math.@{name}(list) argument must not be empty")
        if not all(is_number(each) for each in items):
            raise EvaluationError("no such overload")
        chosen = items[0]
        for each in items[1:]:
            chosen = choose(chosen, each)
        return chosen

    full = f"math.@{name}"
    out = [function(full, f"math_@{name}_{kind}", [each], each, lambda value: value) for kind, each in _NUMBERS.items()]
    for left, a in _NUMBERS.items():
        for right, b in _NUMBERS.items():
            out.append(function(full, f"math_@{name}_{left}_{right}", [a, b], a if a is b else DYN, of_two))
        out.append(function(full, f"math_@{name}_list_{left}", [list_of(a)], a, of_list))
    return out


def _each(name: str, kinds: dict[str, Type], do: Callable[[Any], Any], result: Type | None = None) -> list[Overload]:
    return [function(f"math.{name}", f"math_{name}_{kind}", [each], result or each, do) for kind, each in kinds.items()]


def _whole(do: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: float(do(value)) if math.isfinite(value) else value


def _rounding() -> list[Overload]:
    double = {"double": DOUBLE}
    return [
        *_each("ceil", double, _whole(math.ceil)),
        *_each("floor", double, _whole(math.floor)),
        *_each("trunc", double, _whole(math.trunc)),
        *_each("round", double, _whole(_away_from_zero)),
        *_each("isNaN", double, math.isnan, BOOL),
        *_each("isInf", double, math.isinf, BOOL),
        *_each("isFinite", double, math.isfinite, BOOL),
        *_each("abs", _NUMBERS, _abs),
        *_each("sign", _NUMBERS, _sign),
        *_each("sqrt", _NUMBERS, lambda value: math.sqrt(value) if value >= 0 else math.nan, DOUBLE),
    ]


def _away_from_zero(value: float) -> float:
    return math.copysign(math.floor(abs(value) + 0.5), value)


def _abs(value: Any) -> Any:
    if type(value) is int:
        return checked_int(abs(value))
    return value if isinstance(value, UInt) else abs(value)


def _sign(value: Any) -> Any:
    if value != value:
        return value
    return type(value)((value > 0) - (value < 0))


def _bits() -> list[Overload]:
    out = []
    for kind, each in (("int", INT), ("uint", UINT)):
        pair = [each, each]
        out += [
            function("math.bitAnd", f"math_bitAnd_{kind}_{kind}", pair, each, _same_kind(lambda a, b: a & b)),
            function("math.bitOr", f"math_bitOr_{kind}_{kind}", pair, each, _same_kind(lambda a, b: a | b)),
            function("math.bitXor", f"math_bitXor_{kind}_{kind}", pair, each, _same_kind(lambda a, b: a ^ b)),
            function("math.bitNot", f"math_bitNot_{kind}_{kind}", [each], each, _not),
            function("math.bitShiftLeft", f"math_bitShiftLeft_{kind}_int", [each, INT], each, _left),
            function("math.bitShiftRight", f"math_bitShiftRight_{kind}_int", [each, INT], each, _right),
        ]
    return out


def _same_kind(do: Callable[[int, int], int]) -> Callable[[int, int], int]:
    return lambda a, b: type(a)(do(int(a), int(b)))


def _not(value: int) -> int:
    return UInt(UINT_MAX ^ int(value)) if isinstance(value, UInt) else ~value


def _left(value: int, count: int) -> int:
    _check_shift(count)
    shifted = (int(value) << count) & UINT_MAX if count < 64 else 0
    if isinstance(value, UInt):
        return UInt(shifted)
    return shifted if shifted <= INT_MAX else shifted + 2 * INT_MIN


def _right(value: int, count: int) -> int:
    """Of signed numbers as if they had none."""
    _check_shift(count)
    shifted = (int(value) & UINT_MAX) >> count if count < 64 else 0
    if isinstance(value, UInt):
        return UInt(shifted)
    return shifted if shifted <= INT_MAX else shifted + 2 * INT_MIN


def _check_shift(count: int) -> None:
    if count < 0:
        raise EvaluationError(f"math.bitShift() negative offset: {count}")
