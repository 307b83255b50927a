"""Lengths of time as Go writes them: `1h2m3.5s`."""

from __future__ import annotations

import re

# Possessive: a client's text of many digits must not be tried at each of them.
_PART = re.compile(r"([0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(ns|us|µs|ms|s|m|h)")
# Of Go's, which counts nanoseconds in 64 bits.
_LIMIT_S = 2**63 / 1e9
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse(text: str) -> float:
    """Seconds; ValueError when it is no duration. Negative ones are not taken."""
    if text == "0":
        return 0.0
    seconds, at = 0.0, 0
    while at < len(text):
        found = _PART.match(text, at)
        if found is None:
            raise ValueError(f'time: invalid duration "{text}"')
        seconds += float(found[1]) * _UNITS[found[2]]
        at = found.end()
    if not text:
        raise ValueError('time: invalid duration ""')
    if seconds >= _LIMIT_S:
        raise ValueError(f'time: invalid duration "{text}"')
    return seconds
