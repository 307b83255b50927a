"""What a pod as a whole requests and is limited to, as quotas, limit ranges and reports count it. Pure.

source  Kubernetes documentation "Init Containers", resource sharing; "Sidecar Containers"
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cybernetes.model import quantity

Object = dict[str, Any]
# Resource name -> quantity.
Amounts = dict[str, str]


def requests(spec: Object, *, overhead: bool = True) -> Amounts:
    total = _whole(spec, "requests")
    return add(total, spec.get("overhead") or {}) if overhead else total


def limits(spec: Object, *, overhead: bool = True) -> Amounts:
    """Overhead counts only for resources that are limited at all."""
    total = _whole(spec, "limits")
    extra = {name: amount for name, amount in (spec.get("overhead") or {}).items() if name in total}
    return add(total, extra) if overhead else total


def _whole(spec: Object, kind: str) -> Amounts:
    total: Amounts = {}
    for container in spec.get("containers") or ():
        total = add(total, _of(container, kind))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        own = _of(container, kind)
        if container.get("restartPolicy") == "Always":
            sidecars = add(sidecars, own)
            peak = largest(peak, sidecars)
        else:
            peak = largest(peak, add(own, sidecars))
    total = largest(add(total, sidecars), peak)
    return {**total, **_pod_level(spec, kind)}


def _of(container: Object, kind: str) -> Amounts:
    return (container.get("resources") or {}).get(kind) or {}


def _pod_level(spec: Object, kind: str) -> Amounts:
    own = (spec.get("resources") or {}).get(kind) or {}
    return {name: amount for name, amount in own.items() if is_pod_level(name)}


def is_pod_level(name: str) -> bool:
    """Whether a pod may ask for the resource as a whole."""
    return name in ("cpu", "memory") or name.startswith("hugepages-")


def add(left: Amounts, right: Amounts) -> Amounts:
    if not right:
        return left
    return {**left, **{name: quantity.add(left[name], v) if name in left else v for name, v in right.items()}}


def subtract(left: Amounts, right: Amounts) -> Amounts:
    return {
        **left,
        **{name: quantity.subtract(left.get(name, "0"), amount) for name, amount in right.items()},
    }


def largest(left: Amounts, right: Amounts) -> Amounts:
    if not left or not right:
        return left or right
    more = {name: v for name, v in right.items() if name not in left or quantity.compare(v, left[name]) > 0}
    return {**left, **more}


def total(amounts: Iterable[Amounts]) -> Amounts:
    found: Amounts = {}
    for each in amounts:
        found = add(found, each)
    return found
