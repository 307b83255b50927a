"""Timestamps and durations: texts, parts.

source  cel-spec langdef.md "Abstract Types"; Go's time.ParseDuration and RFC 3339
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from cybernetes.cel import types
from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.values import NANO, Duration, Timestamp, checked_duration, checked_timestamp

_STAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,18}))?(?:[Zz]|([+-])(\d\d):(\d\d))\Z", re.ASCII
)
_PART = re.compile(r"([0-9]*)(?:(\.)([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": NANO,
    "m": 60 * NANO,
    "h": 3600 * NANO,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET = re.compile(r"([+-]?)(\d\d):(\d\d)\Z")


@lru_cache(maxsize=1024)
def timestamp(text: str) -> Timestamp:
    """Of RFC 3339. Raises EvaluationError."""
    found = _STAMP.match(text)
    if found is None:
        raise EvaluationError(_no_timestamp(text))
    year, month, day, hour, minute, second = (int(each) for each in found.groups()[:6])
    fraction, sign, hours, minutes = found.groups()[6:]
    try:
        whole = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as wrong:
        raise EvaluationError(_no_timestamp(text)) from wrong
    if sign and (int(hours) > 24 or int(minutes) > 60):
        raise EvaluationError(_no_timestamp(text))
    shift = (int(hours) * 3600 + int(minutes) * 60) * (-1 if sign == "-" else 1) if sign else 0
    seconds = (whole - _EPOCH) // timedelta(seconds=1) - shift
    return checked_timestamp(seconds * NANO + int((fraction or "0").ljust(9, "0")[:9]))


def _read_timestamp(value: Any) -> Any:
    """Of a document: a time, or a day."""
    if type(value) is not str:
        return value
    return timestamp(f"{value}T00:00:00Z" if len(value) == len("2006-01-02") else value)


def _read_duration(value: Any) -> Any:
    return duration(value) if type(value) is str else value


def _read_bytes(value: Any) -> Any:
    if type(value) is not str:
        return value
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as wrong:
        raise EvaluationError(f"illegal base64 data at input byte {len(value)}") from wrong


def _read_double(value: Any) -> Any:
    return float(value) if type(value) is int else value


# Documents have texts and whole numbers in place of these.
types.TIMESTAMP.adapt = _read_timestamp
types.DURATION.adapt = _read_duration
types.BYTES.adapt = _read_bytes
types.DOUBLE.adapt = _read_double


def _no_timestamp(text: str) -> str:
    layout = "2006-01-02T15:04:05Z07:00"
    return f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "2006"'


@lru_cache(maxsize=1024)
def duration(text: str) -> Duration:
    """Of Go's form: 1h30m, 1.5s, -2ms. Raises EvaluationError."""
    sign = -1 if text[:1] == "-" else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return Duration(0)
    at, total = 0, 0
    while at < len(rest):
        found = _PART.match(rest, at)
        if found is None or not (found[1] or found[3]):
            raise EvaluationError(f'time: invalid duration "{text}"')
        unit = _UNITS[found[4]]
        total += int(found[1] or "0") * unit
        if found[3]:
            total += int(found[3]) * unit // 10 ** len(found[3])
        at = found.end()
    if not rest:
        raise EvaluationError(f'time: invalid duration "{text}"')
    return checked_duration(sign * total)


def render_timestamp(value: Timestamp) -> str:
    seconds, nanos = divmod(int(value), NANO)
    whole = _EPOCH + timedelta(seconds=seconds)
    fraction = f".{nanos:09d}".rstrip("0") if nanos else ""
    return f"{whole.year:04d}-{whole:%m-%dT%H:%M:%S}{fraction}Z"


def render_duration(value: Duration) -> str:
    """In seconds: 90s, 1.5s."""
    seconds, nanos = divmod(abs(int(value)), NANO)
    fraction = f".{nanos:09d}".rstrip("0") if nanos else ""
    return f"{'-' if value < 0 else ''}{seconds}{fraction}s"


def local(value: Timestamp, zone: str = "") -> datetime:
    """The time in a zone: an IANA name or an offset such as -08:00. Raises EvaluationError."""
    when = _EPOCH + timedelta(seconds=int(value) // NANO)
    if not zone:
        return when
    found = _OFFSET.match(zone)
    try:
        if found is not None:
            shift = timedelta(hours=int(found[2]), minutes=int(found[3]))
            return when - shift if found[1] == "-" else when + shift
        return when.astimezone(ZoneInfo(zone))
    except OverflowError as wrong:
        raise EvaluationError("timestamp overflow") from wrong
    except (KeyError, ValueError, OSError) as wrong:
        raise EvaluationError(f"unknown time zone {zone}") from wrong


def milliseconds(value: Timestamp) -> int:
    return int(value) % NANO // 10**6


def truncated(value: Duration, unit: int) -> int:
    """How many whole units, towards zero."""
    return int(value) // unit if value >= 0 else -(-int(value) // unit)
