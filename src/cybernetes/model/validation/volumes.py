"""Volumes of a pod, and the claims that a pod may carry inside them.

source  Kubernetes, pkg/apis/core/validation: Volumes, VolumeSource and what they are made of
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cybernetes.model.field import (
    FieldError,
    Path,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)
from cybernetes.model.validation import names
from cybernetes.model.validation.claims import validate_claim_spec
from cybernetes.model.validation.env import validate_field_ref, validate_resource_field_ref
from cybernetes.model.validation.meta import validate_annotations, validate_labels
from cybernetes.model.validation.paths import validate_local_non_reserved_path, validate_no_backsteps
from cybernetes.model.validation.resources import validate_not_negative

Source = dict[str, Any]
MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
_DOWNWARD_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_SUBSCRIPTED = ("metadata.annotations", "metadata.labels")
_TOKEN_SECONDS_MIN = 600
_TOKEN_SECONDS_MAX = 1 << 32


def validate_volumes(
    volumes: list[dict[str, Any]], pod_name: str, path: Path
) -> tuple[dict[str, dict[str, Any]], list[FieldError]]:
    """The valid volumes by name, and all errors. pod_name is "" in templates: the pod has none yet."""
    valid: dict[str, dict[str, Any]] = {}
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, volume in enumerate(volumes):
        at = path.index(i)
        name = volume.get("name", "")
        found = _validate_source(volume, name, pod_name, at)
        if not name:
            found.append(required(at.child("name")))
        else:
            found += [invalid(at.child("name"), name, each) for each in names.dns_label(name)]
        if name in seen:
            found.append(duplicate(at.child("name"), name))
        if not found:
            seen.add(name)
            valid[name] = volume
        errors += found
    return valid, errors + _claims_of_ephemeral(volumes, pod_name, path)


def _claims_of_ephemeral(volumes: list[dict[str, Any]], pod_name: str, path: Path) -> list[FieldError]:
    created = (
        {f"{pod_name}-{each.get('name', '')}" for each in volumes if each.get("ephemeral") is not None}
        if pod_name
        else set()
    )
    errors: list[FieldError] = []
    for i, volume in enumerate(volumes):
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName", "")
        if claim in created:
            text = "must not reference a PVC that gets created for an ephemeral volume"
            errors.append(invalid(path.index(i).child("persistentVolumeClaim", "claimName"), claim, text))
    return errors


def _validate_source(volume: dict[str, Any], name: str, pod_name: str, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    found = 0
    for kind, validate in _SOURCES.items():
        source = volume.get(kind)
        if source is None:
            continue
        if found:
            errors.append(forbidden(path.child(kind), "may not specify more than 1 volume type"))
        else:
            errors += validate(source, path.child(kind))
            if kind == "ephemeral":
                errors += _ephemeral_claim_name(name, pod_name, path)
        found += 1
    if not found and len(volume.keys() - {"name"}) == 0:
        errors.append(required(path, "must specify a volume type"))
    return errors


def _ephemeral_claim_name(name: str, pod_name: str, path: Path) -> list[FieldError]:
    if not pod_name or not name:
        return []
    claim = f"{pod_name}-{name}"
    return [invalid(path.child("name"), name, f'PVC name "{claim}": {each}') for each in names.dns_subdomain(claim)]


def _empty_dir(source: Source, path: Path) -> list[FieldError]:
    limit = source.get("sizeLimit")
    if limit is not None and validate_not_negative(limit, path):
        return [forbidden(path.child("sizeLimit"), "SizeLimit field must be a valid resource quantity")]
    return []


def _host_path(source: Source, path: Path) -> list[FieldError]:
    where = source.get("path", "")
    errors = [required(path.child("path"))] if not where else validate_no_backsteps(where, path.child("path"))
    kind = source.get("type")
    if kind is not None and kind not in _HOST_PATH_TYPES:
        errors.append(not_supported(path.child("type"), kind, _HOST_PATH_TYPES))
    return errors


def _mode(source: Source, key: str, path: Path) -> list[FieldError]:
    mode = source.get(key)
    return [invalid(path.child(key), mode, MODE)] if mode is not None and not 0 <= mode <= 0o777 else []


def _keys_to_paths(items: list[Source], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, item in enumerate(items):
        errors += _key_to_path(item, path.index(i))
    return errors


def _key_to_path(item: Source, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    if not item.get("key"):
        errors.append(required(path.child("key")))
    if not item.get("path"):
        errors.append(required(path.child("path")))
    else:
        errors += validate_local_non_reserved_path(item["path"], path.child("path"))
    return errors + _mode(item, "mode", path)


def _secret(source: Source, path: Path) -> list[FieldError]:
    errors = [] if source.get("secretName") else [required(path.child("secretName"))]
    errors += _mode(source, "defaultMode", path)
    return errors + _keys_to_paths(source.get("items") or [], path.child("items"))


def _config_map(source: Source, path: Path) -> list[FieldError]:
    errors = [] if source.get("name") else [required(path.child("name"))]
    errors += _mode(source, "defaultMode", path)
    return errors + _keys_to_paths(source.get("items") or [], path.child("items"))


def _claim(source: Source, path: Path) -> list[FieldError]:
    return [] if source.get("claimName") else [required(path.child("claimName"))]


def _nfs(source: Source, path: Path) -> list[FieldError]:
    errors = [] if source.get("server") else [required(path.child("server"))]
    where = source.get("path", "")
    if not where:
        errors.append(required(path.child("path")))
    elif not where.startswith("/"):
        errors.append(invalid(path.child("path"), where, "must be an absolute path"))
    return errors


def _downward_api(source: Source, path: Path) -> list[FieldError]:
    errors = _mode(source, "defaultMode", path)
    for item in source.get("items") or []:
        errors += _downward_file(item, path)
    return errors


def _downward_file(item: Source, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    if not item.get("path"):
        errors.append(required(path.child("path")))
    else:
        errors += validate_local_non_reserved_path(item["path"], path.child("path"))
    field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if field is not None:
        errors += validate_field_ref(field, _DOWNWARD_FIELDS, _SUBSCRIPTED, path.child("fieldRef"))
        if resource is not None:
            text = "fieldRef and resourceFieldRef can not be specified simultaneously"
            errors.append(invalid(path, "resource", text))
    elif resource is not None:
        errors += validate_resource_field_ref(resource, path.child("resourceFieldRef"), in_volume=True)
    else:
        errors.append(required(path, "one of fieldRef and resourceFieldRef is required"))
    return errors + _mode(item, "mode", path)


def _csi(source: Source, path: Path) -> list[FieldError]:
    errors = validate_csi_driver_name(source.get("driver", ""), path.child("driver"))
    ref = source.get("nodePublishSecretRef")
    if ref is not None:
        at, name = path.child("nodePublishSecretRef", "name"), ref.get("name", "")
        errors += [invalid(at, name, each) for each in names.dns_subdomain(name)] if name else [required(at)]
    return errors


def validate_csi_driver_name(name: str, path: Path) -> list[FieldError]:
    if not name:
        return [required(path)]
    errors = [too_long(path, 63)] if len(name) > 63 else []
    return errors + [invalid(path, name, each) for each in names.dns_subdomain(name.lower())]


def _ephemeral(source: Source, path: Path) -> list[FieldError]:
    template, at = source.get("volumeClaimTemplate"), path.child("volumeClaimTemplate")
    if template is None:
        return [required(at)]
    meta = template.get("metadata") or {}
    errors = validate_annotations(meta.get("annotations"), at.child("metadata", "annotations"))
    errors += validate_labels(meta.get("labels"), at.child("metadata", "labels"))
    return errors + validate_claim_spec(template.get("spec") or {}, at.child("spec"))


def _image(source: Source, path: Path) -> list[FieldError]:
    errors = [] if source.get("reference") else [required(path.child("reference"))]
    policy = source.get("pullPolicy", "")
    if policy and policy not in ("Always", "IfNotPresent", "Never"):
        errors.append(not_supported(path.child("pullPolicy"), policy, ("Always", "IfNotPresent", "Never")))
    return errors


def _projected(source: Source, path: Path) -> list[FieldError]:
    errors = _mode(source, "defaultMode", path)
    seen: set[str] = set()
    for i, each in enumerate(source.get("sources") or []):
        at = path.child("sources").index(i)
        found = [
            key
            for key in (
                "secret",
                "configMap",
                "downwardAPI",
                "serviceAccountToken",
                "clusterTrustBundle",
                "podCertificate",
            )
            if each.get(key) is not None
        ]
        for key in found:
            errors += _projection(key, each[key], seen, path, at.child(key))
        if len(found) > 1:
            errors.append(forbidden(at, "may not specify more than 1 volume type per source"))
    return errors


def _projection(key: str, source: Source, seen: set[str], volume: Path, path: Path) -> list[FieldError]:
    match key:
        case "secret" | "configMap":
            errors = [] if source.get("name") else [required(path.child("name"))]
            for i, item in enumerate(source.get("items") or []):
                errors += _key_to_path(item, path.child("items").index(i))
                errors += _path_taken(item.get("path", ""), source.get("name", ""), seen, volume)
            return errors
        case "downwardAPI":
            errors = []
            for item in source.get("items") or []:
                errors += _downward_file(item, path)
                errors += _path_taken(item.get("path", ""), item.get("path", ""), seen, volume)
            return errors
        case "serviceAccountToken":
            return _token(source, volume, path)
        case "clusterTrustBundle":
            return _trust_bundle(source, seen, volume, path)
    return _pod_certificate(source, seen, volume, path)


def _path_taken(where: str, shown: str, seen: set[str], volume: Path) -> list[FieldError]:
    if not where:
        return []
    if where in seen:
        return [invalid(volume, shown, "conflicting duplicate paths")]
    seen.add(where)
    return []


def _token(source: Source, volume: Path, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seconds, at = source.get("expirationSeconds", 0), path.child("expirationSeconds")
    if seconds < _TOKEN_SECONDS_MIN:
        errors.append(invalid(at, seconds, "may not specify a duration less than 10 minutes"))
    if seconds > _TOKEN_SECONDS_MAX:
        errors.append(invalid(at, seconds, "may not specify a duration larger than 2^32 seconds"))
    where = source.get("path", "")
    if not where:
        return [*errors, required(volume.child("path"))]
    return errors + validate_local_non_reserved_path(where, volume.child("path"))


def _trust_bundle(source: Source, seen: set[str], volume: Path, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    name, signer = source.get("name"), source.get("signerName")
    if name is not None and signer is not None:
        errors.append(invalid(path, source, "only one of name and signerName may be used"))
    elif name is not None:
        if not name:
            errors.append(required(path.child("name"), "must be a valid object name"))
        if source.get("labelSelector") is not None:
            text = "labelSelector must be unset if name is specified"
            errors.append(invalid(path.child("labelSelector"), source["labelSelector"], text))
    elif signer is not None:
        if not signer:
            errors.append(required(path.child("signerName"), "must be a valid signer name"))
    else:
        errors.append(required(path, "either name or signerName must be specified"))
    where = source.get("path", "")
    if not where:
        return [*errors, required(path.child("path"))]
    errors += validate_local_non_reserved_path(where, path.child("path"))
    return errors + _path_taken(where, where, seen, volume)


_KEY_TYPES = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
_CERTIFICATE_PATHS = ("credentialBundlePath", "keyPath", "certificateChainPath")


def _pod_certificate(source: Source, seen: set[str], volume: Path, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    key_type, seconds = source.get("keyType", ""), source.get("maxExpirationSeconds")
    if key_type not in _KEY_TYPES:
        errors.append(not_supported(path.child("keyType"), key_type, _KEY_TYPES))
    if seconds is not None and seconds < 3600:
        text = "if provided, maxExpirationSeconds must be >= 3600"
        errors.append(invalid(path.child("maxExpirationSeconds"), seconds, text))
    given = [(key, source[key]) for key in _CERTIFICATE_PATHS if source.get(key)]
    for key, where in given:
        errors += validate_local_non_reserved_path(where, path.child(key))
        errors += _path_taken(where, where, seen, volume)
    if not given:
        text = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"
        errors.append(required(path, text))
    return errors


_SOURCES: dict[str, Callable[[Source, Path], list[FieldError]]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "secret": _secret,
    "nfs": _nfs,
    "persistentVolumeClaim": _claim,
    "configMap": _config_map,
    "downwardAPI": _downward_api,
    "projected": _projected,
    "csi": _csi,
    "ephemeral": _ephemeral,
    "image": _image,
}
