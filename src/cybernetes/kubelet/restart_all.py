"""Restarting all containers of a pod in place, because one of them ended as its rules name it. Pure.

They leave the runtime, so that nothing of their lives before counts any more; the sandbox, its address and the volumes
stay. What there was before is told by the pod's status alone.

source  KEP-5532 "Restart All Containers on Container Exits"; Kubernetes documentation "Pod Lifecycle"
"""

from __future__ import annotations

from cybernetes.kubelet import pods
from cybernetes.kubelet.observe import Observed
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.runtime.api import ContainerStatus, State

ACTION = "RestartAllContainers"
CONDITION = "AllContainersRestarting"
REASON = "RestartingAllContainers"
MESSAGE = "The container is removed because RestartAllContainers in place"
_KILLED = 137


def is_possible(pod: Object) -> bool:
    rules = (rule for each in _lasting(pod) for rule in each.get("restartPolicyRules") or ())
    return any(rule.get("action") == ACTION for rule in rules)


def triggers(pod: Object, observed: Observed) -> list[Object]:
    """Containers whose last end asks for it."""
    return [each for each in _lasting(pod) if _asks(each, observed.latest(each["name"]))]


def doomed(pod: Object, observed: Observed) -> list[ContainerStatus]:
    """What has to go, in order: as long as a trigger is there, a kubelet that starts again does the rest."""
    names = {each["name"] for each in _lasting(pod)}
    last = {each["name"] for each in triggers(pod, observed)}
    return sorted((each for each in observed.containers if each.name in names), key=lambda each: each.name in last)


def condition(pod: Object, phase: str, *, under_way: bool) -> Object | None:
    """Of pods whose rules have the action."""
    if not is_possible(pod):
        return None
    ended = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase)
    if ended:
        return {"type": CONDITION, "status": "False", "reason": ended}
    if not under_way:
        return {"type": CONDITION, "status": "False"}
    message = "container exited with restart policy rule"
    return {"type": CONDITION, "status": "True", "reason": "RestartAllContainersStarted", "message": message}


def was_under_way(status: Object) -> bool:
    """As the pod's status last said."""
    return any(each["type"] == CONDITION and each["status"] == "True" for each in status.get("conditions") or ())


def forgotten(shown: Object, *, under_way: bool) -> Object | None:
    """What is said of a container of which the runtime has nothing any more; None where no restart is the reason.

    shown  its status as last told
    """
    if under_way and shown.get("containerID"):
        return {
            "state": {"waiting": {"reason": REASON, "message": MESSAGE}},
            "lastState": {"terminated": {"exitCode": _KILLED, "reason": REASON, "message": MESSAGE}},
            "restartCount": int(shown.get("restartCount") or 0) + 1,
        }
    if not was_removed(shown) or "terminated" in shown["state"]:
        return None
    kept = {name: shown[name] for name in ("lastState", "restartCount")}
    return {**kept, "state": shown["state"]} if under_way else kept


def was_removed(shown: Object) -> bool:
    """Whether a container's life before the present one, as its status tells of it, ended so."""
    ended = (shown.get("lastState") or {}).get("terminated") or {}
    return bool(ended.get("reason") == REASON)


def counts(status: Object) -> dict[str, int]:
    """Container -> the number of its next life, where the runtime has forgotten those before."""
    shown = (each for field in ("initContainerStatuses", "containerStatuses") for each in status.get(field) or ())
    # One that has an id has lived under its number.
    return {
        each["name"]: int(each.get("restartCount") or 0) + bool(each.get("containerID"))
        for each in shown
        if was_removed(each)
    }


def _lasting(pod: Object) -> list[Object]:
    """All but ephemeral ones."""
    return [*pods.init_containers(pod), *pods.containers(pod)]


def _asks(container: Object, latest: ContainerStatus | None) -> bool:
    if latest is None or latest.state is not State.EXITED:
        return False
    return pods.matching_action(container, latest.exit_code) == ACTION
