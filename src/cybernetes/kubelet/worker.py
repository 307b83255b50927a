"""One pod's worker: looks, plans, acts, reports; until the pod is gone.

Everything that can change a pod only wakes its worker, which then looks again. What the worker
knows beside the runtime (back-off, reasons, probe results) is lost with the kubelet and comes back
from the runtime and from the pod's status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from cybernetes.base.clock import parse_rfc3339
from cybernetes.kubelet import launch, plan, pods, remains, restart_all, status
from cybernetes.kubelet.admit import Admission
from cybernetes.kubelet.follow import keys_of
from cybernetes.kubelet.lookout import Lookout
from cybernetes.kubelet.observe import Observed
from cybernetes.kubelet.plan import CRASH_LOOP, RestartAll, RunSandbox, StartContainer, StopContainer, StopPod
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.preparation import Preparation, certain
from cybernetes.kubelet.progress import Progress
from cybernetes.kubelet.resize import Resizer
from cybernetes.kubelet.starter import Starter
from cybernetes.kubelet.stop import Stopper, pod_ip
from cybernetes.kubelet.tools import Tools
from cybernetes.kubelet.urgency import Urgency
from cybernetes.kubelet.verdict import Verdict
from cybernetes.kubelet.watchman import Watchman

DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


class PodWorker:
    def __init__(self, tools: Tools, pod: Object, admission: Admission) -> None:
        self._resizer = Resizer(tools, pod, lambda: admission.others(pod))
        self.pod = self._resizer.accept(pod)
        self._desired = pod
        self.wake = asyncio.Event()
        self.status: Object = dict(pod.get("status") or {})
        self.verdict: Verdict | None = None
        self._tools = tools
        self._admission = admission
        self._removed = False
        self._completed = False
        self._ending = False
        self._urgency = Urgency(tools, pod)
        self._lookout = Lookout(tools.runtime, tools.host, tools.node.ips)
        self._stopper = Stopper(tools)
        self._start = Progress(seen_at=tools.clock.now(), fresh_from=tools.clock.monotonic())
        self._watchman = Watchman(tools.prober, tools.clock, tools.random, tools.group, self._say, self._changed)
        self._starter = Starter(
            tools, self._start, self._stopper, self._watchman, self._resizer, self._look, self._publish
        )
        self._preparation = Preparation(tools, self._start, self._say, self._publish, self._starter.not_before)

    # What the loop tells.

    def update(self, pod: Object) -> None:
        """The pod has changed in the API."""
        shorter = pods.is_deleted(pod) and pods.grace_s(pod) < pods.grace_s(self.pod)
        ends = pods.is_deleted(pod) and not pods.is_deleted(self.pod)
        if pod["metadata"].get("labels") != self.pod["metadata"].get("labels") or pod["metadata"].get(
            "annotations"
        ) != self.pod["metadata"].get("annotations"):
            self._start.look_again()
        echoes = pods.only_status_differs(self._desired, pod) and pod.get("status") == self.status
        self._desired = pod
        self.pod = self._resizer.accept(pod)
        if shorter or ends:
            self._urgency.interrupt()
        # What this kubelet has written itself is no news.
        if not echoes:
            self.wake.set()

    def refresh(self) -> None:
        """Something that the pod is made from has changed."""
        self._start.look_again()
        self.wake.set()

    def remove(self) -> None:
        """The pod is no longer in the API."""
        self._removed = True
        if not self._ending:
            self._urgency.interrupt()
        self.wake.set()

    def condemn(self, verdict: Verdict) -> None:
        """End the pod for good: evicted, preempted, shut down."""
        if self.verdict is None and not self._must_end():
            self.verdict = verdict
            self._urgency.interrupt()
            self.wake.set()

    @property
    def observed(self) -> Observed:
        return self._lookout.observed

    def knows(self, process: str) -> bool:
        """Whether a container or sandbox of this id is this pod's, as far as it has looked."""
        containers, sandboxes = self.observed.containers, self.observed.sandboxes
        return any(each.id == process for each in containers) or any(each.id == process for each in sandboxes)

    def has_seen_end(self, process: str) -> bool:
        """Whether it need not be told to look: it has seen that this process ended, or looks when it has stopped it."""
        observed = self.observed
        runs = any(each.id == process for each in observed.running()) or any(
            each.id == process and each.ready for each in observed.sandboxes
        )
        return self._ending or not runs

    @property
    def waits_for_room(self) -> bool:
        return self._resizer.waits

    def probe_counts(self) -> Mapping[tuple[str, str, str], int]:
        """(container, type of probe, result) -> how often."""
        return self._watchman.counts

    @property
    def active(self) -> bool:
        """Whether the pod counts for the node's resources."""
        return not pods.is_terminal({"status": self.status}) and self.verdict is None and not self._removed

    # The loop.

    async def run(self) -> None:
        """Until nothing of the pod is left."""
        while True:
            self.wake.clear()
            self._urgency.settle()
            self._ending = self._must_end()
            if self._ending:
                gone = await self._urgency.do(self._end)
                if gone is True:
                    return
                await launch.wait_or(self.wake, gone if isinstance(gone, float) else None)
            else:
                wait_s = await self._urgency.do(self._sync)
                if not self._must_end():
                    await launch.wait_or(self.wake, wait_s if isinstance(wait_s, float) else 0.0)

    def _must_end(self) -> bool:
        return (
            self._removed
            or self._completed
            or self.verdict is not None
            or pods.is_deleted(self.pod)
            or pods.is_terminal({"status": self.status})
        )

    def _say(self, container: str, kind: str, reason: str, message: str) -> None:
        self._tools.say(self.pod, container, kind, reason, message)

    def _changed(self) -> None:
        """A probe has decided; while the pod is being stopped nothing else tells of it."""
        if self._ending and not self._removed:
            self._publish()
        self.wake.set()

    # Towards a pod that runs.

    async def _sync(self) -> float | None:
        """Bring the pod closer to its spec until nothing can be done now; seconds until to look again."""
        await self._look()
        if not self._admitted():
            return 0.0
        deadline_s = self._deadline_s()
        if self.verdict is not None:
            return 0.0
        self._publish()
        prepared = await self._prepare()
        self._follow(environment=not prepared)
        if not prepared:
            return self._start.retry_s
        await self._resize()
        wait_s = await self._converge()
        self._follow(environment=bool(self._start.failed))
        waits = [each for each in (wait_s, deadline_s, self._tools.config.sync_frequency_s) if each is not None]
        return min(waits)

    def _admitted(self) -> bool:
        if self._start.admitted:
            return True
        if not self.observed.containers and not self.status.get("startTime"):
            rejection = self._admission.decide(self.pod)
            if rejection is not None:
                self._tools.say(self.pod, "", "Warning", rejection.reason, rejection.message)
                self.verdict = Verdict("Failed", rejection.reason, f"Pod was rejected: {rejection.message}")
                return False
        self._start.admitted = True
        return True

    def _deadline_s(self) -> float | None:
        """Seconds the pod may still be active; None without a limit. Sets the verdict when it has passed."""
        limit_s = self.pod["spec"].get("activeDeadlineSeconds")
        if limit_s is None:
            return None
        started = self.status.get("startTime")
        left_s = limit_s - (self._tools.clock.now() - parse_rfc3339(started)) if started else float(limit_s)
        if left_s > 0:
            return left_s
        self.verdict = Verdict("Failed", "DeadlineExceeded", DEADLINE_MESSAGE)
        self._say("", "Normal", "DeadlineExceeded", DEADLINE_MESSAGE)
        return 0.0

    async def _prepare(self) -> bool:
        """Make the volumes, and the first sandbox beside them where none can be wanting; False when one can't be made."""
        await self._preparation.make_place(self.pod)
        runs, sandbox = bool(self.observed.running()), self._first_sandbox()
        if sandbox is None:
            return await self._preparation.make_volumes(self.pod, runs=runs)
        async with asyncio.TaskGroup() as both:
            volumes = both.create_task(self._preparation.make_volumes(self.pod, runs=runs), name="pod.volumes")
            made = both.create_task(self._apply(sandbox), name="pod.sandbox")
        await self._see(sandbox, made.result())
        return volumes.result()

    def _first_sandbox(self) -> RunSandbox | None:
        """The step that makes it, when it may be taken before there are volumes."""
        if self._start.volumes_at is not None or self._start.failed or not certain(self.pod):
            return None
        match self._decide(self.observed).actions:
            case (RunSandbox() as step,):
                return step
        return None

    def _follow(self, *, environment: bool) -> None:
        """What environments are made from counts only as long as a container waits for it."""
        self._tools.follower.follow(pods.uid(self.pod), keys_of(self.pod, environment=environment))

    async def _resize(self) -> None:
        """Bring changed resources to the containers; those that can't change while they run are restarted."""
        if self._resizer.waits:
            self.pod = self._resizer.accept(self._desired)
        under_way = self._resizer.under_way
        restarts = await self._resizer.actuate(self.pod, self.observed)
        if under_way and not self._resizer.under_way:
            self._admission.released()
        for each in restarts:
            self._watchman.forget(each.id)
            message = f"Container {each.name} resize requires restart"
            await self._stopper.stop(self.pod, self.observed, each, pods.grace_s(self.pod), message)

    async def _converge(self) -> float | None:
        """Apply plans until there is nothing left that may be done now.

        A container that is stopped to be started anew at once is not shown as ended between the two.
        """
        stopped: set[str] = set()
        while True:
            now = self._tools.clock.monotonic()
            self._start.failed = {name: at for name, at in self._start.failed.items() if at > now}
            decided = self._decide(self.observed)
            actions = [each for each in decided.actions if not self._has_failed(each)]
            if not any(isinstance(each, StartContainer) and each.name in stopped for each in actions):
                self._publish()
            if not actions:
                waits = [at - self._tools.clock.monotonic() for at in self._start.failed.values()]
                if decided.wake_after_s is not None:
                    waits.append(decided.wake_after_s)
                return min(waits, default=None)
            for action in actions:
                made = await self._apply(action)
                if self._must_end():
                    return 0.0
                await self._see(action, made)
                if isinstance(action, StopContainer):
                    stopped.add(action.name)
                if isinstance(action, StartContainer):
                    await self._starter.collect(self.observed, action.name)

    def _has_failed(self, action: plan.Action) -> bool:
        name = action.name if isinstance(action, StartContainer) else ""
        return isinstance(action, (StartContainer, RunSandbox)) and name in self._start.failed

    def _decide(self, observed: Observed) -> plan.Plan:
        config = self._tools.config
        decided = plan.plan(
            self.pod,
            observed,
            self._watchman.health(),
            self._start.entries,
            self._tools.clock.now(),
            limit_s=config.max_restart_s,
            counts=restart_all.counts(self.status),
        )
        for name in [name for name, why in self._start.waiting.items() if why[0] == CRASH_LOOP]:
            if name not in decided.waiting:
                del self._start.waiting[name]
        for name, why in decided.waiting.items():
            if self._start.waiting.get(name, ("",))[0] != CRASH_LOOP:
                text = f"Back-off restarting failed container {name} in pod {pods.full_name(self.pod)}"
                self._say(name, "Warning", "BackOff", text)
            self._start.waiting[name] = why
        return decided

    async def _apply(self, action: plan.Action) -> str:
        """The id of the sandbox or container that runs now; "" when none came of it."""
        match action:
            case StopPod(restarts=False):
                self._completed = True
            case StopPod():
                self._say("", "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
                await self._stop_everything(pods.grace_s(self.pod))
            case RunSandbox(attempt):
                return await self._starter.run_sandbox(self.pod, attempt)
            case StartContainer():
                return await self._starter.start_container(self.pod, self.observed, action)
            case StopContainer():
                await self._starter.stop_container(self.pod, self.observed, action)
            case RestartAll():
                await self._starter.restart_all(self.pod, self.observed)
        return ""

    # Looking and telling.

    async def _look(self) -> Observed:
        return self._attend(await self._lookout.look(self.pod))

    async def _see(self, action: plan.Action, made: str) -> None:
        """Look at what an action has made, or at everything."""
        if made and isinstance(action, RunSandbox):
            self._attend(await self._lookout.see_sandbox(self.pod, made))
        elif made:
            self._attend(await self._lookout.see_container(self.pod, made))
        else:
            await self._look()

    def _attend(self, observed: Observed) -> Observed:
        ip = pod_ip(self._tools, self.pod, observed)
        self._watchman.attend(self.pod, observed, self.status, ip, frozenset(self._start.hooking))
        return observed

    def _publish(self, *, gone: bool = False) -> None:
        verdict = self.verdict
        view = status.View(
            waiting=self._start.waiting,
            started=self._watchman.health().started,
            ready=self._watchman.ready(),
            hooking=frozenset(self._start.hooking),
            ending=self._must_end(),
            gone=gone,
            phase=verdict.phase if verdict else "",
            reason=verdict.reason if verdict else "",
            message=verdict.message if verdict else "",
            disruption=verdict.disruption if verdict else "",
            restarting=restart_all.was_under_way(self.status),
            extra_conditions=self._resizer.conditions(),
            actuated=self._resizer.actuated(),
            of_pod=self._resizer.of_pod(),
        )
        now = self._tools.clock.now()
        self.status = status.compute(self.pod, self.observed, view, self.status, self._tools.node, now)
        self._tools.statuses.set(self.pod, self.status)

    # Towards a pod that is gone.

    async def _end(self) -> bool | None:
        """Stop everything and report it; True when nothing is left of the pod, None when it waits to be deleted."""
        tools, pod = self._tools, self.pod
        tools.follower.follow(pods.uid(pod), frozenset())
        self._watchman.end()
        await self._look()
        if not self._removed:
            self._publish()
        await self._stop_everything(pods.grace_s(pod, self.verdict.grace_s if self.verdict else None))
        self._watchman.forget_all()
        if not self._removed:
            self._publish(gone=True)
        await remains.give_back(tools, pod)
        self._start.prepared, self._start.volumes_at = False, None
        self._admission.released()
        if not self._removed and not pods.is_deleted(self.pod):
            return None
        if not self._removed:
            await remains.delete(tools, self.pod)
        await remains.remove(tools, self.pod, self.observed.sandboxes)
        return True

    async def _stop_everything(self, grace_s: int) -> None:
        observed = self.observed
        await self._stopper.stop_all(self.pod, observed, grace_s, self._tell_of_end)
        for box in observed.sandboxes:
            if box.ready:
                await self._tools.runtime.stop_sandbox(box.id)
        await self._look()

    async def _tell_of_end(self) -> None:
        """A container has ended while others take their time."""
        await self._look()
        if not self._removed:
            self._publish()
