"""Whether one node is where a pod wants to be, and whether the pod bears its taints. Pure, over plain objects.

source  Kubernetes documentation "Assigning Pods to Nodes", "Taints and Tolerations"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NODE_NAME = "metadata.name"

Json = Mapping[str, Any]


def wants(spec: Json, name: str, labels: Mapping[str, str]) -> bool:
    """Whether the pod's node selector and required node affinity take a node of this name and with these labels."""
    selector: Mapping[str, str] = spec.get("nodeSelector") or {}
    if not selector.items() <= labels.items():
        return False
    node_affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(term_matches(each, name, labels) for each in required.get("nodeSelectorTerms") or ())


def term_matches(term: Json, name: str, labels: Mapping[str, str]) -> bool:
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    # A term without conditions matches nothing, as the scheduler has it.
    if not expressions and not fields:
        return False
    by_label = all(_matches(labels.get(each["key"]), each) for each in expressions)
    return by_label and all(each["key"] == NODE_NAME and _matches(name, each) for each in fields)


def _matches(value: str | None, requirement: Json) -> bool:
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


def bears(tolerations: Sequence[Json], taint: Json) -> bool:
    """Whether any of the tolerations is for this taint."""
    return any(_tolerates(each, taint) for each in tolerations)


def _tolerates(toleration: Json, taint: Json) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    operator = toleration.get("operator") or "Equal"
    mine, its = toleration.get("value") or "", taint.get("value") or ""
    if operator in ("Gt", "Lt"):
        return _compares(operator, mine, (its,))
    return operator == "Exists" or (operator == "Equal" and bool(toleration.get("key")) and mine == its)
