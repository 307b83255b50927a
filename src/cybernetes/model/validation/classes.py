"""Priority classes, runtime classes, disruption budgets, leases: small kinds with few rules.

source  Kubernetes, validation of pkg/apis/scheduling, node, policy, coordination
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from cybernetes.model.validation import names
from cybernetes.model.validation.meta import IMMUTABLE, validate_labels
from cybernetes.model.validation.resources import validate_container_resource_name, validate_quantity_value
from cybernetes.model.validation.scheduling import validate_tolerations
from cybernetes.model.validation.selectors import validate_label_selector
from cybernetes.model.validation.workloads import at_most_all, int_or_percent

Object = dict[str, Any]
_SPEC = Path("spec")
_HIGHEST_USER_PRIORITY = 1_000_000_000
_SYSTEM_CLASSES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}


def validate_priority_class(priority_class: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    name, value = priority_class["metadata"].get("name", ""), priority_class.get("value", 0)
    if name.startswith("system-"):
        if _SYSTEM_CLASSES.get(name) != value:
            text = "priority class names with 'system-' prefix are reserved for system use only"
            errors.append(forbidden(Path("metadata").child("name"), f"{text}. error: {_why_not_system(name)}"))
    elif value > _HIGHEST_USER_PRIORITY:
        text = f"maximum allowed value of a user defined priority is {_HIGHEST_USER_PRIORITY}"
        errors.append(forbidden(Path("value"), text))
    policy, path = priority_class.get("preemptionPolicy"), Path("preemptionPolicy")
    if policy == "":
        errors.append(required(path))
    elif policy is not None and policy not in ("PreemptLowerPriority", "Never"):
        errors.append(not_supported(path, policy, ("PreemptLowerPriority", "Never")))
    return errors


def _why_not_system(name: str) -> str:
    if name in _SYSTEM_CLASSES:
        return f"value of {name} PriorityClass must be {_SYSTEM_CLASSES[name]}"
    return f"{name} is not a known system priority class"


def validate_priority_class_update(priority_class: Object, old: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    if priority_class.get("value", 0) != old.get("value", 0):
        errors.append(forbidden(Path("value"), "may not be changed in an update."))
    if priority_class.get("preemptionPolicy") != old.get("preemptionPolicy"):
        value = priority_class.get("preemptionPolicy")
        errors.append(invalid(Path("preemptionPolicy"), value, IMMUTABLE))
    return errors


def validate_runtime_class(runtime_class: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    handler = runtime_class.get("handler", "")
    if not handler:
        errors.append(required(Path("handler")))
    else:
        errors += [invalid(Path("handler"), handler, each) for each in names.dns_label(handler)]
    overhead = (runtime_class.get("overhead") or {}).get("podFixed") or {}
    for name, value in sorted(overhead.items()):
        path = Path("overhead").child("podFixed").key(name)
        errors += validate_container_resource_name(name, path) + validate_quantity_value(name, value, path)
    scheduling = runtime_class.get("scheduling")
    if scheduling is not None:
        path = Path("scheduling")
        errors += validate_labels(scheduling.get("nodeSelector"), path.child("nodeSelector"))
        tolerations = scheduling.get("tolerations") or []
        errors += validate_tolerations(tolerations, path.child("tolerations"))
        for i, toleration in enumerate(tolerations):
            if toleration in tolerations[:i]:
                errors.append(duplicate(path.child("tolerations").index(i), _shown_toleration(toleration)))
    return errors


def _shown_toleration(toleration: Object) -> Object:
    """As the reference prints its internal struct."""
    return {
        "Key": toleration.get("key", ""),
        "Operator": toleration.get("operator", ""),
        "Value": toleration.get("value", ""),
        "Effect": toleration.get("effect", ""),
        "TolerationSeconds": toleration.get("tolerationSeconds"),
    }


def validate_runtime_class_update(runtime_class: Object, old: Object) -> list[FieldError]:
    if runtime_class.get("handler") == old.get("handler"):
        return []
    return [invalid(Path("handler"), runtime_class.get("handler"), IMMUTABLE)]


def validate_disruption_budget(budget: Object) -> list[FieldError]:
    spec = budget.get("spec") or {}
    low, high = spec.get("minAvailable"), spec.get("maxUnavailable")
    errors: list[FieldError] = []
    if low is not None and high is not None:
        shown = {"MinAvailable": low, "Selector": spec.get("selector"), "MaxUnavailable": high}
        errors.append(invalid(_SPEC, shown, "minAvailable and maxUnavailable cannot be both set"))
    for key, value in (("minAvailable", low), ("maxUnavailable", high)):
        if value is not None:
            errors += int_or_percent(value, _SPEC.child(key)) + at_most_all(value, _SPEC.child(key))
    errors += validate_label_selector(spec.get("selector"), _SPEC.child("selector"))
    policy, path = spec.get("unhealthyPodEvictionPolicy"), _SPEC.child("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in ("AlwaysAllow", "IfHealthyBudget"):
        errors.append(not_supported(path, policy, ("AlwaysAllow", "IfHealthyBudget")))
    return errors


def validate_lease(lease: Object) -> list[FieldError]:
    spec = lease.get("spec") or {}
    errors: list[FieldError] = []
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        errors.append(invalid(_SPEC.child("leaseDurationSeconds"), seconds, "must be greater than 0"))
    if transitions is not None and transitions < 0:
        errors.append(invalid(_SPEC.child("leaseTransitions"), transitions, "must be greater than or equal to 0"))
    return errors
