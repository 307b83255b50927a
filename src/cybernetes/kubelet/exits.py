"""Has a pod whose process ended look at it at once, and again until the pod has seen it.

containerd announces an exit before its own records show it, so the first look may come too early.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from cybernetes.base.clock import Clock
from cybernetes.kubelet.worker import PodWorker

# Between two looks: from the first, doubling to the last.
FIRST_S = 0.01
LIMIT_S = 0.16
# What the runtime does not show after this long is left to the next relist.
SHOWN_MAX_S = 2.0


class Exits:
    def __init__(
        self, clock: Clock, group: asyncio.TaskGroup, workers: Mapping[str, PodWorker], relist: Callable[[], None]
    ) -> None:
        """relist: looks at everything, for a process that no pod is known to have."""
        self._clock = clock
        self._group = group
        self._workers = workers
        self._relist = relist
        self._chased: set[str] = set()

    def announce(self, process: str) -> None:
        """A container or sandbox of this id has ended."""
        if process not in self._chased:
            self._chased.add(process)
            self._group.create_task(self._chase(process), name=f"exit.{process[:12]}")

    async def _chase(self, process: str) -> None:
        pause_s, left_s = FIRST_S, SHOWN_MAX_S
        try:
            while left_s > 0:
                worker = next((each for each in self._workers.values() if each.knows(process)), None)
                if worker is None:
                    self._relist()
                elif worker.has_seen_end(process):
                    return
                else:
                    worker.wake.set()
                await self._clock.sleep(pause_s)
                left_s -= pause_s
                pause_s = min(LIMIT_S, pause_s * 2)
        finally:
            self._chased.discard(process)
