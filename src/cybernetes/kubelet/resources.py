"""Requests and limits as cgroups and the kernel understand them. Pure.

source  kubernetes.io "Resource Management for Pods and Containers"
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from cybernetes.kubelet import pods
from cybernetes.kubelet.pods import Object
from cybernetes.model import pod_resources, qos, quantity

SHARES_MIN = 2
SHARES_MAX = 262144
QUOTA_PERIOD_US = 100_000
QUOTA_MIN_US = 1000

GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"

_SCORE_GUARANTEED = -997
_SCORE_BEST_EFFORT = 1000
NODE_CRITICAL = "system-node-critical"

Amounts = Mapping[str, int]


class CgroupLimits(msgspec.Struct, frozen=True):
    """None: not limited; cpu_quota_us is per QUOTA_PERIOD_US."""

    cpu_shares: int
    cpu_quota_us: int | None = None
    memory_bytes: int | None = None
    pids_max: int | None = None


def shares(cpu_milli: int) -> int:
    return max(SHARES_MIN, min(SHARES_MAX, cpu_milli * 1024 // 1000))


def quota_us(cpu_milli: int) -> int:
    """Microseconds a period; 0 for no limit."""
    return max(QUOTA_MIN_US, cpu_milli * QUOTA_PERIOD_US // 1000) if cpu_milli else 0


def weight(cpu_shares: int) -> int:
    """cgroup v2's cpu.weight of v1's shares."""
    if cpu_shares >= SHARES_MAX:
        return 10000
    return 1 + (cpu_shares - SHARES_MIN) * 9999 // (SHARES_MAX - SHARES_MIN)


def amount(resource: str, text: str) -> int:
    """Thousandths for cpu, whole units for everything else."""
    return quantity.milli(text) if resource == "cpu" else quantity.value(text)


def requests(container: Object) -> dict[str, int]:
    return _amounts(container, "requests")


def limits(container: Object) -> dict[str, int]:
    return _amounts(container, "limits")


def _amounts(holder: Object, which: str) -> dict[str, int]:
    return _counted((holder.get("resources") or {}).get(which) or {})


def pod_requests(pod: Object, *, overhead: bool = True) -> dict[str, int]:
    """What the pod needs at its worst moment: containers with sidecars, or an init container with the sidecars before it."""
    return _counted(pod_resources.requests(pod["spec"], overhead=overhead))


def pod_limits(pod: Object, *, overhead: bool = True) -> dict[str, int]:
    return _counted(pod_resources.limits(pod["spec"], overhead=overhead))


def _counted(listed: Mapping[str, str]) -> dict[str, int]:
    return {name: amount(name, str(text)) for name, text in listed.items()}


def qos_class(pod: Object) -> str:
    given = (pod.get("status") or {}).get("qosClass")
    return str(given) if given else qos.qos_class(pod["spec"])


def pod_cgroup(root: str, pod: Object) -> str:
    """`/kubepods/burstable/podUID`, below the kubelet's cgroup root."""
    quality = qos_class(pod)
    middle = "" if quality == GUARANTEED else f"/{quality.lower()}"
    return f"{root.rstrip('/')}/kubepods{middle}/pod{pods.uid(pod)}"


def pod_cgroup_limits(pod: Object, pids_max: int = -1) -> CgroupLimits:
    """Limits of the pod's own cgroup: a quota or memory limit only where every container has one."""
    requested, limited = pod_requests(pod), pod_limits(pod)
    holders = [*pods.containers(pod), *pods.init_containers(pod)]
    pod_level = _amounts(pod["spec"], "limits")

    def whole(name: str) -> int | None:
        if pod_level.get(name) or all(limits(each).get(name) for each in holders):
            return limited.get(name)
        return None

    cpu, memory = whole("cpu"), whole("memory")
    return CgroupLimits(
        cpu_shares=SHARES_MIN if qos_class(pod) == BEST_EFFORT else shares(requested.get("cpu", limited.get("cpu", 0))),
        cpu_quota_us=quota_us(cpu) if cpu else None,
        memory_bytes=memory,
        pids_max=pids_max if pids_max > 0 else None,
    )


def cpu_memory_of_sandbox(pod: Object) -> tuple[int, int, int]:
    """(cpu shares, cpu quota, memory limit) that describe the whole pod to the runtime; 0 for no limit."""
    requested, limited = pod_requests(pod, overhead=False), pod_limits(pod, overhead=False)
    cpu_limit = limited.get("cpu", 0)
    return shares(requested.get("cpu", cpu_limit)), quota_us(cpu_limit), limited.get("memory", 0)


def cpu_memory_of_container(pod: Object, container: Object) -> tuple[int, int, int]:
    """(cpu shares, cpu quota, memory limit) of one container; the pod's limits stand in for its own."""
    requested = requests(container)
    limited = {**_amounts(pod["spec"], "limits"), **limits(container)}
    cpu_limit = limited.get("cpu", 0)
    return shares(requested.get("cpu", cpu_limit)), quota_us(cpu_limit), limited.get("memory", 0)


def oom_score_adj(pod: Object, container: Object, capacity_bytes: int) -> int:
    """How ready the kernel is to kill the container when memory runs out: -997 last, 1000 first."""
    quality = qos_class(pod)
    if pod["spec"].get("priorityClassName") == NODE_CRITICAL or quality == GUARANTEED:
        return _SCORE_GUARANTEED
    if quality == BEST_EFFORT:
        return _SCORE_BEST_EFFORT
    extra = _share_of_pod_request(pod)
    score = _score(requests(container).get("memory", 0) + extra, capacity_bytes)
    if pods.is_sidecar(container):
        smallest = min((requests(each).get("memory", 0) for each in pods.containers(pod)), default=0)
        score = min(score, _score(smallest + extra, capacity_bytes))
    return score


def _score(memory_bytes: int, capacity_bytes: int) -> int:
    score = 1000 - 1000 * memory_bytes // capacity_bytes if capacity_bytes else 999
    return 3 if score < 3 else min(score, 999)


def _share_of_pod_request(pod: Object) -> int:
    of_pod = _amounts(pod["spec"], "requests").get("memory", 0)
    if not of_pod:
        return 0
    holders = [*pods.containers(pod), *(each for each in pods.init_containers(pod) if pods.is_sidecar(each))]
    listed = sum(requests(each).get("memory", 0) for each in holders)
    return max(0, of_pod - listed) // len(holders)


def resource_field(container: Object, resource: str, divisor: str, node_allocatable: Amounts) -> str:
    """The value of a resourceFieldRef: rounded up to whole divisors; an unset limit is the node's allocatable."""
    which, _, name = resource.partition(".")
    listed = limits(container) if which == "limits" else requests(container)
    value = listed.get(name, 0)
    if which == "limits" and not value:
        value = node_allocatable.get(name, 0)
    nano = value * (10**6 if name == "cpu" else 10**9)
    unit = quantity.nano(divisor) if divisor and quantity.nano(divisor) else 10**9
    return str(math.ceil(-(-nano // unit)))
