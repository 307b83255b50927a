"""Specs of persistent volume claims, on their own and inside pods and stateful sets.

source  Kubernetes, pkg/apis/core/validation: PersistentVolumeClaimSpec
"""

from __future__ import annotations

from typing import Any

from cybernetes.model import quantity
from cybernetes.model.field import FieldError, Path, forbidden, invalid, not_supported, required
from cybernetes.model.validation import names
from cybernetes.model.validation.resources import is_native, validate_not_negative, validate_positive
from cybernetes.model.validation.selectors import validate_label_selector

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
_STATUS = Path("status")
_RESIZING = (
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
)


def validate_access_modes(modes: list[str], path: Path) -> list[FieldError]:
    errors = [not_supported(path, each, ACCESS_MODES) for each in modes if each not in ACCESS_MODES]
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        errors.append(forbidden(path, "may not use ReadWriteOncePod with other access modes"))
    return errors


def validate_claim_spec(spec: dict[str, Any], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    modes = spec.get("accessModes") or []
    if not modes:
        errors.append(required(path.child("accessModes"), "at least 1 access mode is required"))
    errors += validate_label_selector(spec.get("selector"), path.child("selector"))
    errors += validate_access_modes(modes, path.child("accessModes"))
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    at = path.child("resources").key("storage")
    if storage is None:
        errors.append(required(at))
    else:
        errors += validate_not_negative(storage, at) or validate_positive(storage, at)
    storage_class = spec.get("storageClassName")
    if storage_class:
        errors += [
            invalid(path.child("storageClassName"), storage_class, each) for each in names.dns_subdomain(storage_class)
        ]
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        errors.append(not_supported(path.child("volumeMode"), mode, VOLUME_MODES))
    for key in ("dataSource", "dataSourceRef"):
        if spec.get(key) is not None:
            errors += _data_source(spec[key], path.child(key))
    attributes_class = spec.get("volumeAttributesClassName")
    if attributes_class:
        at = path.child("volumeAttributesClassName")
        errors += [invalid(at, attributes_class, each) for each in names.dns_subdomain(attributes_class)]
    return errors


def _data_source(source: dict[str, Any], path: Path) -> list[FieldError]:
    errors = [required(path.child(key)) for key in ("name", "kind") if not source.get(key)]
    group = source.get("apiGroup", "")
    if not group and source.get("kind") != "PersistentVolumeClaim":
        errors.append(
            invalid(
                path, source.get("kind", ""), "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
            )
        )
    if group:
        errors += [invalid(path.child("apiGroup"), group, each) for each in names.dns_subdomain(group)]
    return errors


def validate_claim_status(claim: dict[str, Any], old: dict[str, Any]) -> list[FieldError]:
    """What may be told of a claim's size, and of how it grows."""
    status = claim.get("status") or {}
    errors = _amounts(status.get("capacity") or {}, _STATUS.child("capacity"))
    # The reference calls it so.
    path = _STATUS.child("allocatedResourceStatus")
    for name, told in sorted((status.get("allocatedResourceStatuses") or {}).items()):
        errors += _resource(name, path)
        if told not in _RESIZING:
            errors.append(not_supported(path, told, _RESIZING))
    path, allocated = _STATUS.child("allocatedResources"), status.get("allocatedResources") or {}
    for name in sorted(allocated):
        errors += _resource(name, path)
    return errors + _amounts(allocated, path)


def _amounts(amounts: dict[str, str], path: Path) -> list[FieldError]:
    whole = {name: quantity.parse(amount)[0] // quantity.NANO for name, amount in sorted(amounts.items())}
    text = "must be a valid resource quantity"
    return [invalid(path.key(name), amount, text) for name, amount in whole.items() if amount < 0]


def _resource(name: str, path: Path) -> list[FieldError]:
    errors = [invalid(path, name, problem) for problem in names.qualified_name(name)]
    if not errors and is_native(name) and name != "storage":
        errors.append(not_supported(path, name, ("storage",)))
    return errors
