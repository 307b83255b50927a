"""Where a pod may go: affinity, tolerations, spreading, scheduling gates.

source  Kubernetes, pkg/apis/core/validation: Affinity, Tolerations, TopologySpreadConstraints
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from cybernetes.model.validation import names
from cybernetes.model.validation.selectors import (
    validate_label_selector,
    validate_node_selector,
    validate_node_selector_term,
)

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def validate_affinity(affinity: dict[str, Any] | None, path: Path) -> list[FieldError]:
    if affinity is None:
        return []
    errors: list[FieldError] = []
    node = affinity.get("nodeAffinity")
    if node is not None:
        errors += _node_affinity(node, path.child("nodeAffinity"))
    for key in ("podAffinity", "podAntiAffinity"):
        if affinity.get(key) is not None:
            errors += _pod_affinity(affinity[key], path.child(key))
    return errors


def _node_affinity(affinity: dict[str, Any], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    if affinity.get(_REQUIRED) is not None:
        errors += validate_node_selector(affinity[_REQUIRED], path.child(_REQUIRED))
    for i, term in enumerate(affinity.get(_PREFERRED) or []):
        at = path.child(_PREFERRED).index(i)
        errors += _weight(term, at)
        errors += validate_node_selector_term(term.get("preference") or {}, at.child("preference"))
    return errors


def _weight(term: dict[str, Any], path: Path) -> list[FieldError]:
    weight = term.get("weight", 0)
    return [] if 1 <= weight <= 100 else [invalid(path.child("weight"), weight, "must be in the range 1-100")]


def _pod_affinity(affinity: dict[str, Any], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, term in enumerate(affinity.get(_REQUIRED) or []):
        errors += _pod_affinity_term(term, path.child(_REQUIRED).index(i))
    for i, term in enumerate(affinity.get(_PREFERRED) or []):
        at = path.child(_PREFERRED).index(i)
        errors += _weight(term, at)
        errors += _pod_affinity_term(term.get("podAffinityTerm") or {}, at.child("podAffinityTerm"))
    return errors


def _pod_affinity_term(term: dict[str, Any], path: Path) -> list[FieldError]:
    errors = validate_label_selector(term.get("labelSelector"), path.child("labelSelector"))
    errors += validate_label_selector(term.get("namespaceSelector"), path.child("namespaceSelector"))
    for namespace in term.get("namespaces") or []:
        errors += [invalid(path.child("namespace"), namespace, each) for each in names.dns_label(namespace)]
    errors += _match_label_keys(term, path)
    topology_key = term.get("topologyKey", "")
    if not topology_key:
        errors.append(required(path.child("topologyKey"), "can not be empty"))
    return errors + [
        invalid(path.child("topologyKey"), topology_key, each) for each in names.qualified_name(topology_key)
    ]


def _match_label_keys(term: dict[str, Any], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    selector = term.get("labelSelector")
    for key in ("matchLabelKeys", "mismatchLabelKeys"):
        errors += _label_keys(term.get(key) or [], selector, path.child(key))
    used = {each.get("key") for each in (selector or {}).get("matchExpressions") or []}
    for i, key in enumerate(term.get("matchLabelKeys") or []):
        if key in (term.get("mismatchLabelKeys") or []):
            text = "exists in both matchLabelKeys and mismatchLabelKeys"
            errors.append(invalid(path.child("matchLabelKeys").index(i), key, text))
        if list(used).count(key) > 1:
            errors.append(
                invalid(path.child("matchLabelKeys").index(i), key, "exists in both matchLabelKeys and labelSelector")
            )
    return errors


def _label_keys(keys: list[str], selector: dict[str, Any] | None, path: Path) -> list[FieldError]:
    if not keys:
        return []
    if selector is None:
        return [forbidden(path, "must not be specified when labelSelector is not set")]
    return [invalid(path.index(i), key, each) for i, key in enumerate(keys) for each in names.qualified_name(key)]


def validate_tolerations(tolerations: list[dict[str, Any]], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, toleration in enumerate(tolerations):
        errors += _toleration(toleration, path.index(i))
    return errors


def _toleration(toleration: dict[str, Any], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    key, operator = toleration.get("key", ""), toleration.get("operator", "")
    value, effect = toleration.get("value", ""), toleration.get("effect", "")
    if key:
        errors += [invalid(path.child("key"), key, each) for each in names.qualified_name(key)]
    if not key and operator != "Exists":
        text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        errors.append(invalid(path.child("operator"), operator, text))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        errors.append(invalid(path.child("effect"), effect, text))
    match operator:
        case "Equal" | "":
            wrong = names.label_value(value)
            if wrong:
                errors.append(invalid(path.child("operator"), value, ";".join(wrong)))
        case "Exists":
            if value:
                text = "value must be empty when `operator` is 'Exists'"
                errors.append(invalid(path.child("operator"), toleration, text))
        case _:
            errors.append(not_supported(path.child("operator"), operator, ("Equal", "Exists")))
    if effect:
        errors += validate_taint_effect(effect, path.child("effect"), allow_empty=True)
    return errors


def validate_taint_effect(effect: str, path: Path, *, allow_empty: bool) -> list[FieldError]:
    if not effect and not allow_empty:
        return [required(path)]
    return [] if effect in _EFFECTS else [not_supported(path, effect, _EFFECTS)]


def validate_spread_constraints(constraints: list[dict[str, Any]], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, each in enumerate(constraints):
        errors += _spread_constraint(each, constraints[i + 1 :], path.index(i))
    return errors


def _spread_constraint(each: dict[str, Any], later: list[dict[str, Any]], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    skew, key, action = each.get("maxSkew", 0), each.get("topologyKey", ""), each.get("whenUnsatisfiable", "")
    if skew <= 0:
        errors.append(invalid(path.child("maxSkew"), skew, "must be greater than zero"))
    if not key:
        errors.append(required(path.child("topologyKey"), "can not be empty"))
    if action not in ("DoNotSchedule", "ScheduleAnyway"):
        errors.append(not_supported(path.child("whenUnsatisfiable"), action, ("DoNotSchedule", "ScheduleAnyway")))
    if any(other.get("topologyKey", "") == key and other.get("whenUnsatisfiable", "") == action for other in later):
        errors.append(duplicate(path.child("{topologyKey, whenUnsatisfiable}"), f"{{{key}, {action}}}"))
    errors += _min_domains(each.get("minDomains"), action, path.child("minDomains"))
    for policy in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        value = each.get(policy)
        if value is not None and value not in ("Honor", "Ignore"):
            errors.append(not_supported(path.child(policy), value, ("Honor", "Ignore")))
    errors += _label_keys(each.get("matchLabelKeys") or [], each.get("labelSelector"), path.child("matchLabelKeys"))
    return errors + validate_label_selector(each.get("labelSelector"), path.child("labelSelector"))


def _min_domains(domains: int | None, action: str, path: Path) -> list[FieldError]:
    if domains is None:
        return []
    errors: list[FieldError] = []
    if domains <= 0:
        errors.append(invalid(path, domains, "must be greater than zero"))
    if action != "DoNotSchedule":
        text = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
        errors.append(invalid(path, domains, text))
    return errors


def validate_scheduling_gates(gates: list[dict[str, Any]], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, gate in enumerate(gates):
        name = gate.get("name", "")
        errors += [invalid(path.index(i).child("name"), name, each) for each in names.qualified_name(name)]
        if name in seen:
            errors.append(duplicate(path.index(i), name))
        seen.add(name)
    return errors
