"""What compiled expressions are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cybernetes.cel.errors import CostExceeded

# What was spent, what may be spent, then variables.
Frame = list[Any]
FIRST = 2
Run = Callable[[Frame], Any]
# What to run, and what to charge before it is run.
Part = tuple[Run, int]
# Stands for a variable that was not given.
MISSING = object()


def charge(frame: Frame, cost: int) -> None:
    frame[0] += cost
    if frame[0] > frame[1]:
        raise CostExceeded("operation cancelled: actual cost limit exceeded")
