"""A pod's status from what was observed of it, exactly as clients know it. Pure.

source  Kubernetes documentation "Pod Lifecycle"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cybernetes.base.clock import rfc3339
from cybernetes.kubelet import conditions, pods, resources, restart_all
from cybernetes.kubelet import phase as phases
from cybernetes.kubelet.observe import Observed
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.runtime.api import ContainerStatus, State

CREATING = "ContainerCreating"
INITIALIZING = "PodInitializing"
LOST = "ContainerStatusUnknown"
_LOST_END: Object = {
    "exitCode": 137,
    "reason": LOST,
    "message": "The container could not be located when the pod was terminated",
    "startedAt": None,
    "finishedAt": None,
}


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker knows beside the runtime.

    waiting    container -> (reason, message) of those that can't start now
    started    ids that passed their startup probe and whose postStart hook has returned
    ready      ids whose readiness probe succeeds, or that have none
    hooking    ids whose postStart hook still runs: shown as waiting
    ending     the pod is being ended for good
    gone       ... and everything of it has been stopped
    reason, message, phase   of a pod that was rejected, evicted or ran too long; "" otherwise
    disruption message of the DisruptionTarget condition, "" for none
    restarting containers that are not there any more were removed so that all start anew
    actuated   id -> resources that the container runs with, where that is not what it was allocated
    of_pod     resources that the pod as a whole runs with
    """

    waiting: Mapping[str, tuple[str, str]] = {}
    started: frozenset[str] = frozenset()
    ready: frozenset[str] = frozenset()
    hooking: frozenset[str] = frozenset()
    ending: bool = False
    gone: bool = False
    phase: str = ""
    reason: str = ""
    message: str = ""
    disruption: str = ""
    restarting: bool = False
    actuated: Mapping[str, Object] = {}
    of_pod: Object = {}
    extra_conditions: tuple[dict[str, Any], ...] = ()


class NodeFacts(msgspec.Struct, frozen=True):
    ips: tuple[str, ...]
    runtime: str = "containerd"


def compute(pod: Object, observed: Observed, view: View, previous: Object, node: NodeFacts, now: float) -> Object:
    """The whole status that the kubelet owns.

    previous  the last status written or read: keeps times, and what the runtime has forgotten
    """
    old = _by_name(previous)
    main = {each["name"]: _container(pod, each, observed, view, old, node) for each in pods.containers(pod)}
    init = {
        each["name"]: _container(pod, each, observed, view, old, node, init=True) for each in pods.init_containers(pod)
    }
    if view.gone and not view.phase and _is_initialized(pod, main, init):
        main = {name: _ended_unseen(each) for name, each in main.items()}
    ephemeral = [
        _container(pod, each, observed, view, old, node, ephemeral=True) for each in pods.ephemeral_containers(pod)
    ]
    phase = _phase(pod, main, init, view, previous)
    status: Object = {"phase": phase, "qosClass": resources.qos_class(pod)}
    generation = pod["metadata"].get("generation")
    if generation:
        status["observedGeneration"] = generation
    status["conditions"] = _conditions(pod, main, init, phase, observed, view, previous, now)
    status.update(_addresses(pod, observed, previous, node))
    status["startTime"] = previous.get("startTime") or rfc3339(now)
    reason, message = view.reason or previous.get("reason", ""), view.message or previous.get("message", "")
    if phase == "Failed" and reason:
        status["reason"] = reason
    if phase == "Failed" and message:
        status["message"] = message
    if pod["spec"].get("resources"):
        status["resources"] = view.of_pod
        status["allocatedResources"] = pod["spec"]["resources"].get("requests") or {}
    if "Failed" in (phase, view.phase) and reason and not old and not observed.containers:
        # Rejected: nothing was ever on its way, and clients show the reason where no container has one.
        return status
    if init:
        status["initContainerStatuses"] = list(init.values())
    status["containerStatuses"] = [main[name] for name in sorted(main)]
    if ephemeral:
        status["ephemeralContainerStatuses"] = sorted(ephemeral, key=lambda each: each["name"])
    return status


def is_on_its_way(status: Object) -> bool:
    """Whether it tells of nothing but steps towards running: no container has run, and nothing is wrong."""
    fields = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    waiting = [(each["state"].get("waiting") or {}).get("reason") for key in fields for each in status.get(key) or ()]
    return status.get("phase") == "Pending" and not status.get("reason") and {*waiting} <= {CREATING, INITIALIZING}


def _by_name(status: Object) -> dict[str, Object]:
    fields = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    return {each["name"]: each for field in fields for each in status.get(field) or ()}


def _is_initialized(pod: Object, main: Mapping[str, Object], init: Mapping[str, Object]) -> bool:
    return conditions.initialized(pod, main, init, "")["status"] == "True"


def _ended_unseen(shown: Object) -> Object:
    """A container of a pod that is gone: if nothing tells of its end, it counts as failed."""
    return shown if "terminated" in shown["state"] else {**shown, "state": {"terminated": dict(_LOST_END)}}


