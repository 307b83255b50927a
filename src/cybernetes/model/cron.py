"""Schedules of cron jobs: five fields, `@hourly` and its like, `@every 1h30m`.

source  crontab(5) as robfig/cron v3 ParseStandard reads it: `?` is `*`; when both day fields are restricted,
        either may match; days of the week are 0 to 6, Sunday is 0
"""

from __future__ import annotations

import datetime
from functools import lru_cache

import msgspec

from cybernetes.base import duration

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
# Of 64 bits; Python refuses to read thousands.
_DIGITS_MAX = 18
# No schedule that names a day at all is further away; "30 February" never comes.
_SEARCH_YEARS = 5


class _Bounds(msgspec.Struct, frozen=True):
    low: int
    high: int
    names: tuple[str, ...] = ()


_FIELDS = (_Bounds(0, 59), _Bounds(0, 23), _Bounds(1, 31), _Bounds(1, 12, _MONTHS), _Bounds(0, 6, _DAYS))


class Schedule(msgspec.Struct, frozen=True):
    """Sets of minutes, hours, days, months, weekdays; or a fixed distance.

    any_day, any_weekday  the field was `*`, so that only the other one decides
    every_s               0 where the sets decide
    """

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    any_day: bool = True
    any_weekday: bool = True
    every_s: int = 0

    def next(self, after: datetime.datetime) -> datetime.datetime | None:
        """The first moment after `after` (in its own time zone), None when there is none within five years."""
        if self.every_s:
            return after.replace(microsecond=0) + datetime.timedelta(seconds=self.every_s)
        moment = after.replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
        last = moment.year + _SEARCH_YEARS
        while moment.year <= last:
            if moment.month not in self.months:
                moment = _next_month(moment)
            elif not self._has_day(moment):
                moment = moment.replace(hour=0, minute=0) + datetime.timedelta(days=1)
            elif moment.hour not in self.hours:
                moment = moment.replace(minute=0) + datetime.timedelta(hours=1)
            elif moment.minute not in self.minutes:
                moment += datetime.timedelta(minutes=1)
            else:
                return moment
        return None

    def _has_day(self, moment: datetime.datetime) -> bool:
        day, weekday = moment.day in self.days, moment.isoweekday() % 7 in self.weekdays
        return day and weekday if self.any_day or self.any_weekday else day or weekday


def _next_month(moment: datetime.datetime) -> datetime.datetime:
    year, month = divmod(moment.year * 12 + moment.month, 12)
    return moment.replace(year=year, month=month + 1, day=1, hour=0, minute=0)


@lru_cache(maxsize=1024)
def parse(text: str) -> Schedule:
    """Raises ValueError with the words of the reference's parser."""
    if not text:
        raise ValueError("empty spec string")
    if text.startswith(("TZ=", "CRON_TZ=")):
        _, space, rest = text.partition(" ")
        if not space:
            raise ValueError(f"provided bad location {text.partition('=')[2]}")
        return parse(rest.strip())
    if text.startswith("@"):
        return _descriptor(text)
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    minutes, hours, days, months, weekdays = (
        _field(each, bounds) for each, bounds in zip(fields, _FIELDS, strict=True)
    )
    return Schedule(minutes, hours, days, months, weekdays, any_day=_is_any(fields[2]), any_weekday=_is_any(fields[4]))


def _is_any(field: str) -> bool:
    return any(each.split("/")[0] in ("*", "?") for each in field.split(","))


def _descriptor(text: str) -> Schedule:
    if text in _DESCRIPTORS:
        return parse(_DESCRIPTORS[text])
    if text.startswith("@every "):
        try:
            return Schedule(every_s=max(1, int(duration.parse(text.removeprefix("@every ")))))
        except ValueError as wrong:
            raise ValueError(f"failed to parse duration {text}: {wrong}") from wrong
    raise ValueError(f"unrecognized descriptor: {text}")


def _field(text: str, bounds: _Bounds) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        if part:
            found.update(_range(part, bounds))
    return frozenset(found)


def _range(text: str, bounds: _Bounds) -> range:
    """`*`, `5`, `1-5`, `*/10`, `1-30/5`, `mon-fri`."""
    span, *steps = text.split("/")
    limits = span.split("-")
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {text}")
    if len(limits) > 2:
        raise ValueError(f"too many hyphens: {text}")
    if limits[0] in ("*", "?"):
        low, high = bounds.low, bounds.high
    else:
        low = _number(limits[0], bounds)
        high = _number(limits[1], bounds) if len(limits) == 2 else bounds.high if steps else low
    step = _integer(steps[0]) if steps else 1
    if low < bounds.low:
        raise ValueError(f"beginning of range ({low}) below minimum ({bounds.low}): {text}")
    if high > bounds.high:
        raise ValueError(f"end of range ({high}) above maximum ({bounds.high}): {text}")
    if low > high:
        raise ValueError(f"beginning of range ({low}) beyond end of range ({high}): {text}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {text}")
    return range(low, high + 1, step)


def _number(text: str, bounds: _Bounds) -> int:
    if text.lower() in bounds.names:
        return bounds.names.index(text.lower()) + bounds.low
    return _integer(text)


def _integer(text: str) -> int:
    if not text.lstrip("-").isascii() or not text.lstrip("-").isdigit():
        raise ValueError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    if len(text) > _DIGITS_MAX:
        raise ValueError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": value out of range')
    number = int(text)
    if number < 0:
        raise ValueError(f"negative number ({number}) not allowed: {text}")
    return number
