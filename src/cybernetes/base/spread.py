"""How long things took: plain counts by upper bound, put into form when somebody asks for metrics."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate


class Spread:
    """bounds  in seconds, ascending; what took longer is counted without one"""

    __slots__ = ("bounds", "counts", "total_s")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total_s = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total_s += seconds

    def buckets(self, at_once: int = 0) -> list[tuple[str, int]]:
        """As prometheus_client has them; `at_once` took no time at all."""
        names = (*map(str, self.bounds), "+Inf")
        return [(bound, at_once + count) for bound, count in zip(names, accumulate(self.counts), strict=True)]
