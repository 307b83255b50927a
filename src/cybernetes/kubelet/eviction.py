"""Ends pods when the node runs out of memory, disk or process ids. Pure, but for the loop that asks.

source  kubernetes.io "Node-pressure Eviction"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from cybernetes.kubelet import node_status, pods, resources
from cybernetes.kubelet.machine import Usage
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.runtime.api import Stats
from cybernetes.kubelet.verdict import Rejection, Verdict
from cybernetes.model import quantity

EVERY_S = 10.0
# A pressure is believed to have gone only when it has not been seen for this long.
TRANSITION_S = 300.0

_CONDITIONS = {
    "memory.available": "MemoryPressure",
    "nodefs.available": "DiskPressure",
    "nodefs.inodesFree": "DiskPressure",
    "imagefs.available": "DiskPressure",
    "imagefs.inodesFree": "DiskPressure",
    "pid.available": "PIDPressure",
}
_RESOURCES = {
    "memory.available": "memory",
    "nodefs.available": "ephemeral-storage",
    "imagefs.available": "ephemeral-storage",
    "nodefs.inodesFree": "inodes",
    "imagefs.inodesFree": "inodes",
    "pid.available": "pids",
}
_MEMORY_TAINT = "node.kubernetes.io/memory-pressure"


class Signal(msgspec.Struct, frozen=True):
    """A threshold that is crossed: what there is, and what there should be."""

    name: str
    available: int
    threshold: int

    @property
    def condition(self) -> str:
        return _CONDITIONS[self.name]

    @property
    def resource(self) -> str:
        return _RESOURCES[self.name]


def crossed(usage: Usage, limits: Mapping[str, str]) -> list[Signal]:
    """Signals below their hard limit, memory first."""
    now = {
        "memory.available": (usage.memory_available, usage.memory_available),
        "nodefs.available": (usage.disk_available, usage.disk_capacity),
        "nodefs.inodesFree": (usage.inodes_free, usage.inodes),
        "imagefs.available": (usage.disk_available, usage.disk_capacity),
        "imagefs.inodesFree": (usage.inodes_free, usage.inodes),
        "pid.available": (usage.pids_max - usage.pids, usage.pids_max),
    }
    result = []
    for name, (available, capacity) in now.items():
        # File systems without inode numbers of their own report none.
        if name not in limits or (name != "memory.available" and not capacity):
            continue
        threshold = node_status.threshold(limits[name], capacity)
        if available < threshold:
            result.append(Signal(name, available, threshold))
    return result


class Candidate(msgspec.Struct, frozen=True):
    """A pod that may be evicted; used and requested in units of the resource that is short."""

    pod: Object
    used: int
    requested: int
    containers: Mapping[str, int] = {}


def rank(candidates: Sequence[Candidate]) -> list[Candidate]:
    """First to go first: above their request, then lower priority, then further above the request. Critical pods stay."""
    allowed = [each for each in candidates if not pods.is_critical(each.pod)]
    return sorted(
        allowed,
        key=lambda each: (
            each.used <= each.requested,
            int(each.pod["spec"].get("priority") or 0),
            each.requested - each.used,
        ),
    )


def candidates(running: Sequence[Object], stats: Sequence[Stats], resource: str) -> list[Candidate]:
    found = []
    for pod in running:
        own = [row for row in stats if row.uid == pods.uid(pod)]
        used = {row.name: row.working_set_bytes if resource == "memory" else row.filesystem_bytes for row in own}
        requested = resources.pod_requests(pod).get(resource, 0)
        found.append(Candidate(pod, sum(used.values()), requested, used))
    return found


def verdict(candidate: Candidate, signal: Signal) -> Verdict:
    text = message(candidate, signal)
    return Verdict("Failed", "Evicted", text, grace_s=1, disruption=text)


def message(candidate: Candidate, signal: Signal) -> str:
    resource = signal.resource
    text = (
        f"The node was low on resource: {resource}. Threshold quantity: {_shown(signal.threshold)}, "
        f"available: {_shown(signal.available)}. "
    )
    for container in pods.containers(candidate.pod):
        used = candidate.containers.get(container["name"], 0)
        requested = resources.requests(container).get(resource, 0)
        if used > requested:
            text += (
                f"Container {container['name']} was using {_shown(used)}, request is {_shown(requested)}, "
                f"has larger consumption of {resource}. "
            )
    return text


def _shown(value: int) -> str:
    if value % 1024 == 0:
        return quantity.render(value * 10**9, quantity.BINARY)
    return f"{value // 1024}Ki" if value > 1024 * 1024 else str(value)


def rejection(pod: Object, pressures: frozenset[str]) -> Rejection | None:
    """Whether a new pod may come to a node under pressure."""
    if not pressures or pods.is_critical(pod):
        return None
    if pressures == {"MemoryPressure"}:
        tolerated = any(
            each.get("key") in (None, "", _MEMORY_TAINT) and each.get("effect") in (None, "", "NoSchedule")
            and (each.get("operator") == "Exists" or each.get("key") == _MEMORY_TAINT)
            for each in pod["spec"].get("tolerations") or ()
        )  # fmt: skip
        if resources.qos_class(pod) != resources.BEST_EFFORT or tolerated:
            return None
    return Rejection("Evicted", f"The node had condition: [{', '.join(sorted(pressures))}]. ")


class Pressures:
    """Which pressures hold: since a threshold was crossed, until TRANSITION_S after it was last."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def update(self, signals: Sequence[Signal], now: float) -> None:
        for each in signals:
            self._last[each.condition] = now
        self._last = {name: at for name, at in self._last.items() if now - at < TRANSITION_S}

    def now(self) -> frozenset[str]:
        return frozenset(self._last)


def over_size_limit(pod: Object, sizes: Mapping[str, int]) -> str:
    """Why a pod's emptyDir volumes are too large; "" when they are not. sizes: bytes by volume."""
    for volume in pod["spec"].get("volumes") or ():
        limit = (volume.get("emptyDir") or {}).get("sizeLimit")
        if limit and sizes.get(volume["name"], 0) > quantity.value(str(limit)):
            return f'Usage of EmptyDir volume "{volume["name"]}" exceeds the limit "{limit}". '
    return ""


def limits_storage(pod: Object) -> bool:
    return any(resources.limits(each).get("ephemeral-storage") for each in pods.containers(pod))


def over_storage_limit(pod: Object, used: Mapping[str, int], volumes_bytes: int) -> str:
    """Why a pod uses too much of the node's disk; "" when it does not.

    used           bytes by container: what it wrote to its own layer, and its logs
    volumes_bytes  of its emptyDir volumes on disk
    """
    for container in pods.containers(pod):
        limit = resources.limits(container).get("ephemeral-storage", 0)
        if limit and used.get(container["name"], 0) > limit:
            shown = container["resources"]["limits"]["ephemeral-storage"]
            return f'Container {container["name"]} exceeded its local ephemeral storage limit "{shown}". '
    limits = [resources.limits(each).get("ephemeral-storage", 0) for each in pods.containers(pod)]
    # A pod of which one container may use any amount has no limit as a whole.
    if all(limits) and sum(used.values()) + volumes_bytes > sum(limits):
        total = quantity.render(sum(limits) * 10**9, quantity.BINARY)
        return f"Pod ephemeral local storage usage exceeds the total limit of containers {total}. "
    return ""
