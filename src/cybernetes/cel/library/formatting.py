"""Text from a pattern and values: '%s is %d'.format([name, number]).

source  cel-go ext "Strings", Format
"""

from __future__ import annotations

import math
import re
from typing import Any

from cybernetes.cel import times
from cybernetes.cel.conversions import render_double
from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.values import Duration, Timestamp, TypeValue, is_number, type_of

_CLAUSE = re.compile(r"%(?:%|(?:\.([0-9]+))?([a-zA-Z]?))")
PRECISION_MAX = 1000


def formatted(pattern: str, values: list[Any]) -> str:
    """Raises EvaluationError."""
    left = list(values)

    def clause(found: re.Match[str]) -> str:
        if found.group() == "%%":
            return "%"
        verb = found[2]
        if not verb:
            raise EvaluationError("could not parse formatting clause: unexpected end of string")
        if verb not in _VERBS:
            raise EvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{verb}"')
        if not left:
            raise EvaluationError(f"index {len(values)} out of range")
        precision = int(found[1]) if found[1] else 6
        if precision > PRECISION_MAX:
            raise EvaluationError(f"precision {precision} exceeds maximum allowed precision {PRECISION_MAX}")
        return _VERBS[verb](left.pop(0), precision)

    return _CLAUSE.sub(clause, pattern)


def _text(value: Any, _: int) -> str:
    return shown(value)


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, Timestamp):
        return times.render_timestamp(value)
    if isinstance(value, Duration):
        return times.render_duration(value)
    if isinstance(value, TypeValue | str):
        return str(value)
    if isinstance(value, float):
        return {"+Inf": "Infinity", "-Inf": "-Infinity"}.get(render_double(value), render_double(value))
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list):
        return f"[{', '.join(shown(each) for each in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown(key)}: {shown(value[key])}" for key in sorted(value, key=shown)) + "}"
    raise _wrong(
        "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps",
        value,
    )


def _decimal(value: Any, _: int) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return shown(value)
    if not is_number(value) or isinstance(value, float):
        raise _wrong("decimal clause can only be used on integers", value)
    return str(int(value))


def _fixed(value: Any, precision: int) -> str:
    return _double(value, f".{precision}f", "fixed-point")


def _scientific(value: Any, precision: int) -> str:
    return _double(value, f".{precision}e", "scientific")


def _double(value: Any, spec: str, name: str) -> str:
    if value in ("NaN", "Infinity", "-Infinity"):
        return str(value)
    if not is_number(value):
        raise _wrong(f"{name} clause can only be used on doubles", value)
    return format(float(value), spec) if math.isfinite(value) else shown(float(value))


def _binary(value: Any, _: int) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if not is_number(value) or isinstance(value, float):
        raise _wrong("only integers and bools can be formatted as binary", value)
    return format(int(value), "b")


def _octal(value: Any, _: int) -> str:
    if not is_number(value) or isinstance(value, float):
        raise _wrong("octal clause can only be used on integers", value)
    return format(int(value), "o")


def _hex(value: Any, _: int) -> str:
    if isinstance(value, str):
        return value.encode().hex()
    if isinstance(value, bytes):
        return value.hex()
    if not is_number(value) or isinstance(value, float):
        raise _wrong("only integers, byte buffers, and strings can be formatted as hex", value)
    return format(int(value), "x")


def _upper_hex(value: Any, precision: int) -> str:
    return _hex(value, precision).upper()


def _wrong(what: str, value: Any) -> EvaluationError:
    return EvaluationError(f"error during formatting: {what}, was given {type_of(value)}")


_VERBS = {
    "s": _text,
    "d": _decimal,
    "f": _fixed,
    "e": _scientific,
    "b": _binary,
    "o": _octal,
    "x": _hex,
    "X": _upper_hex,
}
