"""Specs of persistent volume claims, on their own and inside pods and stateful sets.

source  Kubernetes, pkg/apis/core/validation: PersistentVolumeClaimSpec
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, forbidden, invalid, not_supported, required
from cybernetes.model.validation import names
from cybernetes.model.validation.resources import validate_not_negative, validate_positive
from cybernetes.model.validation.selectors import validate_label_selector

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")


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
