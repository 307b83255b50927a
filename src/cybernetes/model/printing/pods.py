"""How pods print: what `kubectl get pods` says of their state."""

from __future__ import annotations

from typing import Any

from cybernetes.model.printing.formats import AGE, NAME, NONE, at, column, is_true, since
from cybernetes.model.resource import Column, Object

_TERMINAL = ("Succeeded", "Failed")


def _statuses(pod: Object, name: str) -> list[Object]:
    found: list[Object] = at(pod, "status", name, default=[])
    return found


def _restartable(pod: Object) -> set[str]:
    """Names of init containers that go on running beside the others."""
    inits = at(pod, "spec", "initContainers", default=())
    return {each["name"] for each in inits if each.get("restartPolicy") == "Always"}


class _Summary:
    """One pass over the statuses: reason, ready and all containers, restarts and the last one's time."""

    def __init__(self, pod: Object) -> None:
        self.pod = pod
        self.restartable = _restartable(pod)
        self.total = len(at(pod, "spec", "containers", default=())) + len(self.restartable)
        self.ready = 0
        self.restarts = 0
        self.restarted = ""
        self.reason = at(pod, "status", "reason", default="") or at(pod, "status", "phase", default="")
        conditions = _statuses(pod, "conditions")
        if any(each["type"] == "PodScheduled" and each.get("reason") == "SchedulingGated" for each in conditions):
            self.reason = "SchedulingGated"
        self._restarts_of_sidecars = 0
        self._sidecars_restarted = ""
        initializing = self._initialize()
        if not initializing or is_true(conditions, "Initialized"):
            self._run(conditions)
        if at(pod, "metadata", "deletionTimestamp"):
            self._deleting()

    def _restarted_at(self, status: Object, known: str) -> str:
        finished: str = at(status, "lastState", "terminated", "finishedAt", default="")
        return max(known, finished)

    def _initialize(self) -> bool:
        inits = at(self.pod, "spec", "initContainers", default=())
        for i, status in enumerate(_statuses(self.pod, "initContainerStatuses")):
            sidecar = status["name"] in self.restartable
            self.restarts += status.get("restartCount", 0)
            self.restarted = self._restarted_at(status, self.restarted)
            if sidecar:
                self._restarts_of_sidecars += status.get("restartCount", 0)
                self._sidecars_restarted = self._restarted_at(status, self._sidecars_restarted)
            state = status.get("state", {})
            terminated = state.get("terminated")
            if terminated is not None and terminated.get("exitCode", 0) == 0:
                continue
            if sidecar and status.get("started"):
                self.ready += bool(status.get("ready"))
                continue
            self.reason = _init_reason(state, i, len(inits))
            return True
        return False

    def _run(self, conditions: list[Object]) -> None:
        self.restarts, self.restarted = self._restarts_of_sidecars, self._sidecars_restarted
        running, failed = False, ""
        for status in reversed(_statuses(self.pod, "containerStatuses")):
            self.restarts += status.get("restartCount", 0)
            self.restarted = self._restarted_at(status, self.restarted)
            state = status.get("state", {})
            waiting, terminated = state.get("waiting"), state.get("terminated")
            if waiting and waiting.get("reason"):
                self.reason = waiting["reason"]
            elif terminated is not None:
                self.reason = terminated.get("reason") or _end(terminated)
                if terminated.get("exitCode", 0) != 0:
                    failed = self.reason
            elif status.get("ready") and state.get("running") is not None:
                running = True
                self.ready += 1
        if self.reason == "Completed":
            if running and is_true(conditions, "Ready"):
                self.reason = "Running"
            elif failed:
                self.reason = failed
            elif running:
                self.reason = "NotReady"

    def _deleting(self) -> None:
        if at(self.pod, "status", "reason") == "NodeLost":
            self.reason = "Unknown"
        elif at(self.pod, "status", "phase") not in _TERMINAL:
            self.reason = "Terminating"


def _end(terminated: Object) -> str:
    signal = terminated.get("signal", 0)
    return f"Signal:{signal}" if signal else f"ExitCode:{terminated.get('exitCode', 0)}"


def _init_reason(state: Object, i: int, inits: int) -> str:
    terminated, waiting = state.get("terminated"), state.get("waiting")
    if terminated is not None:
        return "Init:" + (terminated.get("reason") or _end(terminated))
    if waiting and waiting.get("reason") and waiting["reason"] != "PodInitializing":
        return f"Init:{waiting['reason']}"
    return f"Init:{i}/{inits}"


def status(pod: Object) -> str:
    """The word for the pod's state: Running, Completed, CrashLoopBackOff, Init:0/1, Terminating..."""
    return str(_Summary(pod).reason)


def _ready(pod: Object, now: float) -> str:
    summary = _Summary(pod)
    return f"{summary.ready}/{summary.total}"


def _restarts(pod: Object, now: float) -> str:
    summary = _Summary(pod)
    if summary.restarts and summary.restarted:
        return f"{summary.restarts} ({since(summary.restarted, now)} ago)"
    return str(summary.restarts)


def _gates(pod: Object, now: float) -> str:
    gates = at(pod, "spec", "readinessGates", default=())
    if not gates:
        return NONE
    conditions = _statuses(pod, "conditions")
    return f"{sum(is_true(conditions, each['conditionType']) for each in gates)}/{len(gates)}"


def _address(pod: Object, now: float) -> str:
    addresses = at(pod, "status", "podIPs", default=())
    return addresses[0]["ip"] if addresses else at(pod, "status", "podIP", default="") or NONE


def row_conditions(pod: Object) -> list[dict[str, Any]]:
    """What a table's row says beside its cells: that the pod has come to its end."""
    ends = {"Succeeded": "The pod has completed successfully.", "Failed": "The pod failed."}
    phase = at(pod, "status", "phase", default="")
    if phase not in ends:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": ends[phase]}]


PODS: tuple[Column, ...] = (
    NAME,
    column("Ready", _ready, "The aggregate readiness state of this pod for accepting traffic."),
    column("Status", lambda pod, now: status(pod), "The aggregate status of the containers in this pod."),
    column(
        "Restarts",
        _restarts,
        "The number of times the containers in this pod have been restarted and when the last container in this pod "
        "has restarted.",
    ),
    AGE,
    column("IP", _address, "@core.v1.PodStatus#podIP", wide=True),
    column(
        "Node", lambda pod, now: at(pod, "spec", "nodeName", default="") or NONE, "@core.v1.PodSpec#nodeName", wide=True
    ),
    column(
        "Nominated Node",
        lambda pod, now: at(pod, "status", "nominatedNodeName", default="") or NONE,
        "@core.v1.PodStatus#nominatedNodeName",
        wide=True,
    ),
    column("Readiness Gates", _gates, "@core.v1.PodSpec#readinessGates", wide=True),
)
