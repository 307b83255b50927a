"""Which pods make room for a critical one that was bound to a node without any. Pure.

source  Kubernetes documentation "Guaranteed Scheduling For Critical Add-On Pods"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cybernetes.kubelet import pods, resources
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.resources import BEST_EFFORT, BURSTABLE, GUARANTEED, Amounts
from cybernetes.kubelet.verdict import Verdict

EVENT = "Preempted in order to admit critical pod"
VERDICT = Verdict(
    "Failed", "Preempting", EVENT, disruption="Pod was preempted by Kubelet to accommodate a critical pod."
)
_PODS = "pods"


def missing(pod: Object, others: Sequence[Object], allocatable: Amounts) -> dict[str, int]:
    """What the node lacks for the pod, by resource."""
    requests = resources.pod_requests(pod)
    wanted = {_PODS: 1, **{name: value for name, value in requests.items() if name in allocatable}}
    taken = {name: sum(_amount(each, name) for each in others) for name in wanted}
    lack = {name: value + taken[name] - allocatable.get(name, 0) for name, value in wanted.items() if value}
    return {name: value for name, value in lack.items() if value > 0}


def victims(pod: Object, others: Sequence[Object], lack: Mapping[str, int]) -> list[Object]:
    """Pods whose end gives what is lacking, best-effort ones first; none when not even all of them would do."""
    allowed = [each for each in others if _yields(each, pod)]
    by_class = {name: [each for each in allowed if resources.qos_class(each) == name] for name in _CLASSES}
    best_effort, burstable, guaranteed = (by_class[name] for name in _CLASSES)
    if _without(lack, allowed):
        return []
    first = _nearest(guaranteed, _without(lack, [*best_effort, *burstable]))
    second = _nearest(burstable, _without(lack, [*best_effort, *first]))
    return [*first, *second, *_nearest(best_effort, _without(lack, [*first, *second]))]


_CLASSES = (BEST_EFFORT, BURSTABLE, GUARANTEED)


def _yields(other: Object, pod: Object) -> bool:
    if pods.is_critical(other):
        return False
    return pods.is_static(pod) or int(other["spec"].get("priority") or 0) < int(pod["spec"].get("priority") or 0)


def _amount(pod: Object, name: str) -> int:
    return 1 if name == _PODS else resources.pod_requests(pod).get(name, 0)


def _without(lack: Mapping[str, int], ended: Sequence[Object]) -> dict[str, int]:
    """What is lacking still once these pods have ended."""
    left = {name: value - sum(_amount(each, name) for each in ended) for name, value in lack.items()}
    return {name: value for name, value in left.items() if value > 0}


def _nearest(candidates: Sequence[Object], lack: Mapping[str, int]) -> list[Object]:
    """As few pods as possible: one after the other the pod that comes nearest to what is lacking, the smaller of equals."""
    left, rest, chosen = dict(lack), list(candidates), list[Object]()
    while left and rest:
        best = min(rest, key=lambda each: (_distance(each, left), [_amount(each, name) for name in sorted(left)]))
        rest.remove(best)
        chosen.append(best)
        left = _without(left, [best])
    return chosen


def _distance(pod: Object, lack: Mapping[str, int]) -> float:
    return sum((max(value - _amount(pod, name), 0) / value) ** 2 for name, value in lack.items())
