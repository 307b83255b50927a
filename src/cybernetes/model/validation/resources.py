"""Resource names, quantities, and requests against limits.

source  Kubernetes, pkg/apis/core/validation: ResourceRequirements
"""

from __future__ import annotations

from typing import Any

from cybernetes.model import quantity
from cybernetes.model.field import FieldError, Path, duplicate, forbidden, invalid, not_found, required
from cybernetes.model.validation import names

_STANDARD_CONTAINER = {"cpu", "memory", "ephemeral-storage"}
_COUNTED = {
    "pods",
    "services",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
}
_STANDARD = {
    *_STANDARD_CONTAINER,
    *_COUNTED,
    "storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
}
_HUGE_PAGES = "hugepages-"
_NATIVE_DOMAIN = "kubernetes.io/"


def is_huge_pages(name: str) -> bool:
    return name.startswith(_HUGE_PAGES)


def is_native(name: str) -> bool:
    return "/" not in name or _NATIVE_DOMAIN in name


def is_extended(name: str) -> bool:
    if is_native(name) or name.startswith("requests."):
        return False
    return not names.qualified_name(f"requests.{name}")


def is_integer_resource(name: str) -> bool:
    return name in _COUNTED or is_extended(name)


def validate_resource_name(name: str, path: Path) -> list[FieldError]:
    errors = [invalid(path, name, each) for each in names.qualified_name(name)]
    if errors:
        return errors
    if "/" not in name and name not in _STANDARD and not is_huge_pages(name.removeprefix("requests.")):
        return [invalid(path, name, "must be a standard resource type or fully qualified")]
    return []


def validate_container_resource_name(name: str, path: Path) -> list[FieldError]:
    errors = validate_resource_name(name, path)
    if "/" not in name:
        if name not in _STANDARD_CONTAINER and not is_huge_pages(name):
            errors.append(invalid(path, name, "must be a standard resource for containers"))
    elif not is_native(name) and not is_extended(name):
        errors.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return errors


def validate_quota_resource_name(name: str, path: Path) -> list[FieldError]:
    errors = validate_resource_name(name, path)
    if "/" not in name and not is_standard_for_quota(name):
        errors.append(invalid(path, name, "must be a standard resource for quota"))
    return errors


def is_standard_for_quota(name: str) -> bool:
    return (name in _STANDARD and name != "storage") or is_huge_pages(name.removeprefix("requests."))


def validate_quantity_value(name: str, value: str, path: Path) -> list[FieldError]:
    errors = validate_not_negative(value, path)
    if is_integer_resource(name) and quantity.parse(value)[0] % quantity.NANO:
        errors.append(invalid(path, value, "must be an integer"))
    return errors


def validate_not_negative(value: str, path: Path) -> list[FieldError]:
    return [invalid(path, value, "must be greater than or equal to 0")] if quantity.parse(value)[0] < 0 else []


def validate_positive(value: str, path: Path) -> list[FieldError]:
    return [invalid(path, value, "must be greater than zero")] if quantity.parse(value)[0] <= 0 else []


def validate_requirements(resources: dict[str, Any] | None, claims: set[str], path: Path) -> list[FieldError]:
    """Limits, then requests against them, then claims; `claims` are the pod's resource claims."""
    if not resources:
        return []
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    errors: list[FieldError] = []
    for name, value in sorted(limits.items()):
        at = path.child("limits").key(name)
        errors += validate_container_resource_name(name, at) + validate_quantity_value(name, value, at)
    for name, value in sorted(requests.items()):
        at = path.child("requests").key(name)
        errors += validate_container_resource_name(name, at) + validate_quantity_value(name, value, at)
        errors += _request_against_limit(name, value, limits, path)
    mentioned = limits.keys() | requests.keys()
    if any(map(is_huge_pages, mentioned)) and not mentioned & {"cpu", "memory"}:
        errors.append(forbidden(path, "HugePages require cpu or memory"))
    return errors + _validate_claims(resources.get("claims") or [], claims, path.child("claims"))


def _request_against_limit(name: str, value: str, limits: dict[str, str], path: Path) -> list[FieldError]:
    overcommit = is_native(name) and not is_huge_pages(name)
    limit = limits.get(name)
    if limit is None:
        if overcommit:
            return []
        return [required(path.child("limits"), "Limit must be set for non overcommitable resources")]
    asked, allowed = quantity.parse(value)[0], quantity.parse(limit)[0]
    if not overcommit and asked != allowed:
        return [invalid(path.child("requests"), value, f"must be equal to {name} limit of {limit}")]
    if asked > allowed:
        return [invalid(path.child("requests"), value, f"must be less than or equal to {name} limit of {limit}")]
    return []


def _validate_claims(used: list[dict[str, Any]], claims: set[str], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, claim in enumerate(used):
        name, request = claim.get("name", ""), claim.get("request", "")
        key = f"{name}/{request}" if request else name
        if not name:
            errors.append(required(path.index(i)))
            continue
        if key in seen:
            errors.append(duplicate(path.index(i), key))
        seen.add(key)
        if name not in claims:
            errors.append(not_found(path.index(i), name))
    return errors
