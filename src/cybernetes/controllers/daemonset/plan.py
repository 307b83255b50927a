"""Which nodes get a pod, which pods go, and what the status says.

source  Kubernetes documentation "DaemonSet"; "Perform a Rolling Update on a DaemonSet"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cybernetes.controllers import pods
from cybernetes.controllers.daemonset.eligible import NODE_NAME, Fit
from cybernetes.controllers.daemonset.objects import DaemonSet, DaemonSetStatus
from cybernetes.controllers.history import POD_LABEL
from cybernetes.controllers.objects import Pod
from cybernetes.controllers.percent import share

BURST_MAX = 250


class Plan(msgspec.Struct):
    """create: names of nodes. failed, succeeded: pods among `delete` that have ended, for their Events."""

    create: list[str] = []
    delete: list[Pod] = []
    failed: list[tuple[str, Pod]] = []
    succeeded: list[tuple[str, Pod]] = []


def node_of(pod: Pod) -> str:
    """The node that a daemon's pod is on, or is meant for."""
    if pod.spec.node_name:
        return pod.spec.node_name
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    for term in required.node_selector_terms if required else ():
        for field in term.match_fields:
            if field.key == NODE_NAME and field.operator == "In" and len(field.values) == 1:
                return field.values[0]
    return ""


def by_node(owned: Sequence[Pod]) -> dict[str, list[Pod]]:
    """Pods by node, those that are placed and older first."""
    found: dict[str, list[Pod]] = {}
    for pod in sorted(owned, key=_seniority):
        found.setdefault(node_of(pod), []).append(pod)
    return found


def _seniority(pod: Pod) -> tuple[bool, str, str]:
    return not pod.spec.node_name, pod.metadata.creation_timestamp, pod.metadata.name


def place(fits: Mapping[str, Fit], daemons: Mapping[str, Sequence[Pod]], *, surging: bool, value: str) -> Plan:
    """One pod on each node that should run one; what is too much, misplaced or ended goes.

    fits   by node name. value: hash of the current template; surging: an old and a new pod may be side by side
    """
    plan = Plan()
    for name, fit in fits.items():
        on_node = daemons.get(name, ())
        if fit.run and not on_node:
            plan.create.append(name)
        elif fit.stay:
            _tidy(plan, name, on_node, surging=surging, value=value)
        else:
            plan.delete += [pod for pod in on_node if not pod.metadata.deletion_timestamp]
    for name, on_node in daemons.items():
        if name not in fits:
            # Its node is gone; a pod that was never placed would wait for it for ever.
            plan.delete += [pod for pod in on_node if not pod.metadata.deletion_timestamp and not pod.spec.node_name]
    return plan


def _tidy(plan: Plan, node: str, on_node: Sequence[Pod], *, surging: bool, value: str) -> None:
    running = []
    for pod in on_node:
        if pod.metadata.deletion_timestamp:
            continue
        if pod.status.phase == "Failed":
            plan.failed.append((node, pod))
        elif pod.status.phase == "Succeeded":
            plan.succeeded.append((node, pod))
        else:
            running.append(pod)
    if surging:
        new = [pod for pod in running if pod.metadata.labels.get(POD_LABEL) == value]
        old = [pod for pod in running if pod not in new]
        plan.delete += new[1:] + old[1:]
    else:
        plan.delete += running[1:]


class Limits(msgspec.Struct, frozen=True):
    surge: int
    unavailable: int


def limits(daemon_set: DaemonSet, desired: int) -> Limits:
    rolling = daemon_set.spec.update_strategy.rolling_update
    surge = rolling.max_surge if rolling and rolling.max_surge is not None else 0
    unavailable = rolling.max_unavailable if rolling and rolling.max_unavailable is not None else 1
    more = share(surge, desired, round_up=True)
    fewer = share(unavailable, desired, round_up=True)
    return Limits(more, 1 if more == 0 and fewer == 0 else fewer)


def roll(
    daemon_set: DaemonSet, fits: Mapping[str, Fit], daemons: Mapping[str, Sequence[Pod]], value: str, now: float
) -> Plan:
    """The next step from old pods to pods of the current template."""
    should_run = [name for name, fit in fits.items() if fit.run]
    bounds = limits(daemon_set, len(should_run))
    pairs = {name: _pair(daemons.get(name, ()), value) for name in should_run}

    def available(pod: Pod) -> bool:
        return pods.is_available(pod, daemon_set.spec.min_ready_seconds, now)

    if bounds.surge:
        return _roll_with_surge(pairs, bounds.surge, available)
    return _roll_in_place(pairs, bounds.unavailable, available)


_Pair = tuple[Pod | None, Pod | None]


def _pair(on_node: Sequence[Pod], value: str) -> _Pair:
    """(new, old) pod of a node; those on their way out count as old only when nothing else is there."""
    staying = [pod for pod in on_node if not pod.metadata.deletion_timestamp]
    new = [pod for pod in staying if pod.metadata.labels.get(POD_LABEL) == value]
    old = [pod for pod in staying if pod not in new]
    leaving = [pod for pod in on_node if pod.metadata.deletion_timestamp]
    if not new and not old and leaving:
        return None, leaving[0]
    return (new[0] if new else None), (old[0] if old else None)


def _roll_in_place(pairs: Mapping[str, _Pair], limit: int, available: Any) -> Plan:
    unavailable = 0
    broken: list[Pod] = []
    working: list[Pod] = []
    for new, old in pairs.values():
        if new is not None or old is None:
            unavailable += new is None or not available(new)
        elif old.metadata.deletion_timestamp:
            unavailable += 1
        elif not available(old):
            unavailable += 1
            broken.append(old)
        else:
            working.append(old)
    return Plan(delete=[*broken, *working[: max(0, limit - unavailable)]])


def _roll_with_surge(pairs: Mapping[str, _Pair], limit: int, available: Any) -> Plan:
    plan = Plan()
    surging = 0
    waiting: list[str] = []
    for name, (new, old) in pairs.items():
        if old is None or old.metadata.deletion_timestamp:
            continue
        if new is None:
            (waiting if available(old) else plan.create).append(name)
        elif available(new):
            plan.delete.append(old)
        else:
            surging += 1
    plan.create += waiting[: max(0, limit - surging)]
    return plan


def status(
    daemon_set: DaemonSet, fits: Mapping[str, Fit], daemons: Mapping[str, Sequence[Pod]], value: str, now: float
) -> DaemonSetStatus:
    desired = current = misscheduled = ready = available = updated = 0
    for name, fit in fits.items():
        on_node = daemons.get(name, ())
        if not fit.run:
            misscheduled += bool(on_node)
            continue
        desired += 1
        if not on_node:
            continue
        current += 1
        staying = [pod for pod in on_node if not pod.metadata.deletion_timestamp]
        ready_ones = [pod for pod in staying if pods.is_ready(pod)]
        ready += bool(ready_ones)
        available += any(pods.is_available(pod, daemon_set.spec.min_ready_seconds, now) for pod in ready_ones)
        updated += any(pod.metadata.labels.get(POD_LABEL) == value for pod in on_node)
    return DaemonSetStatus(
        current_number_scheduled=current,
        number_misscheduled=misscheduled,
        desired_number_scheduled=desired,
        number_ready=ready,
        observed_generation=daemon_set.metadata.generation,
        updated_number_scheduled=updated,
        number_available=available,
        number_unavailable=desired - available,
        collision_count=daemon_set.status.collision_count,
        conditions=daemon_set.status.conditions,
    )
