"""Functions and operators of the language itself.

`&&`, `||`, `?:` and indexing are known to the compiler; here are their types only.

source  cel-spec langdef.md "List of Standard Definitions"
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Never

from cybernetes.cel import conversions, regex, times, values
from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.functions import Overload, function, method
from cybernetes.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    UINT,
    list_of,
    map_of,
    optional_of,
    param,
)
from cybernetes.cel.values import Duration, Timestamp, UInt, checked_duration, checked_int, checked_timestamp

A, B = param("A"), param("B")
LIST_A, MAP_AB = list_of(A), map_of(A, B)


def known_to_the_compiler(*arguments: Any) -> Never:
    raise AssertionError("this operator is not called as a function")


def overloads() -> list[Overload]:
    return [
        *_logic(),
        *_equality(),
        *_order(),
        *_arithmetic(),
        *_containers(),
        *conversions.overloads(),
        *_texts(),
        *_parts_of_times(),
    ]


def _logic() -> list[Overload]:
    no = known_to_the_compiler
    return [
        function("_?_:_", "conditional", [BOOL, A, A], A, no),
        function("_&&_", "logical_and", [BOOL, BOOL], BOOL, no),
        function("_||_", "logical_or", [BOOL, BOOL], BOOL, no),
        function("!_", "logical_not", [BOOL], BOOL, operator.not_),
        function("@not_strictly_false", "not_strictly_false", [BOOL], BOOL, no),
    ]


def _equality() -> list[Overload]:
    return [
        function("_==_", "equals", [A, A], BOOL, values.equal),
        function("_!=_", "not_equals", [A, A], BOOL, lambda a, b: not values.equal(a, b)),
    ]


_NUMBERS = {"int64": INT, "uint64": UINT, "double": DOUBLE}
_ORDERED = {"bool": BOOL, **_NUMBERS, "string": STRING, "bytes": BYTES, "timestamp": TIMESTAMP, "duration": DURATION}


def _order() -> list[Overload]:
    out = []
    for name, word, compare in (
        ("_<_", "less", operator.lt),
        ("_<=_", "less_equals", operator.le),
        ("_>_", "greater", operator.gt),
        ("_>=_", "greater_equals", operator.ge),
    ):
        out += [function(name, f"{word}_{kind}", [each, each], BOOL, compare) for kind, each in _ORDERED.items()]
        out += [
            function(
                name,
                f"{word}_{left}_{right}",
                [_NUMBERS[left], _NUMBERS[right]],
                BOOL,
                _as_doubles(compare) if "double" in (left, right) else compare,
            )
            for left in _NUMBERS
            for right in _NUMBERS
            if left != right
        ]
    return out


def _as_doubles(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Integers are as exact as doubles when they are compared with them."""
    return lambda left, right: compare(float(left), float(right))


def _arithmetic() -> list[Overload]:
    def add_bytes(a: bytes, b: bytes) -> bytes:
        return a + b

    return [
        function("_+_", "add_int64", [INT, INT], INT, lambda a, b: checked_int(a + b)),
        function("_+_", "add_uint64", [UINT, UINT], UINT, lambda a, b: values.checked_uint(int(a) + int(b))),
        function("_+_", "add_double", [DOUBLE, DOUBLE], DOUBLE, operator.add),
        function("_+_", "add_string", [STRING, STRING], STRING, operator.add),
        function("_+_", "add_bytes", [BYTES, BYTES], BYTES, add_bytes),
        function("_+_", "add_list", [LIST_A, LIST_A], LIST_A, _joined),
        function("_+_", "add_duration_duration", [DURATION, DURATION], DURATION, _plus(checked_duration)),
        function("_+_", "add_duration_timestamp", [DURATION, TIMESTAMP], TIMESTAMP, _plus(checked_timestamp)),
        function("_+_", "add_timestamp_duration", [TIMESTAMP, DURATION], TIMESTAMP, _plus(checked_timestamp)),
        function("_-_", "subtract_int64", [INT, INT], INT, lambda a, b: checked_int(a - b)),
        function("_-_", "subtract_uint64", [UINT, UINT], UINT, lambda a, b: values.checked_uint(int(a) - int(b))),
        function("_-_", "subtract_double", [DOUBLE, DOUBLE], DOUBLE, operator.sub),
        function("_-_", "subtract_duration_duration", [DURATION, DURATION], DURATION, _minus(checked_duration)),
        function("_-_", "subtract_timestamp_duration", [TIMESTAMP, DURATION], TIMESTAMP, _minus(checked_timestamp)),
        function("_-_", "subtract_timestamp_timestamp", [TIMESTAMP, TIMESTAMP], DURATION, _minus(checked_duration)),
        function("_*_", "multiply_int64", [INT, INT], INT, lambda a, b: checked_int(a * b)),
        function("_*_", "multiply_uint64", [UINT, UINT], UINT, lambda a, b: values.checked_uint(int(a) * int(b))),
        function("_*_", "multiply_double", [DOUBLE, DOUBLE], DOUBLE, operator.mul),
        function("_/_", "divide_int64", [INT, INT], INT, _divided),
        function("_/_", "divide_uint64", [UINT, UINT], UINT, lambda a, b: UInt(_divided(a, b))),
        function("_/_", "divide_double", [DOUBLE, DOUBLE], DOUBLE, _divided_double),
        function("_%_", "modulo_int64", [INT, INT], INT, _modulo),
        function("_%_", "modulo_uint64", [UINT, UINT], UINT, lambda a, b: UInt(_modulo(a, b))),
        function("-_", "negate_int64", [INT], INT, lambda a: checked_int(-a)),
        function("-_", "negate_double", [DOUBLE], DOUBLE, operator.neg),
    ]


