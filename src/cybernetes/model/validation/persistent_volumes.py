"""Persistent volumes and their claims.

source  Kubernetes, pkg/apis/core/validation: PersistentVolumeSpec
"""

from __future__ import annotations

from typing import Any

from cybernetes.model import quantity
from cybernetes.model.field import FieldError, Path, forbidden, invalid, not_supported, required
from cybernetes.model.validation import names
from cybernetes.model.validation.claims import VOLUME_MODES, validate_access_modes, validate_claim_spec
from cybernetes.model.validation.meta import IMMUTABLE
from cybernetes.model.validation.paths import validate_no_backsteps
from cybernetes.model.validation.resources import validate_positive
from cybernetes.model.validation.selectors import validate_node_selector
from cybernetes.model.validation.volumes import validate_csi_driver_name

Object = dict[str, Any]
_SPEC = Path("spec")
_RECLAIM = ("Delete", "Recycle", "Retain")
_NOT_SOURCES = frozenset(
    (
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    )
)


def validate_persistent_volume(volume: Object) -> list[FieldError]:
    spec = volume.get("spec") or {}
    errors: list[FieldError] = []
    modes = spec.get("accessModes") or []
    if not modes:
        errors.append(required(_SPEC.child("accessModes")))
    errors += validate_access_modes(modes, _SPEC.child("accessModes"))
    errors += _capacity(spec.get("capacity"), _SPEC.child("capacity"))
    policy = spec.get("persistentVolumeReclaimPolicy", "")
    if policy and policy not in _RECLAIM:
        errors.append(not_supported(_SPEC.child("persistentVolumeReclaimPolicy"), policy, _RECLAIM))
    affinity = spec.get("nodeAffinity")
    if affinity is not None:
        errors += _node_affinity(affinity, _SPEC.child("nodeAffinity"))
    errors += _source(spec)
    if (spec.get("hostPath") or {}).get("path") == "/" and policy == "Recycle":
        text = "may not be 'recycle' for a hostPath mount of '/'"
        errors.append(forbidden(_SPEC.child("persistentVolumeReclaimPolicy"), text))
    errors += _names(spec, ("storageClassName",))
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        errors.append(not_supported(_SPEC.child("volumeMode"), mode, VOLUME_MODES))
    return errors + _attributes_class(spec)


def _capacity(capacity: dict[str, str] | None, path: Path) -> list[FieldError]:
    errors = [] if capacity else [required(path)]
    if capacity is None or capacity.keys() != {"storage"}:
        errors.append(not_supported(path, capacity, ("storage",)))
    for name, value in sorted((capacity or {}).items()):
        if name == "storage":
            errors += validate_positive(value, path.key(name))
    return errors


def _node_affinity(affinity: Object, path: Path) -> list[FieldError]:
    required_terms = affinity.get("required")
    if required_terms is None:
        return [required(path.child("required"), "must specify required node constraints")]
    return validate_node_selector(required_terms, path.child("required"))


def _source(spec: Object) -> list[FieldError]:
    found = [key for key in spec if key not in _NOT_SOURCES and isinstance(spec[key], dict)]
    errors: list[FieldError] = []
    for i, key in enumerate(found):
        if i:
            errors.append(forbidden(_SPEC.child(key), "may not specify more than 1 volume type"))
        else:
            errors += _one_source(key, spec, _SPEC.child(key))
    if not found:
        errors.append(required(_SPEC, "must specify a volume type"))
    return errors


def _one_source(key: str, spec: Object, path: Path) -> list[FieldError]:
    source = spec[key]
    match key:
        case "hostPath":
            where = source.get("path", "")
            return validate_no_backsteps(where, path.child("path")) if where else [required(path.child("path"))]
        case "local":
            where = source.get("path", "")
            errors = validate_no_backsteps(where, path.child("path")) if where else [required(path.child("path"))]
            if spec.get("nodeAffinity") is None:
                errors.append(required(_SPEC.child("nodeAffinity"), "Local volume requires node affinity"))
            return errors
        case "nfs":
            return [required(path.child(each)) for each in ("server", "path") if not source.get(each)]
        case "csi":
            return _csi(source, path)
    return []


