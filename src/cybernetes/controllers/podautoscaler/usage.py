"""How many replicas one metric asks for.

source  Kubernetes documentation "Horizontal Pod Autoscaling", Algorithm details
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from cybernetes.base.clock import parse_rfc3339
from cybernetes.controllers import pods
from cybernetes.controllers.podautoscaler.objects import MeasuredContainer, MeasuredPod, Sample
from cybernetes.model import quantity

# Starting takes more CPU than running: how long, at most, a pod counts as starting.
CPU_INITIALIZATION_S = 300.0
READINESS_DELAY_S = 30.0


class NoMetrics(Exception):
    """Nothing can be said about the pods; the text says why."""


class Groups(msgspec.Struct):
    """ready: with a sample that counts. unready: starting or not ready. missing: without a sample. Names of pods."""

    ready: set[str]
    unready: set[str]
    missing: set[str]
    ignored: set[str]


class Proposal(msgspec.Struct, frozen=True):
    """utilization: percent of what was requested, None for a target of another kind.

    value: nano units, a pod's mean unless `total`
    """

    replicas: int
    utilization: int | None
    value: int
    total: bool = False


class Tolerance(msgspec.Struct, frozen=True):
    up: float = 0.1
    down: float = 0.1

    def covers(self, ratio: float) -> bool:
        return 1 - self.down <= ratio <= 1 + self.up


def group(all_pods: Sequence[MeasuredPod], samples: Mapping[str, Sample], resource: str, now: float) -> Groups:
    found = Groups(set(), set(), set(), set())
    for pod in all_pods:
        name = pod.metadata.name
        if pod.metadata.deletion_timestamp or pod.status.phase == "Failed":
            found.ignored.add(name)
        elif pod.status.phase == "Pending":
            found.unready.add(name)
        elif name not in samples:
            found.missing.add(name)
        elif resource == "cpu" and _is_starting(pod, samples[name], now):
            found.unready.add(name)
        else:
            found.ready.add(name)
    return found


def _is_starting(pod: MeasuredPod, sample: Sample, now: float) -> bool:
    """Whether what the pod uses says nothing about its load yet."""
    ready = pods.condition(pod.status.conditions, "Ready")
    if ready is None or not pod.status.start_time:
        return True
    started = parse_rfc3339(pod.status.start_time)
    changed = parse_rfc3339(ready.last_transition_time) if ready.last_transition_time else started
    if started + CPU_INITIALIZATION_S > now:
        return ready.status == "False" or sample.at < changed + sample.window_s
    return ready.status == "False" and started + READINESS_DELAY_S > changed


def requests_of(pod: MeasuredPod, resource: str, container: str) -> int:
    """Nano units that the pod (or one container of it) asked for. Raises NoMetrics when one says nothing."""
    total = 0
    for each in _counted(pod, container):
        requested = each.resources.requests.get(resource)
        if requested is None:
            raise NoMetrics(f"missing request for {resource} in container {each.name} of Pod {pod.metadata.name}")
        total += quantity.nano(requested)
    return total


def _counted(pod: MeasuredPod, container: str) -> list[MeasuredContainer]:
    sidecars = [each for each in pod.spec.init_containers if each.restart_policy == "Always"]
    every = [*pod.spec.containers, *sidecars]
    return [each for each in every if not container or each.name == container]


class Wanted(msgspec.Struct, frozen=True):
    """What a metric aims at: `utilization` percent of the request, or `average` nano units a pod."""

    resource: str
    container: str
    utilization: int | None = None
    average: int | None = None


def propose(
    current: int,
    wanted: Wanted,
    all_pods: Sequence[MeasuredPod],
    samples: Mapping[str, Sample],
    tolerance: Tolerance,
    now: float,
) -> Proposal:
    """Raises NoMetrics."""
    groups = group(all_pods, samples, wanted.resource, now)
    used = {name: samples[name].used for name in groups.ready}
    if not used:
        raise NoMetrics("did not receive metrics for targeted pods (pods might be unready)")
    share = _shares(wanted, all_pods, groups)
    ratio = _ratio(used, share)
    mean = sum(used.values()) // len(used)
    utilization = (
        round(100 * sum(used.values()) / _total(used, _requests(wanted, all_pods))) if wanted.utilization else None
    )
    replicas = _replicas(current, wanted, used, share, groups, ratio, tolerance)
    return Proposal(replicas, utilization, mean)


def _shares(wanted: Wanted, all_pods: Sequence[MeasuredPod], groups: Groups) -> dict[str, float]:
    """What each pod should use."""
    if wanted.average is not None:
        return {pod.metadata.name: float(wanted.average) for pod in all_pods}
    assert wanted.utilization is not None
    counted = [pod for pod in all_pods if pod.metadata.name not in groups.ignored]
    requests = {pod.metadata.name: requests_of(pod, wanted.resource, wanted.container) for pod in counted}
    return {name: amount * wanted.utilization / 100 for name, amount in requests.items()}


def _requests(wanted: Wanted, all_pods: Sequence[MeasuredPod]) -> dict[str, float]:
    return {
        pod.metadata.name: float(requests_of(pod, wanted.resource, wanted.container))
        for pod in all_pods
        if not pod.metadata.deletion_timestamp and pod.status.phase != "Failed"
    }


def _total(used: Mapping[str, int], amounts: Mapping[str, float]) -> float:
    return sum(amounts[name] for name in used) or 1.0


def _ratio(used: Mapping[str, int], share: Mapping[str, float]) -> float:
    return sum(used.values()) / _total(used, share)


def _replicas(
    current: int,
    wanted: Wanted,
    used: dict[str, int],
    share: Mapping[str, float],
    groups: Groups,
    ratio: float,
    tolerance: Tolerance,
) -> int:
    grows = ratio > 1
    if not groups.missing and not (grows and groups.unready):
        return current if tolerance.covers(ratio) else math.ceil(ratio * len(used))
    # What is not known is taken to speak against the change: nothing used when growing, all of it when shrinking.
    assumed = dict(used)
    full = max(1.0, 100 / wanted.utilization) if wanted.utilization else 1.0
    for name in groups.missing:
        assumed[name] = 0 if grows else int(share[name] * full)
    if grows:
        assumed.update(dict.fromkeys(groups.unready, 0))
    again = _ratio(assumed, share)
    if tolerance.covers(again) or (again > 1) != grows:
        return current
    replicas = math.ceil(again * len(assumed))
    return current if (replicas < current) == grows else replicas


class Aim(msgspec.Struct, frozen=True):
    """What a number that is no pod's own should be, in nano units: as a whole, or a pod's part of it."""

    value: int | None = None
    average: int | None = None


def propose_for(total: int, aim: Aim, current: int, all_pods: Sequence[MeasuredPod], tolerance: Tolerance) -> Proposal:
    """total: nano units, what the object or the outside world has. Raises NoMetrics."""
    if aim.average is not None:
        mean = total // current if current else total
        covered = tolerance.covers(total / (aim.average * current)) if current else False
        return Proposal(current if covered else math.ceil(total / aim.average), None, mean)
    if not aim.value:
        raise NoMetrics("the metric has no target value")
    ratio = total / aim.value
    if tolerance.covers(ratio):
        return Proposal(current, None, total, total=True)
    ready = sum(pod.status.phase == "Running" and _is_ready(pod) for pod in all_pods)
    return Proposal(math.ceil(ratio * ready), None, total, total=True)


def _is_ready(pod: MeasuredPod) -> bool:
    ready = pods.condition(pod.status.conditions, "Ready")
    return ready is not None and ready.status == "True"
