"""A pod's conditions from the statuses of its containers. Pure.

source  kubernetes.io "Pod Lifecycle", pod conditions
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cybernetes.base.clock import rfc3339
from cybernetes.kubelet import pods
from cybernetes.kubelet.pods import Object

ORDER = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
# Further types that a kubelet writes; all others belong to somebody else and are left alone.
OWNED = (*ORDER, "DisruptionTarget", "PodResizePending", "PodResizeInProgress", "AllContainersRestarting")

Condition = dict[str, object]


def conditions(
    pod: Object, statuses: Mapping[str, Object], init_statuses: Mapping[str, Object], phase: str, *, networked: bool
) -> list[Condition]:
    """The kubelet's conditions, in order, without times."""
    containers_ready = _containers_ready(pod, statuses, init_statuses, phase)
    return [
        _condition("PodReadyToStartContainers", networked),
        initialized(pod, statuses, init_statuses, phase),
        _ready(pod, containers_ready),
        containers_ready,
        _condition("PodScheduled", True),
    ]


def _condition(kind: str, true: bool, reason: str = "", message: str = "") -> Condition:
    result: Condition = {"type": kind, "status": "True" if true else "False"}
    if reason:
        result["reason"] = reason
    if message:
        result["message"] = message
    return result


def initialized(
    pod: Object, statuses: Mapping[str, Object], init_statuses: Mapping[str, Object], phase: str
) -> Condition:
    if not pods.init_containers(pod):
        return _condition("Initialized", True, "PodCompleted" if phase == "Succeeded" else "")
    if phase == "Succeeded":
        return _condition("Initialized", True, "PodCompleted")
    if any(_has_started(statuses.get(each["name"])) for each in pods.containers(pod)):
        return _condition("Initialized", True)
    unknown, incomplete = [], []
    for container in pods.init_containers(pod):
        status = init_statuses.get(container["name"])
        if status is None:
            unknown.append(container["name"])
        elif not _is_complete(container, status):
            incomplete.append(container["name"])
    if not unknown and not incomplete:
        return _condition("Initialized", True)
    message = _listed(("containers with unknown status", unknown), ("containers with incomplete status", incomplete))
    return _condition("Initialized", False, "ContainersNotInitialized", message)


def _has_started(status: Object | None) -> bool:
    if status is None:
        return False
    state = status.get("state") or {}
    return "running" in state or "terminated" in state or "terminated" in (status.get("lastState") or {})


def _is_complete(container: Object, status: Object) -> bool:
    if pods.is_sidecar(container):
        return bool(status.get("started"))
    ended = (status.get("state") or {}).get("terminated")
    return ended is not None and ended["exitCode"] == 0


def _listed(*groups: tuple[str, Sequence[str]]) -> str:
    return ", ".join(f"{words}: [{' '.join(names)}]" for words, names in groups if names)


def _containers_ready(
    pod: Object, statuses: Mapping[str, Object], init_statuses: Mapping[str, Object], phase: str
) -> Condition:
    if phase == "Succeeded":
        return _condition("ContainersReady", False, "PodCompleted")
    if phase == "Failed":
        return _condition("ContainersReady", False, "PodFailed")
    unknown, unready = [], []
    sidecars = [each for each in pods.init_containers(pod) if pods.is_sidecar(each)]
    for container, status in (
        *((each, init_statuses.get(each["name"])) for each in sidecars),
        *((each, statuses.get(each["name"])) for each in pods.containers(pod)),
    ):
        if status is None:
            unknown.append(container["name"])
        elif not status.get("ready"):
            unready.append(container["name"])
    if not unknown and not unready:
        return _condition("ContainersReady", True)
    message = _listed(("containers with unknown status", unknown), ("containers with unready status", unready))
    return _condition("ContainersReady", False, "ContainersNotReady", message)


def _ready(pod: Object, containers_ready: Condition) -> Condition:
    if containers_ready["status"] != "True":
        return {**containers_ready, "type": "Ready"}
    existing = {each["type"]: each for each in (pod.get("status") or {}).get("conditions") or ()}
    problems = []
    for gate in pods_gates(pod):
        found = existing.get(gate)
        if found is None:
            problems.append(f'corresponding condition of pod readiness gate "{gate}" does not exist.')
        elif found["status"] != "True":
            problems.append(f'the status of pod readiness gate "{gate}" is not "True", but {found["status"]}')
    if problems:
        return _condition("Ready", False, "ReadinessGatesNotReady", ", ".join(problems))
    return _condition("Ready", True)


def pods_gates(pod: Object) -> list[str]:
    return [each["conditionType"] for each in pod["spec"].get("readinessGates") or ()]


def timed(
    wanted: Sequence[Condition], previous: Sequence[Condition], now: float, generation: int | None
) -> list[Condition]:
    """`wanted` with times: a transition is dated now only when the status changed; foreign ones are kept behind."""
    before = {each["type"]: each for each in previous}
    result = []
    for condition in wanted:
        old = before.get(condition["type"])
        same = old is not None and old.get("status") == condition["status"] and old.get("lastTransitionTime")
        dated: Condition = {
            "type": condition["type"],
            "status": condition["status"],
            "lastProbeTime": None,
            "lastTransitionTime": old["lastTransitionTime"] if same and old is not None else rfc3339(now),
        }
        dated.update({name: condition[name] for name in ("reason", "message") if condition.get(name)})
        if generation:
            dated["observedGeneration"] = generation
        result.append(dated)
    named = {each["type"] for each in wanted}
    return result + [each for each in previous if each["type"] not in named]
