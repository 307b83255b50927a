"""Whether one node is where a pod wants to be, and whether the pod tolerates its taints. Pure.

source  Kubernetes documentation "Assigning Pods to Nodes", "Taints and Tolerations"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

NODE_NAME = "metadata.name"

Object = Mapping[str, Any]


def wants(spec: Object, name: str, labels: Mapping[str, str]) -> bool:
    """Whether the pod's node selector and required node affinity take a node of this name and with these labels."""
    selector: Mapping[str, str] = spec.get("nodeSelector") or {}
    if not selector.items() <= labels.items():
        return False
    node_affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(term_matches(each, name, labels) for each in required.get("nodeSelectorTerms") or ())


def term_matches(term: Object, name: str, labels: Mapping[str, str]) -> bool:
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    # A term without conditions matches nothing, as the scheduler has it.
    if not expressions and not fields:
        return False
    by_label = all(_matches(labels.get(each["key"]), each) for each in expressions)
    return by_label and all(each["key"] == NODE_NAME and _matches(name, each) for each in fields)


def _matches(value: str | None, requirement: Object) -> bool:
    values: Sequence[str] = requirement.get("values") or []
    match requirement["operator"]:
        case "In":
            return value is not None and value in values
        case "NotIn":
            return value is None or value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            return _compares(operator, value, values)
    return False


def _compares(operator: str, value: str | None, values: Sequence[str]) -> bool:
    try:
        found, wanted = int(value or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return found > wanted if operator == "Gt" else found < wanted


class Taint(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def effect(self) -> str: ...


class Toleration(Taint, Protocol):
    @property
    def operator(self) -> str: ...


class _Mark(msgspec.Struct, frozen=True):
    key: str
    value: str
    effect: str
    operator: str


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """An empty effect or key of a toleration is any."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    match toleration.operator:
        case "" | "Equal":
            return toleration.value == taint.value
        case "Exists":
            return True
    return False


def tolerated(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    return any(tolerates(each, taint) for each in tolerations)


def bears(tolerations: Iterable[Object], taint: Object) -> bool:
    """Whether any of the tolerations, as a pod has them, is for this taint of a node."""
    return tolerated(_mark(taint), map(_mark, tolerations))


def _mark(plain: Object) -> _Mark:
    return _Mark(*(plain.get(name) or "" for name in ("key", "value", "effect", "operator")))
