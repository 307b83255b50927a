"""Watchers by the moment at which they are to be looked at: a look costs as much as there is to do, not as there are watchers."""

from __future__ import annotations

import heapq
import math
from typing import Generic, TypeVar

T = TypeVar("T")


class Due(Generic[T]):
    """Values in slots of `step_s`, on a clock in seconds. Nothing is due before its moment, all at most a step after it."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._slot_of: dict[T, int] = {}
        self._slots: dict[int, dict[T, None]] = {}
        # Numbers of the slots, the next first; one that has become empty stays until its time.
        self._order: list[int] = []

    def put(self, value: T, at: float) -> None:
        """From now on due at `at` and at no other time."""
        self.drop(value)
        slot = math.ceil(at / self._step_s)
        self._slot_of[value] = slot
        if slot not in self._slots:
            self._slots[slot] = {}
            heapq.heappush(self._order, slot)
        self._slots[slot][value] = None

    def drop(self, value: T) -> None:
        slot = self._slot_of.pop(value, None)
        if slot is not None:
            del self._slots[slot][value]

    def take(self, now: float) -> list[T]:
        """What is due, which is dropped with that."""
        found: list[T] = []
        while self._order and self._order[0] * self._step_s <= now:
            found += self._slots.pop(heapq.heappop(self._order))
        for value in found:
            del self._slot_of[value]
        return found