def _phase(pod: Object, main: Mapping[str, Object], init: Mapping[str, Object], view: View, previous: Object) -> str:
    if previous.get("phase") in ("Succeeded", "Failed"):
        return str(previous["phase"])
    if view.phase and view.gone:
        return view.phase
    initialized = _is_initialized(pod, main, init)
    computed = phases.phase(pod, main, init, initialized=initialized, terminal=view.ending)
    if view.gone and computed in ("Pending", "Running") and not pods.is_static(pod):
        # Whoever counts ended pods, or waits for one, is told of an end: also of one that never ran.
        return "Failed"
    # Nobody may learn of an end before everything has stopped.
    if computed in ("Succeeded", "Failed") and not view.gone:
        return "Running" if previous.get("phase") == "Running" or not pods.init_containers(pod) else "Pending"
    return computed


def _conditions(
    pod: Object,
    main: Mapping[str, Object],
    init: Mapping[str, Object],
    phase: str,
    observed: Observed,
    view: View,
    previous: Object,
    now: float,
) -> list[dict[str, Any]]:
    box = observed.ready_sandbox
    networked = box is not None and (box.host_network or bool(box.ips))
    wanted = conditions.conditions(pod, main, init, phase, networked=networked)
    if view.disruption:
        wanted.append(
            {
                "type": "DisruptionTarget",
                "status": "True",
                "reason": "TerminationByKubelet",
                "message": view.disruption,
            }
        )
    asking = [each for each in restart_all.triggers(pod, observed) if each["name"] not in view.waiting]
    restarting = restart_all.condition(pod, phase, under_way=bool(asking))
    wanted.extend([restarting] if restarting else [])
    wanted.extend(view.extra_conditions)
    kept = [
        each
        for each in previous.get("conditions") or ()
        if not each["type"].startswith("PodResize") or any(each["type"] == more["type"] for more in wanted)
    ]
    return conditions.timed(wanted, kept, now, pod["metadata"].get("generation"))


def _addresses(pod: Object, observed: Observed, previous: Object, node: NodeFacts) -> Object:
    result: Object = {}
    if node.ips:
        result["hostIP"] = node.ips[0]
        result["hostIPs"] = [{"ip": ip} for ip in node.ips]
    box = observed.sandbox
    ips: Sequence[str] = node.ips if pods.is_host_network(pod) and box is not None else (box.ips if box else ())
    if not ips:
        ips = [each["ip"] for each in previous.get("podIPs") or ()]
    if ips:
        result["podIP"] = ips[0]
        result["podIPs"] = [{"ip": ip} for ip in ips]
    return result


def _container(
    pod: Object,
    container: Object,
    observed: Observed,
    view: View,
    old: Mapping[str, Object],
    node: NodeFacts,
    *,
    init: bool = False,
    ephemeral: bool = False,
) -> Object:
    name = container["name"]
    instances = observed.instances(name)
    before = old.get(name)
    if not instances:
        return _without_instance(pod, container, view, before)
    latest = instances[0]
    state = _state(latest, node)
    ended = [each for each in instances[1:] if each.state in (State.EXITED, State.UNKNOWN)]
    last: Object = {"terminated": _terminated(ended[0], node)} if ended else {}
    if not ended and before is not None and restart_all.was_removed(before):
        last = before["lastState"]
    held = None if view.ending else view.waiting.get(name)
    if held is not None and "running" not in state:
        last = {"terminated": state["terminated"]} if "terminated" in state else last
        state = _waiting(*held)
    elif latest.id in view.hooking or "waiting" in state:
        state = _waiting(_default_reason(pod), "")
    started = "running" in state and latest.id in view.started
    result: Object = {
        "name": name,
        "state": state,
        "lastState": last,
        "ready": _is_ready(container, state, latest, view, init=init, ephemeral=ephemeral),
        "restartCount": latest.attempt,
        "image": latest.image or container.get("image", ""),
        "imageID": latest.image_ref,
        "containerID": f"{node.runtime}://{latest.id}",
        "started": started if not ephemeral else False,
    }
    _add_details(result, container, latest, view.actuated)
    return result


def _state(status: ContainerStatus, node: NodeFacts) -> Object:
    if status.state is State.RUNNING:
        return {"running": {"startedAt": _time(status.started_at)}}
    if status.state is State.CREATED:
        return {"waiting": {}}
    return {"terminated": _terminated(status, node)}


