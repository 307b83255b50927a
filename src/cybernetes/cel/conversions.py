"""From one type to another: `int("7")`, `string(1.5)`, and what a text must look like for it.

source  cel-spec langdef.md "Type Conversions"; doubles are written as cel-go writes them
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from cybernetes.base.number import whole
from cybernetes.cel import times, values
from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.functions import Overload, function
from cybernetes.cel.types import BOOL, BYTES, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, UINT, Type, param, type_of
from cybernetes.cel.values import Duration, UInt, checked_duration, checked_int, checked_timestamp

_A = param("A")


def overloads() -> list[Overload]:
    def to(name: str, result: Type, *sources: tuple[str, Type, Callable[[Any], Any]]) -> list[Overload]:
        return [function(name, f"{kind}_to_{_WORDS[name]}", [source], result, make) for kind, source, make in sources]

    return [
        function("dyn", "to_dyn", [_A], DYN, lambda value: value),
        function("type", "type", [_A], type_of(_A), values.type_name),
        *to("bool", BOOL, ("bool", BOOL, _same), ("string", STRING, _bool)),
        *to("bytes", BYTES, ("bytes", BYTES, _same), ("string", STRING, str.encode)),
        *to(
            "double", DOUBLE, ("double", DOUBLE, _same), ("int64", INT, float), ("uint64", UINT, float),
            ("string", STRING, _double),
        ),
        *to("duration", DURATION, ("duration", DURATION, _same), ("int64", INT, _seconds), ("string", STRING, times.duration)),
        *to(
            "int", INT, ("int64", INT, _same), ("uint64", UINT, lambda a: checked_int(int(a))),
            ("double", DOUBLE, _truncated), ("string", STRING, _int), ("timestamp", TIMESTAMP, lambda a: int(a) // values.NANO),
            ("duration", DURATION, int),
        ),
        *to(
            "string", STRING, ("string", STRING, _same), ("bool", BOOL, lambda a: "true" if a else "false"),
            ("bytes", BYTES, _decoded), ("double", DOUBLE, render_double), ("int64", INT, str), ("uint64", UINT, lambda a: str(int(a))),
            ("timestamp", TIMESTAMP, times.render_timestamp), ("duration", DURATION, times.render_duration),
        ),
        *to(
            "timestamp", TIMESTAMP, ("timestamp", TIMESTAMP, _same), ("string", STRING, times.timestamp),
            ("int64", INT, lambda a: checked_timestamp(a * values.NANO)),
        ),
        *to(
            "uint", UINT, ("uint64", UINT, _same), ("int64", INT, values.checked_uint), ("double", DOUBLE, _truncated_uint),
            ("string", STRING, _uint),
        ),
    ]  # fmt: skip


_WORDS = {
    "bool": "bool",
    "bytes": "bytes",
    "double": "double",
    "duration": "duration",
    "int": "int64",
    "string": "string",
    "timestamp": "timestamp",
    "uint": "uint64",
}
_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")


def _same(value: Any) -> Any:
    return value


def _seconds(value: int) -> Duration:
    return checked_duration(value * values.NANO)


def _bool(text: str) -> bool:
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise _not_converted("string", "bool")


def _int(text: str) -> int:
    if not text.isascii() or "_" in text or text != text.strip():
        raise _not_converted("string", "int")
    try:
        value = int(text)
    except ValueError as wrong:
        raise _not_converted("string", "int") from wrong
    if not values.INT_MIN <= value <= values.INT_MAX:
        raise _not_converted("string", "int")
    return value


def _uint(text: str) -> UInt:
    value = whole(text.lstrip("0") or text[-1:], 20)
    if value is None or value > values.UINT_MAX:
        raise _not_converted("string", "uint")
    return UInt(value)


def _double(text: str) -> float:
    if "_" in text or text != text.strip():
        raise _not_converted("string", "double")
    try:
        return float(text)
    except ValueError as wrong:
        raise _not_converted("string", "double") from wrong


def _not_converted(source: str, wanted: str) -> EvaluationError:
    return EvaluationError(f"type conversion error from '{source}' to '{wanted}'")


def _truncated(value: float) -> int:
    # The ends of the range can't be told apart from what lies outside of it.
    if not -9223372036854775808.0 < value < 9223372036854775808.0:
        raise EvaluationError("integer overflow")
    return int(value)


def _truncated_uint(value: float) -> UInt:
    if not 0 <= value < 18446744073709551616.0:
        raise EvaluationError("unsigned integer overflow")
    return UInt(int(value))


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as wrong:
        raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from wrong


def render_double(value: float) -> str:
    """As Go writes it: the shortest text, with an exponent where that is below -4 or above 5."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    shown = "".join(str(each) for each in digits)
    point = len(shown) + exponent
    if value == 0:
        return "-0" if sign else "0"
    text = _with_exponent(shown, point) if point - 1 < -4 or point - 1 > 5 else _plain(shown, point)
    return f"-{text}" if sign else text


def _with_exponent(digits: str, point: int) -> str:
    exponent = point - 1
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{rest}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _plain(digits: str, point: int) -> str:
    if point <= 0:
        return f"0.{'0' * -point}{digits}"
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return f"{digits[:point]}.{digits[point:]}"
