"""Applies the steps of a plan that start or stop single containers, and remembers how they went."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cybernetes.kubelet import backoff, launch, plan, pods, restart_all
from cybernetes.kubelet.launch import Launch, StartFailed
from cybernetes.kubelet.observe import Observed
from cybernetes.kubelet.plan import StartContainer, StopContainer
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.prober import HOOK_TIMEOUT_S
from cybernetes.kubelet.progress import Progress
from cybernetes.kubelet.resize import Resizer
from cybernetes.kubelet.runtime.api import State
from cybernetes.kubelet.stop import Stopper, pod_ip
from cybernetes.kubelet.tools import Tools
from cybernetes.kubelet.watchman import Watchman

# A kubelet that can't reach the API server restarts containers all the same.
TOLD_MAX_S = 2.0


class Starter:
    """look, publish: look at the pod anew; tell its status."""

    def __init__(
        self,
        tools: Tools,
        progress: Progress,
        stopper: Stopper,
        watchman: Watchman,
        resizer: Resizer,
        look: Callable[[], Awaitable[Observed]],
        publish: Callable[[], None],
    ) -> None:
        self._tools = tools
        self._progress = progress
        self._stopper = stopper
        self._watchman = watchman
        self._resizer = resizer
        self._look = look
        self._publish = publish

    def not_before(self) -> float:
        """Objects that the pod refers to must have been read since this (monotonic) time."""
        return max(self._progress.fresh_from, self._tools.clock.monotonic() - self._tools.config.sync_frequency_s)

    async def run_sandbox(self, pod: Object, attempt: int) -> str:
        """Its id; "" when it could not be made."""
        try:
            made = await launch.run_sandbox(self._tools, self._launch(pod), attempt)
        except StartFailed:
            self._progress.sandbox_failed(self._tools.clock.monotonic(), self._tools.random)
            return ""
        self._progress.sandbox_failures = 0
        return made

    def _launch(self, pod: Object) -> Launch:
        start = self._progress
        return Launch(pod, start.volumes, start.keys, start.seen_at, self.not_before())

    async def start_container(self, pod: Object, observed: Observed, step: StartContainer) -> str:
        """Its id; "" when it could not be started."""
        found = pods.find_container(pod, step.name)
        assert found is not None
        start = self._progress
        self._note_restart(found[1], observed)
        try:
            await self._ensure_hosts(pod, observed)
            container_id = await launch.create_container(self._tools, self._launch(pod), observed, step)
            self._resizer.started(step.name, container_id)
            if (found[1].get("lifecycle") or {}).get("postStart"):
                start.hooking.add(container_id)
            await launch.start_container(self._tools, pod, step.name, container_id)
            start.waiting.pop(step.name, None)
            await self._post_start(pod, found[1], container_id)
        except StartFailed as failed:
            start.waiting[step.name] = (failed.reason, failed.message)
            start.failed[step.name] = self._tools.clock.monotonic() + failed.wait_s
            start.fresh_from = self._tools.clock.monotonic()
            return ""
        return container_id

    def _note_restart(self, container: Object, observed: Observed) -> None:
        """Count the restart: the next one has to wait longer."""
        ended = next((each for each in observed.instances(container["name"]) if each.state is State.EXITED), None)
        if ended is None:
            return
        key = plan.restart_key(container)
        since, limit_s = ended.finished_at / 1e9, self._tools.config.max_restart_s
        self._progress.entries[key] = backoff.following(
            self._progress.entries.get(key), since, self._tools.clock.now(), limit_s
        )

    async def _ensure_hosts(self, pod: Object, observed: Observed) -> None:
        box = observed.sandbox
        ips = box.ips if box is not None else ()
        if self._progress.hosts_for != ips:
            await launch.write_hosts(self._tools, pod, ips)
            self._progress.hosts_for = ips

    async def _post_start(self, pod: Object, container: Object, container_id: str) -> None:
        handler = (container.get("lifecycle") or {}).get("postStart")
        if not handler:
            return
        observed = await self._look()
        self._publish()
        ip = pod_ip(self._tools, pod, observed)
        failure = await self._tools.prober.hook(handler, container, container_id, ip, HOOK_TIMEOUT_S)
        if failure:
            name = container["name"]
            self._tools.say(pod, name, "Warning", "FailedPostStartHook", "PostStartHook failed")
            instance = observed.latest(name)
            if instance is not None:
                await self._stopper.stop(pod, observed, instance, pods.grace_s(pod), "FailedPostStartHook")
            self._progress.hooking.discard(container_id)
            raise StartFailed("PostStartHookError", "PostStartHook failed", 0.0)
        self._progress.hooking.discard(container_id)

    async def stop_container(self, pod: Object, observed: Observed, step: StopContainer) -> None:
        instance = next((each for each in observed.containers if each.id == step.container_id), None)
        self._watchman.forget(step.container_id)
        if instance is None:
            return
        await self._stopper.stop(pod, observed, instance, self._grace_of(pod, step), step.message)

    async def restart_all(self, pod: Object, observed: Observed) -> None:
        """End all containers and have the runtime forget them.

        Whoever follows the pod sees when it begins and when nothing is left; the numbers of further lives come from
        what is told then.
        """
        await self._tell(pod)
        for container in restart_all.triggers(pod, observed):
            self._note_restart(container, observed)
        doomed = restart_all.doomed(pod, observed)
        for each in doomed:
            self._watchman.forget(each.id)
        await self._stopper.kill(pod, [each for each in doomed if each.state is State.RUNNING])
        for each in doomed:
            await self._tools.runtime.remove_container(each.id)
        for memory in (self._progress.waiting, self._progress.failed, self._progress.hooking):
            memory.clear()
        await self._look()
        await self._tell(pod)

    async def _tell(self, pod: Object) -> None:
        self._publish()
        await self._tools.statuses.told(pods.uid(pod), TOLD_MAX_S)

    @staticmethod
    def _grace_of(pod: Object, step: StopContainer) -> int:
        found = pods.find_container(pod, step.name)
        probe = found[1].get(f"{step.probe}Probe") if found and step.probe else None
        own = (probe or {}).get("terminationGracePeriodSeconds")
        return int(own) if own is not None else pods.grace_s(pod)

    async def collect(self, observed: Observed, name: str) -> None:
        """Remove dead instances of a container but the newest, whose end its status still tells; and failed tries."""
        instances = observed.instances(name)
        dead = [each for each in instances if each.state is State.EXITED]
        tries = [each for each in instances[1:] if each.state in (State.CREATED, State.UNKNOWN)]
        for each in (*dead[1:], *tries):
            await self._tools.runtime.remove_container(each.id)
