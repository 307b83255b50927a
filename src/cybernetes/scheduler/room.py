"""Where only room decides, and how much of it one node lacks."""

from __future__ import annotations

from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.pods import PodEntry


def shortage(cycle: Cycle, pod: PodEntry, row: int) -> list[tuple[str, int]]:
    """(resource, how much more would be needed) where the pod does not fit on the node of this row."""
    columns = cycle.columns
    found = []
    for resource, name, amount in cycle.fit(pod).wanted:
        at = resource * columns.stride + row
        free = columns.allocatable[at] - columns.used[at]
        if amount > free:
            found.append((name, amount - free))
    return found
