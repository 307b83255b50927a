"""What levels lend each other: seats follow the demand of the last seconds, inside of what each level allows.

source  KEP-1040, "Dispatching", borrowing between priority levels
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from cybernetes.apiserver.flowcontrol.settings import Seats

EVERY_S = 10.0
# How slowly demand that went away is forgotten: half of it in five minutes.
SMOOTHING = 0.977


class Demand(msgspec.Struct, frozen=True):
    """Seats in use and waited for, over a period."""

    high: float
    average: float
    deviation: float

    @property
    def envelope(self) -> float:
        return min(self.average + self.deviation, self.high)


class DemandMeter:
    """Seats that are used or waited for, integrated over time."""

    __slots__ = ("_at", "_began", "_high", "_squares", "_sum", "demand")

    def __init__(self, now: float) -> None:
        self.demand = 0
        self._high = 0
        self._began = self._at = now
        self._sum = self._squares = 0.0

    def change(self, by: int, now: float) -> None:
        demand, took = self.demand, now - self._at
        if took > 0:
            self._sum += demand * took
            self._squares += demand * demand * took
            self._at = now
        self.demand = demand = demand + by
        if demand > self._high:
            self._high = demand

    def take(self, now: float) -> Demand:
        """The demand since the last call."""
        self.change(0, now)
        took = now - self._began
        average = self._sum / took if took > 0 else float(self.demand)
        variance = self._squares / took - average * average if took > 0 else 0.0
        found = Demand(self._high, average, math.sqrt(max(variance, 0.0)))
        self._began, self._sum, self._squares, self._high = now, 0.0, 0.0, self.demand
        return found


def smoothed(before: float, demand: Demand) -> float:
    """Grows at once, shrinks slowly."""
    envelope = demand.envelope
    return max(envelope, SMOOTHING * before + (1 - SMOOTHING) * envelope)


class Wish(msgspec.Struct, frozen=True):
    """high: the most that was wanted in the last period. smooth: what it is likely to want."""

    seats: Seats
    high: float
    smooth: float


def allocate(wishes: Mapping[str, Wish], total: int) -> dict[str, int]:
    """Seats of each level for the next period: in proportion to its target, between its bounds.

    A level gets back what it lent as soon as it wants it: the lower bound is what it used, up to its nominal seats.
    """
    lower = {name: max(each.seats.minimum, min(each.seats.nominal, each.high)) for name, each in wishes.items()}
    if sum(lower.values()) >= total:
        return {name: round(value) for name, value in lower.items()}
    upper = {name: max(each.seats.maximum, lower[name]) for name, each in wishes.items()}
    target = {name: max(each.seats.minimum, each.smooth, 1.0) for name, each in wishes.items()}

    def at(fraction: float) -> dict[str, float]:
        return {name: min(upper[name], max(lower[name], fraction * target[name])) for name in wishes}

    # The sum grows with the fraction: halve the interval until it is as near as seats can tell.
    low, high = 0.0, total / min(target.values(), default=1.0)
    for _ in range(50):
        middle = (low + high) / 2
        if sum(at(middle).values()) < total:
            low = middle
        else:
            high = middle
    return {name: round(value) for name, value in at(high).items()}
