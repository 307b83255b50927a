"""A pod's phase from the states of its containers. Pure.

source  kubernetes.io "Pod Lifecycle", pod phase
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from cybernetes.kubelet import pods, restart_all
from cybernetes.kubelet.pods import Object

Statuses = Mapping[str, Object]


def phase(pod: Object, statuses: Statuses, init_statuses: Statuses, *, initialized: bool, terminal: bool) -> str:
    """statuses by container name, as they are in pod.status; terminal: the pod is being ended for good."""
    count: Counter[str] = Counter()
    for container in pods.init_containers(pod):
        status = init_statuses.get(container["name"])
        if pods.is_sidecar(container):
            _count_sidecar(count, status)
        else:
            _count_init(count, pod, container, status)
    for container in pods.containers(pod):
        _count_main(count, pod, container, statuses.get(container["name"]))
    return _decide(count, initialized=initialized, terminal=terminal)


def _ended(status: Object) -> Object | None:
    """The end that counts: the current one, or while it waits to be started again the last one.

    Not that of a container which was made to end so that all start anew.
    """
    state = status.get("state") or {}
    if "terminated" in state:
        return state["terminated"]
    if "running" in state:
        return None
    if restart_all.was_removed(status):
        return None
    return (status.get("lastState") or {}).get("terminated")


def _is_running(status: Object) -> bool:
    return "running" in (status.get("state") or {})


def _count_sidecar(count: Counter[str], status: Object | None) -> None:
    if status is None:
        count["unknown"] += 1
    elif _is_running(status):
        count["running"] += 1
        if not status.get("started"):
            count["pending_sidecar"] += 1
    elif _ended(status) is None:
        count["pending_sidecar"] += 1
        count["waiting"] += 1


def _count_init(count: Counter[str], pod: Object, container: Object, status: Object | None) -> None:
    ended = _ended(status) if status is not None else None
    if ended is None:
        count["pending_init"] += 1
    elif ended["exitCode"] != 0 and not pods.restarts_after(pod, container, ended["exitCode"], init=True):
        count["failed_for_good"] += 1


def _count_main(count: Counter[str], pod: Object, container: Object, status: Object | None) -> None:
    if status is None:
        count["unknown"] += 1
        return
    if _is_running(status):
        count["running"] += 1
        return
    ended = _ended(status)
    if ended is None:
        count["waiting"] += 1
        return
    count["stopped"] += 1
    if ended["exitCode"] == 0:
        count["succeeded"] += 1
    if not pods.restarts_after(pod, container, ended["exitCode"]):
        count["stopped_for_good"] += 1


def _decide(count: Counter[str], *, initialized: bool, terminal: bool) -> str:
    if count["failed_for_good"]:
        return "Failed"
    if count["pending_init"] or (count["pending_sidecar"] and not initialized) or count["waiting"]:
        return "Pending"
    if count["running"] and not count["unknown"]:
        return "Running"
    if not count["running"] and count["stopped"] and not count["unknown"]:
        if not terminal and count["stopped"] != count["stopped_for_good"]:
            return "Running"
        return "Succeeded" if count["stopped"] == count["succeeded"] else "Failed"
    return "Pending"
