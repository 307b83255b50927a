"""Pods that have a node."""

from __future__ import annotations

from collections import Counter

from cybernetes.scheduler.pods import PodEntry


class Placed:
    """By key, and how many of each pod group."""

    def __init__(self) -> None:
        self._by_key: dict[str, PodEntry] = {}
        self._sizes: Counter[str] = Counter()

    def get(self, key: str) -> PodEntry | None:
        return self._by_key.get(key)

    def put(self, pod: PodEntry) -> None:
        """In place of the one that had its key, if any."""
        self.pop(pod.key)
        self._by_key[pod.key] = pod
        if pod.group:
            self._sizes[pod.group] += 1

    def pop(self, key: str) -> PodEntry | None:
        gone = self._by_key.pop(key, None)
        if gone is not None and gone.group:
            self._sizes[gone.group] -= 1
            if not self._sizes[gone.group]:
                del self._sizes[gone.group]
        return gone

    def group_size(self, group: str) -> int:
        return self._sizes[group]
