"""Least and most of sizes and costs; arithmetic that stops at the largest number."""

from __future__ import annotations

import math
from typing import NamedTuple

LARGEST = 2**64 - 1


class Range(NamedTuple):
    least: int
    most: int

    def plus(self, other: Range) -> Range:
        return Range(_capped(self.least + other.least), _capped(self.most + other.most))

    def times(self, other: Range) -> Range:
        return Range(_capped(self.least * other.least), _capped(self.most * other.most))

    def by(self, factor: float) -> Range:
        """Rounded up."""
        return Range(_scaled(self.least, factor), _scaled(self.most, factor))

    def union(self, other: Range) -> Range:
        return Range(min(self.least, other.least), max(self.most, other.most))


def exactly(number: int) -> Range:
    return Range(number, number)


NOTHING, ONE, UNKNOWN = exactly(0), exactly(1), Range(0, LARGEST)


def _capped(number: int) -> int:
    return min(number, LARGEST)


def _scaled(number: int, factor: float) -> int:
    return _capped(math.ceil(number * factor))
