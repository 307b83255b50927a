"""Label selectors, node selectors, topology selectors inside objects.

source  k8s.io/apimachinery, LabelSelector; Kubernetes, pkg/apis/core/validation: NodeSelector
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, forbidden, invalid, required
from cybernetes.model.validation import names
from cybernetes.model.validation.meta import validate_labels

Selector = dict[str, Any]

_SETS = frozenset({"In", "NotIn", "Exists", "DoesNotExist"})
_OF_NODES = _SETS | {"Gt", "Lt"}


def validate_label_selector(selector: Selector | None, path: Path, *, lenient_values: bool = False) -> list[FieldError]:
    """lenient_values: values of stored objects that were never checked are let through."""
    if selector is None:
        return []
    errors = validate_labels(selector.get("matchLabels"), path.child("matchLabels"))
    for i, requirement in enumerate(selector.get("matchExpressions") or []):
        errors += _validate_requirement(requirement, path.child("matchExpressions").index(i), lenient_values)
    return errors


def _validate_requirement(requirement: dict[str, Any], path: Path, lenient_values: bool) -> list[FieldError]:
    errors = _operator(requirement, _SETS, path)
    key = requirement.get("key", "")
    errors += [invalid(path.child("key"), key, each) for each in names.qualified_name(key)]
    if not lenient_values:
        for i, value in enumerate(requirement.get("values") or []):
            errors += [invalid(path.child("values").index(i), value, each) for each in names.label_value(value)]
    return errors


def _operator(requirement: dict[str, Any], operators: frozenset[str], path: Path) -> list[FieldError]:
    """Whether there are as many values as the operator takes."""
    values, operator = requirement.get("values") or [], requirement.get("operator", "")
    if operator not in operators:
        return [invalid(path.child("operator"), operator, "not a valid selector operator")]
    where = path.child("values")
    match operator:
        case "In" | "NotIn" if not values:
            return [required(where, "must be specified when `operator` is 'In' or 'NotIn'")]
        case "Exists" | "DoesNotExist" if values:
            return [forbidden(where, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")]
        case "Gt" | "Lt" if len(values) != 1:
            return [required(where, "must be specified single value when `operator` is 'Lt' or 'Gt'")]
    return []


def validate_node_selector(selector: Selector, path: Path) -> list[FieldError]:
    terms = selector.get("nodeSelectorTerms") or []
    if not terms:
        return [required(path.child("nodeSelectorTerms"), "must have at least one node selector term")]
    errors: list[FieldError] = []
    for i, term in enumerate(terms):
        errors += validate_node_selector_term(term, path.child("nodeSelectorTerms").index(i))
        errors += _label_values(term, path.child("nodeSelectorTerms").index(i))
    return errors


def _label_values(term: Selector, path: Path) -> list[FieldError]:
    """Only required terms have their values checked: preferred ones were let through from the beginning."""
    errors: list[FieldError] = []
    for i, requirement in enumerate(term.get("matchExpressions") or []):
        at = path.child("matchExpressions").index(i).child("values")
        for j, value in enumerate(requirement.get("values") or []):
            errors += [invalid(at.index(j), value, each) for each in names.label_value(value)]
    return errors


def validate_node_selector_term(term: Selector, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, requirement in enumerate(term.get("matchExpressions") or []):
        errors += _validate_node_requirement(requirement, path.child("matchExpressions").index(i))
    for i, requirement in enumerate(term.get("matchFields") or []):
        errors += _validate_node_field_requirement(requirement, path.child("matchFields").index(i))
    return errors


def _validate_node_requirement(requirement: dict[str, Any], path: Path) -> list[FieldError]:
    errors = _operator(requirement, _OF_NODES, path)
    key = requirement.get("key", "")
    return errors + [invalid(path.child("key"), key, each) for each in names.qualified_name(key)]


def _validate_node_field_requirement(requirement: dict[str, Any], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    values = requirement.get("values") or []
    operator, key = requirement.get("operator", ""), requirement.get("key", "")
    if operator in ("In", "NotIn"):
        if len(values) != 1:
            text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            errors.append(required(path.child("values"), text))
    else:
        errors.append(invalid(path.child("operator"), operator, "not a valid selector operator"))
    if key != "metadata.name":
        errors.append(invalid(path.child("key"), key, "not a valid field selector key"))
    else:
        for i, value in enumerate(values):
            errors += [invalid(path.child("values").index(i), value, each) for each in names.dns_subdomain(value)]
    return errors


def matches_labels(selector: Selector, labels: dict[str, str]) -> bool:
    """Whether a (valid) label selector selects these labels; an empty one selects all."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    return all(_requirement_holds(each, labels) for each in selector.get("matchExpressions") or [])


def _requirement_holds(requirement: dict[str, Any], labels: dict[str, str]) -> bool:
    key, values = requirement.get("key", ""), requirement.get("values") or []
    match requirement.get("operator"):
        case "In":
            return labels.get(key) in values and key in labels
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False
