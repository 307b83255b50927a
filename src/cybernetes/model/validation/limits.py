"""Limit ranges and resource quotas.

source  Kubernetes, pkg/apis/core/validation: LimitRange, ResourceQuota
"""

from __future__ import annotations

from typing import Any

from cybernetes.model import quantity
from cybernetes.model.field import FieldError, Path, duplicate, forbidden, invalid, required
from cybernetes.model.validation import names
from cybernetes.model.validation.meta import IMMUTABLE
from cybernetes.model.validation.resources import (
    is_extended,
    is_huge_pages,
    is_standard_for_quota,
    validate_container_resource_name,
    validate_quantity_value,
    validate_quota_resource_name,
    validate_resource_name,
)

Object = dict[str, Any]
_LIMIT_TYPES = ("Pod", "Container", "PersistentVolumeClaim")
_SCOPES = (
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
)
_ONLY_EXISTS = ("Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "CrossNamespacePodAffinity")
_OF_PODS = {"pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"}
_COUNTED = {"BestEffort": {"pods"}, "VolumeAttributesClass": {"persistentvolumeclaims", "requests.storage"}}
_WRONG_RESOURCE = "unsupported scope applied to resource"
_CONFLICTS = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})


def validate_limit_range(limit_range: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, limit in enumerate((limit_range.get("spec") or {}).get("limits") or []):
        path, kind = Path("spec").child("limits").index(i), limit.get("type", "")
        errors += _limit_type(kind, path.child("type"))
        if kind in seen:
            errors.append(duplicate(path.child("type"), kind))
        seen.add(kind)
        errors += _limit(limit, kind, path)
    return errors


def _limit_type(kind: str, path: Path) -> list[FieldError]:
    errors = [invalid(path, kind, each) for each in names.qualified_name(kind)]
    if not errors and "/" not in kind and kind not in _LIMIT_TYPES:
        return [invalid(path, kind, "must be a standard limit type or fully qualified")]
    return errors


def _limit(limit: Object, kind: str, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    maximum, minimum = limit.get("max") or {}, limit.get("min") or {}
    default, request = limit.get("default") or {}, limit.get("defaultRequest") or {}
    ratio = limit.get("maxLimitRequestRatio") or {}
    for key, values in (("max", maximum), ("min", minimum)):
        for name in sorted(values):
            errors += _limit_resource(name, kind, path.child(key).key(name))
    if kind == "Pod":
        for key, values in (("default", default), ("defaultRequest", request)):
            if values:
                errors.append(forbidden(path.child(key), "may not be specified when `type` is 'Pod'"))
    else:
        for key, values in (("default", default), ("defaultRequest", request)):
            for name in sorted(values):
                errors += _limit_resource(name, kind, path.child(key).key(name))
    if kind == "PersistentVolumeClaim" and "storage" not in maximum and "storage" not in minimum:
        text = "either minimum or maximum storage value is required, but neither was provided"
        errors.append(required(path.child("limits"), text))
    for name in sorted({*maximum, *minimum, *default, *request, *ratio}):
        given = {
            key: values[name]
            for key, values in (
                ("max", maximum),
                ("min", minimum),
                ("default", default),
                ("request", request),
                ("ratio", ratio),
            )
            if name in values
        }
        errors += _order(name, given, path)
    return errors


def _limit_resource(name: str, kind: str, path: Path) -> list[FieldError]:
    if kind in ("Pod", "Container"):
        return validate_container_resource_name(name, path)
    return validate_resource_name(name, path)


def _order(name: str, given: dict[str, str], path: Path) -> list[FieldError]:
    """min <= default request <= default <= max, and the ratio above 1 and within max / min."""
    errors: list[FieldError] = []

    def above(left: str, right: str) -> bool:
        return left in given and right in given and quantity.compare(given[left], given[right]) > 0

    if above("min", "max"):
        text = f"min value {given['min']} is greater than max value {given['max']}"
        errors.append(invalid(path.child("min").key(name), given["min"], text))
    at = path.child("defaultRequest").key(name)
    if above("min", "request"):
        text = f"min value {given['min']} is greater than default request value {given['request']}"
        errors.append(invalid(at, given["request"], text))
    if above("request", "max"):
        text = f"default request value {given['request']} is greater than max value {given['max']}"
        errors.append(invalid(at, given["request"], text))
    if above("request", "default"):
        text = f"default request value {given['request']} is greater than default limit value {given['default']}"
        errors.append(invalid(at, given["request"], text))
    at = path.child("default").key(name)
    if above("min", "default"):
        text = f"min value {given['min']} is greater than default value {given['default']}"
        errors.append(invalid(at, given["min"], text))
    if above("default", "max"):
        text = f"default value {given['default']} is greater than max value {given['max']}"
        errors.append(invalid(at, given["max"], text))
    errors += _ratio(given, path.child("maxLimitRequestRatio").key(name))
    if not _may_overcommit(name) and "default" in given and "request" in given and given["default"] != given["request"]:
        text = f"default value {given['default']} must equal to defaultRequest value {given['request']} in {name}"
        errors.append(invalid(path.child("defaultRequest").key(name), given["request"], text))
    return errors


def _ratio(given: dict[str, str], path: Path) -> list[FieldError]:
    if "ratio" not in given:
        return []
    errors: list[FieldError] = []
    if quantity.compare(given["ratio"], "1") < 0:
        errors.append(invalid(path, given["ratio"], f"ratio {given['ratio']} is less than 1"))
    if "max" in given and "min" in given and quantity.nano(given["min"]):
        limit = quantity.nano(given["max"]) / quantity.nano(given["min"])
        if quantity.nano(given["ratio"]) / quantity.NANO > limit:
            text = f"ratio {given['ratio']} is greater than max/min = {limit:f}"
            errors.append(invalid(path, given["ratio"], text))
    return errors


def _may_overcommit(name: str) -> bool:
    return not is_extended(name) and not is_huge_pages(name)


def validate_resource_quota(quota: Object) -> list[FieldError]:
    spec, path = quota.get("spec") or {}, Path("spec")
    errors = validate_quota_amounts(spec.get("hard"), path.child("hard"))
    hard = sorted(spec.get("hard") or ())
    errors += _scopes(spec.get("scopes") or [], hard, path.child("scopes"))
    selector = spec.get("scopeSelector")
    if selector is not None:
        errors += _scope_selector(selector, hard, path.child("scopeSelector"))
    return errors


def validate_quota_amounts(amounts: dict[str, str] | None, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, value in sorted((amounts or {}).items()):
        errors += validate_quota_resource_name(name, path.key(name))
        errors += validate_quantity_value(name, value, path.key(name))
    return errors


def _scopes(scopes: list[str], hard: list[str], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for scope in scopes:
        if scope not in _SCOPES:
            errors.append(invalid(path, scopes, "unsupported scope"))
        errors += [invalid(path, scopes, _WRONG_RESOURCE) for name in hard if not _may_count(scope, name)]
    return errors + _conflicting(set(scopes), scopes, path)


def _may_count(scope: str, name: str) -> bool:
    """Whether what a scope selects uses the resource."""
    return scope not in _SCOPES or not is_standard_for_quota(name) or name in _COUNTED.get(scope, _OF_PODS)


def _conflicting(found: set[str], shown: Any, path: Path) -> list[FieldError]:
    return [invalid(path, shown, "conflicting scopes") for pair in _CONFLICTS if pair <= found]


def _scope_selector(selector: Object, hard: list[str], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    at = path.child("matchExpressions")
    found: set[str] = set()
    for requirement in selector.get("matchExpressions") or []:
        scope, operator = requirement.get("scopeName", ""), requirement.get("operator", "")
        values = requirement.get("values") or []
        if scope not in _SCOPES:
            errors.append(invalid(at.child("scopeName"), scope, "unsupported scope"))
        errors += [invalid(at, _shown(selector), _WRONG_RESOURCE) for name in hard if not _may_count(scope, name)]
        if scope in _ONLY_EXISTS and operator != "Exists":
            text = (
                "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
                "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
                "ResourceQuotaScopeCrossNamespacePodAffinity"
            )
            errors.append(invalid(at.child("operator"), operator, text))
        if operator in ("In", "NotIn"):
            if not values:
                text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                errors.append(required(at.child("values"), text))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                errors.append(invalid(at.child("values"), values, text))
        else:
            errors.append(invalid(at.child("operator"), operator, "not a valid selector operator"))
        found.add(scope)
    return errors + _conflicting(found, selector, path)


def _shown(selector: Object) -> Object:
    names = {"ScopeName": "scopeName", "Operator": "operator", "Values": "values"}
    return {
        "MatchExpressions": [
            {shown: each.get(name, None if name == "values" else "") for shown, name in names.items()}
            for each in selector.get("matchExpressions") or ()
        ]
    }


def validate_resource_quota_update(quota: Object, old: Object) -> list[FieldError]:
    errors = validate_resource_quota(quota)
    scopes = (quota.get("spec") or {}).get("scopes") or []
    if set(scopes) != set((old.get("spec") or {}).get("scopes") or []):
        errors.append(invalid(Path("spec").child("scopes"), scopes, IMMUTABLE))
    return errors
