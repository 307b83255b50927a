"""How long an input may take."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Of processor time, for one input. Whatever a client sends is answered long before this.
HANG_S = 5.0


class Hang(AssertionError):
    """An input that kept the processor busy for too long."""


@contextmanager
def at_most(cpu_s: float) -> Iterator[None]:
    """Raises Hang in what runs within, once the process has used so much time of its own."""
    before = signal.signal(signal.SIGVTALRM, _raise_hang)
    signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _raise_hang(_number: int, _frame: FrameType | None) -> None:
    raise Hang("an input takes too long")
