"""Canonical texts of scalars that JSON has no type for: times, bytes, quantities.

raises  ValueError with the words of Go's parser
"""

from __future__ import annotations

import binascii
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cybernetes.model.field import quoted

_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)([.,]\d+)?(Z|[+-]\d\d:\d\d)\Z")
_ZERO = "0001-01-01T00:00:00"
SECONDS_LAYOUT = "2006-01-02T15:04:05Z07:00"
MICRO_LAYOUT = "2006-01-02T15:04:05.000000Z07:00"
_PARTS = (
    ("2006", 4),
    ("-", 0),
    ("01", 2),
    ("-", 0),
    ("02", 2),
    ("T", 0),
    ("15", 2),
    (":", 0),
    ("04", 2),
    (":", 0),
    ("05", 2),
)
_RANGES = {
    "01": ("month", 1, 12),
    "02": ("day", 1, 31),
    "15": ("hour", 0, 23),
    "04": ("minute", 0, 59),
    "05": ("second", 0, 59),
}


@lru_cache(maxsize=4096)
def time(text: str) -> str | None:
    """RFC 3339 in UTC with whole seconds; None for Go's zero time."""
    if _SECONDS.match(text) is not None:
        try:
            datetime.fromisoformat(text)
        except ValueError as error:
            raise _unparsed(text, SECONDS_LAYOUT) from error
        return None if text.startswith(_ZERO) else text
    moment = _moment(text, SECONDS_LAYOUT)
    shown = moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    return None if shown.startswith(_ZERO) else shown


@lru_cache(maxsize=4096)
def micro_time(text: str) -> str | None:
    """RFC 3339 in UTC with six digits of fraction, which the text must have."""
    found = _TIME.match(text)
    if found is not None and (found[7] is None or len(found[7]) != 7):
        raise _unparsed(text, MICRO_LAYOUT)
    moment = _moment(text, MICRO_LAYOUT)
    shown = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    return None if shown.startswith(_ZERO + ".000000") else shown


def _moment(text: str, layout: str) -> datetime:
    found = _TIME.match(text)
    if found is None:
        raise _unparsed(text, layout)
    try:
        micros = int((found[7] or ".0")[1:7].ljust(6, "0"))
        year, month, day, hour, minute, second = (int(found[i]) for i in range(1, 7))
        moment = datetime(year, month, day, hour, minute, second, micros, tzinfo=UTC)
        zone = found[8]
        if zone != "Z":
            offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
            moment -= offset if zone[0] == "+" else -offset
    except (ValueError, OverflowError) as error:
        raise _unparsed(text, layout) from error
    return moment


def _unparsed(text: str, layout: str) -> ValueError:
    """What time.Parse says: the first element of the layout that the text doesn't have."""
    head = f"parsing time {quoted(text)}"
    rest = text
    for part, digits in _PARTS:
        if digits:
            if len(rest) < digits or not rest[:digits].isdecimal():
                return ValueError(f"{head} as {quoted(layout)}: cannot parse {quoted(rest)} as {quoted(part)}")
            number, rest = int(rest[:digits]), rest[digits:]
            name, low, high = _RANGES.get(part, ("", 0, 9999))
            if not low <= number <= high:
                return ValueError(f"{head}: {name} out of range")
        elif rest.startswith(part):
            rest = rest[1:]
        else:
            return ValueError(f"{head} as {quoted(layout)}: cannot parse {quoted(rest)} as {quoted(part)}")
    if layout is MICRO_LAYOUT:
        fraction = re.match(r"[.,]\d{6}(?!\d)", rest)
        if fraction is None:
            return ValueError(f'{head} as {quoted(layout)}: cannot parse {quoted(rest)} as ".000000"')
        rest = rest[7:]
    else:
        rest = re.sub(r"^[.,]\d+", "", rest)
    if not re.match(r"Z|[+-]\d\d:\d\d", rest):
        return ValueError(f'{head} as {quoted(layout)}: cannot parse {quoted(rest)} as "Z07:00"')
    rest = re.sub(r"^(Z|[+-]\d\d:\d\d)", "", rest)
    return ValueError(f"{head}: extra text: {quoted(rest)}" if rest else f"{head}: day out of range")


def base64(text: str) -> str:
    """Standard base64; line breaks are ignored, as Go does."""
    compact = text.replace("\n", "").replace("\r", "")
    try:
        raw = binascii.a2b_base64(compact, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"illegal base64 data at input byte {_bad_byte(compact)}") from error
    return binascii.b2a_base64(raw, newline=False).decode()


def _bad_byte(text: str) -> int:
    """Where Go's decoder stops: the first foreign byte, wrong padding, or the last incomplete group."""
    foreign = re.search(r"[^A-Za-z0-9+/]", text)
    if foreign is None:
        return len(text) - len(text) % 4
    return foreign.start()
