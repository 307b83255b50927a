"""Decides what has to be done next so that a pod becomes what its spec says. Pure.

`plan` looks at one pod and what the runtime has of it, and answers with the next step only;
after it was applied the worker looks again. So a step that failed, a restart of the kubelet, and
a container that died by itself all take the same road.

source  Kubernetes documentation "Pod Lifecycle"; "Init Containers"; "Sidecar Containers"
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cybernetes.kubelet import backoff, pods, restart_all
from cybernetes.kubelet.backoff import Entry
from cybernetes.kubelet.cri_config import NOTE_HASH
from cybernetes.kubelet.observe import Observed
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.runtime.api import ContainerStatus, State

CRASH_LOOP = "CrashLoopBackOff"

INIT, MAIN, EPHEMERAL = "init", "main", "ephemeral"


class Health(msgspec.Struct, frozen=True):
    """What probes and hooks say, by container id.

    started   passed the startup probe (or has none) and its postStart hook has returned
    unhealthy container id -> "liveness" or "startup"
    """

    started: frozenset[str] = frozenset()
    unhealthy: Mapping[str, str] = {}


class StopContainer(msgspec.Struct, frozen=True):
    """probe: "liveness" or "startup" where that decides the grace period, else ""."""

    name: str
    container_id: str
    message: str
    probe: str = ""


class StartContainer(msgspec.Struct, frozen=True):
    name: str
    kind: str
    attempt: int


class RunSandbox(msgspec.Struct, frozen=True):
    attempt: int


class StopPod(msgspec.Struct, frozen=True):
    """Stop everything the pod has. restarts: a new sandbox follows; otherwise the pod has ended."""

    restarts: bool


class RestartAll(msgspec.Struct, frozen=True):
    """Have all containers go at once, and start from the first one in the same sandbox."""


Action = StopContainer | StartContainer | RunSandbox | StopPod | RestartAll


class Plan(msgspec.Struct, frozen=True):
    """waiting: container -> (reason, message) of those held back; wake_after_s: when to look again by itself."""

    actions: tuple[Action, ...] = ()
    waiting: Mapping[str, tuple[str, str]] = {}
    wake_after_s: float | None = None


class _Draft:
    """A plan while it is being made."""

    def __init__(
        self,
        pod: Object,
        observed: Observed,
        entries: Mapping[str, Entry],
        now: float,
        limit_s: float,
        counts: Mapping[str, int],
    ) -> None:
        self.pod, self.observed, self.entries, self.now, self.limit_s = pod, observed, entries, now, limit_s
        self.counts = counts
        self.actions: list[Action] = []
        self.waiting: dict[str, tuple[str, str]] = {}
        self.wake_after_s: float | None = None

    def start(self, container: Object, kind: str) -> None:
        """Start the container, unless it has to wait because it failed just now."""
        name = container["name"]
        instances = self.observed.instances(name)
        attempt = instances[0].attempt + 1 if instances else self.counts.get(name, 0)
        entry, wait_s = self.entries.get(restart_key(container)), self.wait_s(container)
        if entry is not None and wait_s > 0:
            self.waiting[name] = (CRASH_LOOP, crash_message(self.pod, name, entry.delay_s))
            self.wake_after_s = min(wait_s, self.wake_after_s or wait_s)
            return
        self.actions.append(StartContainer(name, kind, attempt))

    def wait_s(self, container: Object) -> float:
        """Seconds until what ended may be started again."""
        ended = next((each for each in self.observed.instances(container["name"]) if each.state is State.EXITED), None)
        if ended is None:
            return 0.0
        entry = self.entries.get(restart_key(container))
        return backoff.remaining_s(entry, ended.finished_at / 1e9, self.now, self.limit_s)

    def plan(self) -> Plan:
        return Plan(tuple(self.actions), self.waiting, self.wake_after_s)


def restart_key(container: Object) -> str:
    return f"{container['name']}/{pods.container_hash(container)}"


def crash_message(pod: Object, name: str, delay_s: float) -> str:
    meta = pod["metadata"]
    subject = f"pod={meta['name']}_{meta['namespace']}({meta['uid']})"
    return f"back-off {backoff.go_duration(delay_s)} restarting failed container={name} {subject}"


def plan(
    pod: Object,
    observed: Observed,
    health: Health,
    entries: Mapping[str, Entry],
    now: float,
    *,
    limit_s: float,
    counts: Mapping[str, int] = {},
) -> Plan:
    """The next step for a pod that is to run.

    entries  restart back-off by restart_key; limit_s is its cap
    counts   container -> the number of its next life, where the runtime does not tell
    returns  no actions when the pod is as it should be, or only waits
    """
    draft = _Draft(pod, observed, entries, now, limit_s, counts)
    if any(draft.wait_s(each) <= 0 for each in restart_all.triggers(pod, observed)):
        return Plan((RestartAll(),))
    sandbox = observed.sandbox
    if _needs_sandbox(pod, observed):
        _plan_sandbox(draft)
        return draft.plan()
    assert sandbox is not None
    current = Observed((sandbox,), tuple(each for each in observed.containers if each.sandbox_id == sandbox.id))
    _plan_ephemeral(draft, current)
    outcome = _plan_init(draft, current, health)
    if outcome == "failed":
        draft.actions = [StopPod(restarts=False)]
    elif outcome == "done":
        _plan_main(draft, current, health)
    return draft.plan()


def _needs_sandbox(pod: Object, observed: Observed) -> bool:
    sandbox = observed.sandbox
    if sandbox is None or not sandbox.ready:
        return True
    if sum(each.ready for each in observed.sandboxes) > 1:
        return True
    if sandbox.host_network != pods.is_host_network(pod):
        return True
    return not sandbox.ips and not pods.is_host_network(pod)


def _plan_sandbox(draft: _Draft) -> None:
    """A new sandbox if anything is left to run in it; what is left of the old one goes first."""
    observed = draft.observed
    leftovers = observed.ready_sandbox is not None or bool(observed.running())
    attempt = observed.sandboxes[0].attempt + 1 if observed.sandboxes else 0
    if attempt and not _anything_to_run(draft.pod, observed):
        # Also when nothing runs any more, after a reboot: only a stopped pod tells how it ended.
        draft.actions.append(StopPod(restarts=False))
        return
    if leftovers:
        draft.actions.append(StopPod(restarts=True))
    draft.actions.append(RunSandbox(attempt))


def _anything_to_run(pod: Object, observed: Observed) -> bool:
    if pods.restart_policy(pod) == "Never" and observed.containers:
        return False
    latest = [(each, observed.latest(each["name"])) for each in pods.containers(pod)]
    # What runs in the lost sandbox is stopped, and has to run in the new one.
    return any(_is_running(status) or _to_be_started(pod, each, status) for each, status in latest)


def _is_running(status: ContainerStatus | None) -> bool:
    return status is not None and status.state is State.RUNNING


def _to_be_started(pod: Object, container: Object, status: ContainerStatus | None) -> bool:
    if status is None or status.state in (State.CREATED, State.UNKNOWN):
        return True
    if status.state is State.RUNNING:
        return False
    return pods.restarts_after(pod, container, status.exit_code)


def _plan_ephemeral(draft: _Draft, current: Observed) -> None:
    for container in pods.ephemeral_containers(draft.pod):
        if current.latest(container["name"]) is None:
            draft.start(container, EPHEMERAL)


def _plan_init(draft: _Draft, current: Observed, health: Health) -> str:
    """ "done" when main containers may run, "blocked" while an init container is on its way, "failed" for good."""
    pod = draft.pod
    initialized = any(current.latest(each["name"]) is not None for each in pods.containers(pod))
    finished = initialized and not _main_alive(pod, current)
    for container in pods.init_containers(pod):
        status = current.latest(container["name"])
        if pods.is_sidecar(container):
            if finished:
                continue
            ready = _plan_sidecar(draft, container, status, health)
            if not ready and not initialized:
                return "blocked"
            continue
        if initialized:
            continue
        if status is None or status.state is not State.EXITED:
            if status is None or status.state in (State.CREATED, State.UNKNOWN):
                draft.start(container, INIT)
            return "blocked"
        if status.exit_code != 0:
            if not pods.restarts_after(pod, container, status.exit_code, init=True):
                return "failed"
            draft.start(container, INIT)
            return "blocked"
    return "done"


def _main_alive(pod: Object, current: Observed) -> bool:
    """Whether any main container runs, or is to be started."""
    for container in pods.containers(pod):
        status = current.latest(container["name"])
        if _is_running(status) or _to_be_started(pod, container, status):
            return True
    return False


def _plan_sidecar(draft: _Draft, container: Object, status: ContainerStatus | None, health: Health) -> bool:
    """Whether the containers after it may start."""
    if status is None or status.state is not State.RUNNING:
        draft.start(container, INIT)
        return False
    stop = _reason_to_stop(draft.pod, container, status, health, init=True)
    if stop is not None:
        draft.actions.append(stop)
        return False
    return status.id in health.started


def _plan_main(draft: _Draft, current: Observed, health: Health) -> None:
    pod = draft.pod
    kept = False
    for container in pods.containers(pod):
        status = current.latest(container["name"])
        if status is not None and status.state is State.RUNNING:
            stop = _reason_to_stop(pod, container, status, health)
            if stop is not None:
                draft.actions.append(stop)
            kept = True
        elif _to_be_started(pod, container, status):
            draft.start(container, MAIN)
            kept = True
    if not kept and not pods.is_deleted(pod):
        draft.actions = [StopPod(restarts=False)]


def _reason_to_stop(
    pod: Object, container: Object, status: ContainerStatus, health: Health, *, init: bool = False
) -> StopContainer | None:
    name = container["name"]
    known = status.annotations.get(NOTE_HASH)
    if known is not None and known != pods.container_hash(container):
        return StopContainer(name, status.id, f"Container {name} definition changed, will be restarted")
    probe = health.unhealthy.get(status.id)
    if probe is None:
        return None
    # A killed container counts as failed, whatever its exit code will be.
    restarted = pods.restarts_after(pod, container, 137, init=init)
    suffix = ", will be restarted" if restarted else ""
    return StopContainer(name, status.id, f"Container {name} failed {probe} probe{suffix}", probe)


def stop_order(pod: Object, observed: Observed) -> list[list[ContainerStatus]]:
    """Running containers in the order to stop them: all others at once, then sidecars, last started first.

    source  Kubernetes documentation "Pod Lifecycle", termination of Pods
    """
    running = observed.running()
    sidecars = [each["name"] for each in pods.init_containers(pod) if pods.is_sidecar(each)]
    first = [each for each in running if each.name not in sidecars]
    later = [[each for each in running if each.name == name] for name in reversed(sidecars)]
    return [group for group in (first, *later) if group]