def _csi(source: Object, path: Path) -> list[FieldError]:
    errors = validate_csi_driver_name(source.get("driver", ""), path.child("driver"))
    if not source.get("volumeHandle"):
        errors.append(required(path.child("volumeHandle")))
    # The reference never looked at nodeStageSecretRef.
    for key in (
        "controllerPublishSecretRef",
        "controllerExpandSecretRef",
        "nodePublishSecretRef",
        "nodeExpandSecretRef",
    ):
        if source.get(key) is not None:
            errors += [required(path.child(key, each)) for each in ("name", "namespace") if not source[key].get(each)]
    return errors


def _names(spec: Object, keys: tuple[str, ...]) -> list[FieldError]:
    return [
        invalid(_SPEC.child(key), spec[key], each)
        for key in keys
        if spec.get(key)
        for each in names.dns_subdomain(spec[key])
    ]


def _attributes_class(spec: Object) -> list[FieldError]:
    name, path = spec.get("volumeAttributesClassName"), _SPEC.child("volumeAttributesClassName")
    if name is None:
        return []
    if not name:
        return [required(path, "an empty string is disallowed")]
    errors = [invalid(path, name, each) for each in names.dns_subdomain(name)]
    if spec.get("csi") is None:
        errors.append(required(_SPEC.child("csi"), "has to be specified when using volumeAttributesClassName"))
    return errors


def validate_persistent_volume_update(volume: Object, old: Object) -> list[FieldError]:
    errors = validate_persistent_volume(volume)
    spec, before = volume.get("spec") or {}, old.get("spec") or {}
    sources = {key: value for key, value in spec.items() if key not in _NOT_SOURCES}
    if sources != {key: value for key, value in before.items() if key not in _NOT_SOURCES}:
        text = "spec.persistentvolumesource is immutable after creation"
        errors.append(forbidden(Path("spec.persistentvolumesource"), text))
    if spec.get("volumeMode") != before.get("volumeMode"):
        errors.append(invalid(Path("volumeMode"), spec.get("volumeMode"), IMMUTABLE))
    if before.get("nodeAffinity") is not None and spec.get("nodeAffinity") != before["nodeAffinity"]:
        text = f"{IMMUTABLE}, except for updating from beta label to GA"
        errors.append(invalid(_SPEC.child("nodeAffinity"), spec.get("nodeAffinity"), text))
    return errors


def validate_claim(claim: Object) -> list[FieldError]:
    return validate_claim_spec(claim.get("spec") or {}, _SPEC)


def validate_claim_update(claim: Object, old: Object) -> list[FieldError]:
    errors = validate_claim(claim)
    spec, before = claim.get("spec") or {}, old.get("spec") or {}
    if _fixed_claim(claim, old) != _given(before):
        text = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        errors.append(forbidden(_SPEC, text))
    capacity = ((old.get("status") or {}).get("capacity") or {}).get("storage")
    asked, asked_before = _storage(spec), _storage(before)
    if asked and asked_before and quantity.compare(asked, asked_before) < 0:
        at = _SPEC.child("resources", "requests", "storage")
        if capacity is None or quantity.compare(asked, capacity) < 0:
            errors.append(forbidden(at, "field can not be less than status.capacity"))
    if spec.get("volumeMode") != before.get("volumeMode"):
        errors.append(invalid(Path("volumeMode"), spec.get("volumeMode"), IMMUTABLE))
    return errors


def _fixed_claim(claim: Object, old: Object) -> Object:
    """The new spec with the old value of each field that may become what it is now."""
    fixed, before = _given(claim.get("spec") or {}), _given(old.get("spec") or {})
    may_change = [] if before.get("volumeName") else ["volumeName"]
    # A claim may leave its class to the cluster; it is named when there is a default.
    if "storageClassName" not in before and _class_annotation(old) in ("", fixed.get("storageClassName")):
        may_change.append("storageClassName")
    if _phase(old) == "Bound":
        if fixed.get("volumeAttributesClassName"):
            may_change.append("volumeAttributesClassName")
        if _storage(fixed) and _storage(before):
            requests = {**fixed["resources"]["requests"], "storage": _storage(before)}
            fixed["resources"] = {**fixed["resources"], "requests": requests}
    for name in may_change:
        fixed.pop(name, None)
        if name in before:
            fixed[name] = before[name]
    return fixed


def _given(spec: Object) -> Object:
    return {key: value for key, value in spec.items() if value is not None}


def _class_annotation(claim: Object) -> str:
    annotations = (claim.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get("volume.beta.kubernetes.io/storage-class") or "")


def _storage(spec: Object) -> str | None:
    found: str | None = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    return found


def _phase(claim: Object) -> str:
    return str((claim.get("status") or {}).get("phase") or "")
