"""How fast lists of events go out: a bucket of tokens that fills at a steady rate."""

from __future__ import annotations


class Throttle:
    """per_s: lists a second in the long run, > 0. burst: lists at once after a pause, >= 1."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = float(burst)
        self._at = 0.0

    def pause_s(self, now: float) -> float:
        """Take a token; how long to wait before it may be used. now: monotonic, in seconds."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        self._left -= 1
        return max(0.0, -self._left / self._per_s)