def _terminated(status: ContainerStatus, node: NodeFacts) -> Object:
    result: Object = {
        "exitCode": status.exit_code,
        "reason": status.reason or ("Completed" if status.exit_code == 0 else "Error"),
        # One that never started did so when the clock began, as upstream has it.
        "startedAt": rfc3339(status.started_at // 1_000_000_000),
        "finishedAt": rfc3339(status.finished_at // 1_000_000_000),
        "containerID": f"{node.runtime}://{status.id}",
    }
    if status.message:
        result["message"] = status.message
    return result


def _time(nanoseconds: int) -> str | None:
    return rfc3339(nanoseconds // 1_000_000_000) if nanoseconds > 0 else None


def _waiting(reason: str, message: str) -> Object:
    waiting = {"reason": reason, "message": message}
    return {"waiting": {name: value for name, value in waiting.items() if value}}


def _default_reason(pod: Object) -> str:
    return INITIALIZING if pods.init_containers(pod) else CREATING


def _is_ready(
    container: Object, state: Object, latest: ContainerStatus, view: View, *, init: bool, ephemeral: bool
) -> bool:
    if ephemeral:
        return False
    if init and not pods.is_sidecar(container):
        return "terminated" in state and state["terminated"]["exitCode"] == 0
    return "running" in state and latest.id in view.started and latest.id in view.ready


def _add_details(result: Object, container: Object, latest: ContainerStatus, actuated: Mapping[str, Object]) -> None:
    wanted = container.get("resources") or {}
    if wanted.get("requests"):
        result["allocatedResources"] = wanted["requests"]
    real = actuated.get(latest.id, wanted)
    result["resources"] = {k: v for k, v in real.items() if k in ("limits", "requests")}
    mounts = [_mount(each) for each in container.get("volumeMounts") or ()]
    if mounts:
        result["volumeMounts"] = mounts
    if latest.user is not None:
        uid, gid, groups = latest.user
        result["user"] = {"linux": {"uid": uid, "gid": gid, "supplementalGroups": list(groups)}}


def _mount(mount: Object) -> Object:
    result: Object = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        result["readOnly"] = True
        result["recursiveReadOnly"] = "Disabled"
    return result


def _without_instance(pod: Object, container: Object, view: View, old: Object | None) -> Object:
    """A container of which the runtime has nothing: not yet made, or lost."""
    name = container["name"]
    result: Object = {
        "name": name,
        "state": _waiting(*view.waiting.get(name, (_default_reason(pod), ""))),
        "lastState": {},
        "ready": False,
        "restartCount": 0,
        "image": container.get("image", ""),
        "imageID": "",
        "started": False,
    }
    if old is None:
        return result
    state = old.get("state") or {}
    forgotten = restart_all.forgotten(old, under_way=view.restarting)
    if forgotten is not None:
        return {**result, **forgotten}
    if not old.get("containerID"):
        return result
    if "terminated" in state:
        # The runtime's record was collected; what was said about it stays true.
        return old
    if not view.ending or "running" not in state:
        return {**result, "lastState": old.get("lastState") or {}, "restartCount": old.get("restartCount", 0)}
    return {**old, "state": {"terminated": dict(_LOST_END)}, "ready": False, "started": False}


def patch(old: Object, new: Object) -> Object:
    """A strategic merge patch that makes the status `new` where `old` is known to be; {} when they are equal.

    Only conditions that changed are named, so that those of other writers stay.
    """
    result: Object = {}
    for name in sorted(old.keys() | new.keys()):
        if _same(old.get(name), new.get(name)):
            continue
        if name == "conditions":
            changed = _changed_conditions(old.get(name) or [], new.get(name) or [])
            if changed:
                result[name] = changed
        elif name in ("podIPs", "hostIPs"):
            wanted = new.get(name) or []
            stale = [each for each in old.get(name) or () if each not in wanted]
            result[name] = [*wanted, *({"$patch": "delete", "ip": each["ip"]} for each in stale)]
            result[f"$setElementOrder/{name}"] = [{"ip": each["ip"]} for each in wanted]
        elif name in new:
            result[name] = new[name]
        elif name in _OWNED_FIELDS:
            result[name] = None
    return result


_OWNED_FIELDS = ("reason", "message", "podIP", "initContainerStatuses", "ephemeralContainerStatuses")


def _same(one: Any, other: Any) -> bool:
    """Equal but for nulls and empty objects, which servers do not keep."""
    if one == other:
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_same(one.get(name), other.get(name)) for name in one.keys() | other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return _is_nothing(one) and _is_nothing(other)


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and all(map(_is_nothing, value.values())))


def _changed_conditions(old: Sequence[Object], new: Sequence[Object]) -> list[Object]:
    before = {each["type"]: each for each in old if _is_ours(each)}
    after = {each["type"]: each for each in new if _is_ours(each)}
    changed = [
        # Merging keeps what is not named: a reason that no longer holds has to be taken away.
        {**dict.fromkeys(set(before.get(kind, ())) & {"reason", "message"}), **each}
        for kind, each in after.items()
        if not _same(before.get(kind), each)
    ]
    return changed + [{"$patch": "delete", "type": kind} for kind in before if kind not in after]


def _is_ours(condition: Object) -> bool:
    """DisruptionTarget has several writers; the kubelet's has its reason."""
    kind = condition["type"]
    if kind == "DisruptionTarget":
        return condition.get("reason") == "TerminationByKubelet"
    return kind in conditions.OWNED
