"""Sets of indexes as text: "0-2,4,5".

source  JobStatus, completedIndexes: three or more consecutive numbers are written as first and last
"""

from __future__ import annotations

from collections.abc import Collection, Iterator


def parse(text: str, limit: int) -> set[int]:
    """Indexes below `limit`."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), min(int(last or first) + 1, limit)))
    return found


def render(indexes: Collection[int]) -> str:
    return ",".join(_run(first, last) for first, last in _runs(indexes))


def _run(first: int, last: int) -> str:
    if first == last:
        return str(first)
    return f"{first},{last}" if last == first + 1 else f"{first}-{last}"


def _runs(indexes: Collection[int]) -> Iterator[tuple[int, int]]:
    start = last = -1
    for index in sorted(indexes):
        if start < 0:
            start = index
        elif index != last + 1:
            yield start, last
            start = index
        last = index
    if start >= 0:
        yield start, last
