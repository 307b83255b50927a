"""Stops containers: the preStop hook, then the signal, then the kill, all within the grace period.

source  Kubernetes documentation "Pod Lifecycle", termination of Pods; "Container Lifecycle Hooks"
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from cybernetes.kubelet import pods
from cybernetes.kubelet.observe import Observed
from cybernetes.kubelet.plan import stop_order
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.runtime.api import ContainerStatus
from cybernetes.kubelet.tools import Tools

# A container gets this long after its signal even when its hook used the grace up.
GRACE_MIN_S = 2


class Stopper:
    """Stops containers of one pod; a hook that has run is not run again when stopping is repeated."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._hooked: set[str] = set()
        self._told: set[str] = set()

    async def stop_all(
        self, pod: Object, observed: Observed, grace_s: int, on_end: Callable[[], Awaitable[None]]
    ) -> None:
        """Containers side by side, then sidecars one after the other with what is left of the grace.

        on_end  called when one has ended and others have not
        """
        clock = self._tools.clock
        deadline = clock.monotonic() + grace_s
        groups = stop_order(pod, observed)
        left = sum(map(len, groups))

        async def stop(each: ContainerStatus, grace_s: float) -> None:
            nonlocal left
            await self.stop(pod, observed, each, grace_s, f"Stopping container {each.name}")
            left -= 1
            if left:
                await on_end()

        for group in groups:
            left_s = max(0.0, deadline - clock.monotonic())
            await _side_by_side({each.name: stop(each, left_s) for each in group})

    async def stop(
        self, pod: Object, observed: Observed, container: ContainerStatus, grace_s: float, message: str
    ) -> None:
        tools = self._tools
        if container.id not in self._told:
            self._told.add(container.id)
            tools.say(pod, container.name, "Normal", "Killing", message)
        deadline = tools.clock.monotonic() + grace_s
        await self._hook(pod, observed, container, grace_s)
        left_s = max(GRACE_MIN_S, math.ceil(deadline - tools.clock.monotonic()))
        await tools.runtime.stop_container(container.id, left_s)

    async def kill(self, pod: Object, containers: Sequence[ContainerStatus]) -> None:
        """All at once, without hooks or grace."""
        for each in containers:
            self._tools.say(pod, each.name, "Normal", "Killing", f"Stopping container {each.name}")
        await _side_by_side({each.id: self._tools.runtime.stop_container(each.id, 0) for each in containers})

    async def _hook(self, pod: Object, observed: Observed, container: ContainerStatus, grace_s: float) -> None:
        found = pods.find_container(pod, container.name)
        handler = ((found[1].get("lifecycle") or {}).get("preStop")) if found else None
        if not handler or found is None or container.id in self._hooked or grace_s <= 0:
            return
        tools = self._tools
        ip = pod_ip(tools, pod, observed)
        try:
            async with asyncio.timeout(grace_s):
                failure = await tools.prober.hook(handler, found[1], container.id, ip, grace_s)
        except TimeoutError:
            failure = "it took longer than the grace period"
        self._hooked.add(container.id)
        if failure:
            tools.say(pod, container.name, "Warning", "FailedPreStopHook", "PreStopHook failed")


async def _side_by_side(works: Mapping[str, Coroutine[Any, Any, None]]) -> None:
    try:
        async with asyncio.TaskGroup() as tasks:
            for name, work in works.items():
                tasks.create_task(work, name=f"stop.{name}")
    except ExceptionGroup as failed:
        # Stopping is repeated as a whole; which container failed first does not matter.
        raise failed.exceptions[0] from failed


def pod_ip(tools: Tools, pod: Object, observed: Observed) -> str:
    if pods.is_host_network(pod):
        return tools.node.ips[0] if tools.node.ips else "127.0.0.1"
    box = observed.sandbox
    return box.ips[0] if box is not None and box.ips else ""
