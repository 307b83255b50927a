"""One pod's work at a time, given up when something more urgent comes, and repeated later when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.base.tasks import backoff
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.runtime.api import NotFound
from cybernetes.kubelet.tools import Tools

ERROR_FIRST_S = 0.5
ERROR_LIMIT_S = 10.0
BUG_WAIT_S = 60.0

_log = Log("kubelet")


class Urgency:
    """pod: for names of tasks and for the log."""

    def __init__(self, tools: Tools, pod: Object) -> None:
        self._tools = tools
        self._name = pod["metadata"]["name"]
        self._ref = f"{pod['metadata']['namespace']}/{self._name}"
        self._interrupt = asyncio.Event()
        self._errors = 0

    def interrupt(self) -> None:
        """What is being done is not wanted any more."""
        self._interrupt.set()

    def settle(self) -> None:
        """All that was urgent is known; from now on only what comes is."""
        self._interrupt.clear()

    async def do(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """What `work` returns; 0.0 when it was given up, and the seconds to wait when it failed."""
        task = self._tools.group.create_task(self._without_errors(work), name=f"pod.{self._name}")
        interrupt = self._tools.group.create_task(self._interrupt.wait(), name="pod.interrupt")
        try:
            await asyncio.wait({task, interrupt}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            interrupt.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        return 0.0 if task.cancelled() else task.result()

    async def _without_errors(self, work: Callable[[], Awaitable[Any]]) -> Any:
        try:
            result = await work()
        except (EdgeError, ApiError, NotFound) as error:
            self._errors += 1
            _log.warning("pod.failed", pod=self._ref, why=str(error))
            return backoff(self._errors - 1, first_s=ERROR_FIRST_S, limit_s=ERROR_LIMIT_S, random=self._tools.random)
        except Exception as bug:
            # One pod's spec must not take the node down: a kubelet that ends and starts again meets the same pod.
            _log.error("pod.bug", bug, pod=self._ref)
            return BUG_WAIT_S
        self._errors = 0
        return result
