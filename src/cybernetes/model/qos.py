"""The quality-of-service class of a pod.

source  Kubernetes documentation "Pod Quality of Service Classes"
"""

from __future__ import annotations

from typing import Any

from cybernetes.model import quantity
from cybernetes.model.memo import Memo

_COMPUTE = ("cpu", "memory")


def qos_class(spec: dict[str, Any]) -> str:
    """Guaranteed, Burstable or BestEffort, from what the pod and its containers request and limit."""
    pod_level = spec.get("resources") or {}
    if pod_level.get("requests") or pod_level.get("limits"):
        return _remembered([pod_level])
    return _remembered(
        [each.get("resources") or {} for each in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))]
    )


def _of(all_resources: list[dict[str, Any]]) -> str:
    requests = [_positive(each.get("requests")) for each in all_resources]
    limits = [_positive(each.get("limits")) for each in all_resources]
    if not any(requests) and not any(limits):
        return "BestEffort"
    if any(each.keys() != set(_COMPUTE) for each in limits):
        return "Burstable"
    for asked, allowed in zip(requests, limits, strict=True):
        if any(asked.get(name, allowed[name]) != allowed[name] for name in _COMPUTE):
            return "Burstable"
    return "Guaranteed"


# Containers of one template ask for the same.
_remembered = Memo(_of)


def _positive(resources: dict[str, str] | None) -> dict[str, int]:
    """cpu and memory in nano units; a zero counts as not given."""
    found = {name: quantity.nano(value) for name, value in (resources or {}).items() if name in _COMPUTE}
    return {name: value for name, value in found.items() if value > 0}
