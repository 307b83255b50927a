"""What a pod asks of a node: milli-CPU, bytes and counts.

source  Kubernetes documentation "Resource Management for Pods and Containers", "Init Containers" (resource sharing),
        "Pod Overhead", "Pod-level resources"
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cybernetes.model import quantity as quantities
from cybernetes.scheduler.objects import Container, ContainerStatus, PodSpec, Resources

CPU, MEMORY, EPHEMERAL, PODS = "cpu", "memory", "ephemeral-storage", "pods"

# What a container without a request counts as when nodes are compared (never when they are filtered).
DEFAULT_CPU_MILLI = 100
DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024

# Above every machine, and small enough that the pods of a node can be added up, and multiplied by 100, in 64 bits:
# a pod that is put on a node by its author may ask for anything.
AMOUNT_MAX = 2**50

Amounts = dict[str, int]
Quantities = Mapping[str, str | int | float]


class Requests(msgspec.Struct, frozen=True, gc=False):
    """Requests of one pod; cpu in milli, the others in whole units.

    amounts          what must fit, resources with zero left out, sorted by name
    scored_cpu_milli, scored_memory_bytes   the same with defaults for containers without a request
    """

    amounts: tuple[tuple[str, int], ...]
    scored_cpu_milli: int
    scored_memory_bytes: int

    def of(self, resource: str) -> int:
        return next((amount for name, amount in self.amounts if name == resource), 0)


def amount(resource: str, quantity: str | int | float) -> int:
    """The quantity in the unit that is counted: milli for cpu, whole otherwise; rounded up."""
    return quantities.milli(quantity) if resource == CPU else quantities.value(quantity)


def pod_requests(spec: PodSpec) -> Requests:
    """The largest sum that the pod can need at one time."""
    asked = _total(spec, {})
    scored = _total(spec, {CPU: DEFAULT_CPU_MILLI, MEMORY: DEFAULT_MEMORY_BYTES})
    kept = tuple(sorted((name, min(value, AMOUNT_MAX)) for name, value in asked.items() if value > 0))
    return Requests(kept, min(scored.get(CPU, 0), AMOUNT_MAX), min(scored.get(MEMORY, 0), AMOUNT_MAX))


def with_actual(spec: PodSpec, statuses: list[ContainerStatus]) -> None:
    """Raise the requests of running containers to what they have, so that a shrinking pod keeps its room until it shrank."""
    by_name = {each.name: each for each in statuses}
    for container in spec.containers:
        status = by_name.get(container.name)
        if status is None:
            continue
        asked = dict((container.resources.requests if container.resources else None) or {})
        actual = (status.resources.requests if status.resources else None) or {}
        changed = False
        for name, quantity in [*actual.items(), *(status.allocated_resources or {}).items()]:
            if amount(name, quantity) > amount(name, asked.get(name, 0)):
                asked[name] = quantity
                changed = True
        if changed:
            container.resources = Resources(asked)


def _total(spec: PodSpec, missing: Amounts) -> Amounts:
    total: Amounts = {}
    for container in spec.containers:
        _add(total, _of_container(container, missing))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.init_containers or ():
        asked = _of_container(container, missing)
        if container.restart_policy == "Always":
            _add(total, asked)
            _add(sidecars, asked)
            asked = sidecars
        else:
            _add(asked, sidecars)
        _raise_to(peak, asked)
    _raise_to(total, peak)
    if spec.resources is not None and spec.resources.requests:
        for name, quantity in spec.resources.requests.items():
            if name in (CPU, MEMORY) or name.startswith("hugepages-"):
                total[name] = amount(name, quantity)
    if spec.overhead:
        _add(total, amounts(spec.overhead))
    return total


def amounts(listed: Quantities | None) -> Amounts:
    return {name: amount(name, quantity) for name, quantity in (listed or {}).items()}


def _of_container(container: Container, missing: Amounts) -> Amounts:
    asked = amounts(container.resources.requests) if container.resources is not None else {}
    return {**missing, **asked}


def _add(total: Amounts, more: Amounts) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value


def _raise_to(total: Amounts, floor: Amounts) -> None:
    for name, value in floor.items():
        total[name] = max(total.get(name, 0), value)