def _joined(a: list[Any], b: list[Any]) -> list[Any]:
    if isinstance(a, values.SetList | values.MapList):
        return a.plus(b)
    return [*a, *b]


def _plus(checked: Callable[[int], Any]) -> Callable[[int, int], Any]:
    return lambda a, b: checked(int(a) + int(b))


def _minus(checked: Callable[[int], Any]) -> Callable[[int, int], Any]:
    return lambda a, b: checked(int(a) - int(b))


def _divided(a: int, b: int) -> int:
    """Towards zero."""
    if b == 0:
        raise EvaluationError("division by zero")
    quotient = abs(a) // abs(b)
    return checked_int(quotient if (a < 0) == (b < 0) else -quotient) if type(a) is int else quotient


def _divided_double(a: float, b: float) -> float:
    if b != 0:
        return a / b
    if a == 0 or a != a:
        return float("nan")
    return float("inf") if (a > 0) == (not _is_negative(b)) else float("-inf")


def _is_negative(number: float) -> bool:
    return str(number).startswith("-")


def _modulo(a: int, b: int) -> int:
    """With the sign of the dividend."""
    if b == 0:
        raise EvaluationError("modulus by zero")
    rest = abs(a) % abs(b)
    return -rest if a < 0 else rest


def _containers() -> list[Overload]:
    no = known_to_the_compiler
    return [
        function("_[_]", "index_list", [LIST_A, INT], A, no),
        function("_[_]", "index_map", [MAP_AB, A], B, no),
        function("_[_]", "optional_list_index_int", [optional_of(LIST_A), INT], optional_of(A), no),
        function("_[_]", "optional_map_index_value", [optional_of(MAP_AB), A], optional_of(B), no),
        function("_[?_]", "list_optindex_optional_int", [LIST_A, INT], optional_of(A), no),
        function("_[?_]", "optional_list_optindex_optional_int", [optional_of(LIST_A), INT], optional_of(A), no),
        function("_[?_]", "map_optindex_optional_value", [MAP_AB, A], optional_of(B), no),
        function("_[?_]", "optional_map_optindex_optional_value", [optional_of(MAP_AB), A], optional_of(B), no),
        function("_?._", "select_optional_field", [DYN, STRING], optional_of(A), no),
        function("cel.@mapInsert", "@mapInsert_map_key_value", [MAP_AB, A, B], MAP_AB, no),
        function("cel.@mapInsert", "@mapInsert_map_map", [MAP_AB, MAP_AB], MAP_AB, no),
        function("@in", "in_list", [A, LIST_A], BOOL, lambda a, b: values.contains(b, a)),
        function("@in", "in_map", [A, MAP_AB], BOOL, lambda a, b: values.entry(b, a) is not values.MISSING),
        *(
            make("size", each, [what], INT, len)
            for what, names in (
                (STRING, ("size_string", "string_size")),
                (BYTES, ("size_bytes", "bytes_size")),
                (LIST_A, ("size_list", "list_size")),
                (MAP_AB, ("size_map", "map_size")),
            )
            for make, each in zip((function, method), names, strict=True)
        ),
    ]


def _texts() -> list[Overload]:
    return [
        method("contains", "contains_string", [STRING, STRING], BOOL, lambda a, b: b in a),
        method("startsWith", "starts_with_string", [STRING, STRING], BOOL, str.startswith),
        method("endsWith", "ends_with_string", [STRING, STRING], BOOL, str.endswith),
        method("matches", "matches_string", [STRING, STRING], BOOL, regex.matches),
        function("matches", "matches", [STRING, STRING], BOOL, regex.matches),
    ]


def _parts_of_times() -> list[Overload]:
    out = []
    for name, word, read in (
        ("getFullYear", "year", lambda when: when.year),
        ("getMonth", "month", lambda when: when.month - 1),
        ("getDate", "day_of_month_1_based", lambda when: when.day),
        ("getDayOfMonth", "day_of_month", lambda when: when.day - 1),
        ("getDayOfWeek", "day_of_week", lambda when: when.isoweekday() % 7),
        ("getDayOfYear", "day_of_year", lambda when: when.timetuple().tm_yday - 1),
        ("getHours", "hours", lambda when: when.hour),
        ("getMinutes", "minutes", lambda when: when.minute),
        ("getSeconds", "seconds_tz", lambda when: when.second),
    ):
        out.append(method(name, f"timestamp_to_{word}", [TIMESTAMP], INT, _part(read)))
        out.append(method(name, f"timestamp_to_{word}_with_tz", [TIMESTAMP, STRING], INT, _part(read)))
    out += [
        method("getMilliseconds", "timestamp_to_milliseconds", [TIMESTAMP], INT, times.milliseconds),
        method(
            "getMilliseconds", "timestamp_to_milliseconds_with_tz", [TIMESTAMP, STRING], INT,
            lambda when, zone: times.milliseconds(when),
        ),
        *(
            method(name, f"duration_to_{name.removeprefix('get').lower()}", [DURATION], INT, _units(unit))
            for name, unit in (
                ("getHours", 3600 * values.NANO), ("getMinutes", 60 * values.NANO), ("getSeconds", values.NANO),
            )
        ),
        method("getMilliseconds", "duration_to_milliseconds", [DURATION], INT, lambda a: times.truncated(a, 10**6)),
    ]  # fmt: skip
    return out


def _part(read: Callable[[Any], int]) -> Callable[..., int]:
    def part(when: Timestamp, zone: str = "") -> int:
        return read(times.local(when, zone))

    return part


def _units(unit: int) -> Callable[[Duration], int]:
    return lambda value: times.truncated(value, unit)
