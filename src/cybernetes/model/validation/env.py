"""Environment of containers.

source  Kubernetes, pkg/apis/core/validation: Env, EnvVarValueFrom, EnvFrom
"""

from __future__ import annotations

import re
from typing import Any

from cybernetes.model import quantity
from cybernetes.model.field import FieldError, Path, invalid, not_found, not_supported, required
from cybernetes.model.validation import names
from cybernetes.model.validation.paths import validate_local_non_reserved_path

_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
# What the conversion of field paths knows; other paths are refused before they are compared.
_CONVERTIBLE = frozenset(
    (
        *_ENV_FIELDS,
        "metadata.labels",
        "metadata.annotations",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.hostNetwork",
        "status.phase",
        "status.nominatedNodeName",
        "spec.host",
    )
)
_RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_BYTE_DIVISORS = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_SUBSCRIPT = re.compile(r"(.*)\['(.*)'\]\Z")


def validate_env(variables: list[dict[str, Any]], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, variable in enumerate(variables):
        at = path.index(i)
        name = variable.get("name", "")
        if not name:
            errors.append(required(at.child("name")))
        else:
            errors += [invalid(at.child("name"), name, each) for each in names.env_var_name(name)]
        errors += _validate_value_from(variable, at.child("valueFrom"))
    return errors


def _validate_value_from(variable: dict[str, Any], path: Path) -> list[FieldError]:
    source = variable.get("valueFrom")
    if source is None:
        return []
    errors: list[FieldError] = []
    given = [key for key in _SOURCES if source.get(key) is not None]
    for key in given:
        errors += _validate_source(key, source[key], path.child(key))
    if not given:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        errors.append(invalid(path, "", text))
    elif variable.get("value"):
        errors.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def _validate_source(key: str, source: dict[str, Any], path: Path) -> list[FieldError]:
    match key:
        case "fieldRef":
            return validate_field_ref(source, _ENV_FIELDS, ("metadata.annotations", "metadata.labels"), path)
        case "resourceFieldRef":
            return validate_resource_field_ref(source, path, in_volume=False)
        case "fileKeyRef":
            return _validate_file_key(source, path)
    name, selected = source.get("name", ""), source.get("key", "")
    errors = [invalid(path.child("name"), name, each) for each in names.dns_subdomain(name)]
    if not selected:
        return [*errors, required(path.child("key"))]
    return errors + [invalid(path.child("key"), selected, each) for each in names.config_key(selected)]


def _validate_file_key(source: dict[str, Any], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    if not source.get("key"):
        errors.append(required(path.child("key")))
    else:
        errors += [invalid(path.child("key"), source["key"], each) for each in names.env_var_name(source["key"])]
    if not source.get("volumeName"):
        errors.append(required(path.child("volumeName")))
    if not source.get("path"):
        errors.append(required(path.child("path")))
    else:
        errors += validate_local_non_reserved_path(source["path"], path.child("path"))
    return errors


def validate_file_volumes(spec: dict[str, Any], path: Path) -> list[FieldError]:
    """Files of variables are in volumes of the pod that its containers write."""
    volumes = {each.get("name"): each for each in spec.get("volumes") or []}
    errors: list[FieldError] = []
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for i, container in enumerate(spec.get(kind) or []):
            for j, variable in enumerate(container.get("env") or []):
                name = ((variable.get("valueFrom") or {}).get("fileKeyRef") or {}).get("volumeName")
                at = path.child(kind).index(i).child("env").index(j).child("valueFrom", "fileKeyRef", "volumeName")
                if name and name not in volumes:
                    errors.append(not_found(at, name))
                elif name and "emptyDir" not in volumes[name]:
                    errors.append(invalid(at, name, "referenced volume must be of type emptyDir"))
    return errors


def validate_field_ref(
    ref: dict[str, Any], supported: tuple[str, ...], subscripted: tuple[str, ...], path: Path
) -> list[FieldError]:
    """A path to a field of the pod; `subscripted` are those that take ['KEY']."""
    where, at = ref.get("fieldPath", ""), path.child("fieldPath")
    if not ref.get("apiVersion"):
        return [required(path.child("apiVersion"))]
    if not where:
        return [required(at)]
    subscript = _SUBSCRIPT.match(where)
    if subscript:
        return _validate_subscript(subscript[1], subscript[2], where, subscripted, path)
    if where not in _CONVERTIBLE:
        return [invalid(at, where, f"error converting fieldPath: field label not supported: {where}")]
    if where not in supported:
        return [not_supported(at, where, sorted(supported))]
    return []


def _validate_subscript(field: str, key: str, where: str, subscripted: tuple[str, ...], path: Path) -> list[FieldError]:
    if field not in ("metadata.annotations", "metadata.labels"):
        return [
            invalid(
                path.child("fieldPath"),
                where,
                f"error converting fieldPath: field label does not support subscript: {where}",
            )
        ]
    if field not in subscripted:
        return [invalid(path, where, "does not support subscript")]
    return [invalid(path, key, each) for each in names.qualified_name(key.lower() if "annot" in field else key)]


def validate_resource_field_ref(ref: dict[str, Any], path: Path, *, in_volume: bool) -> list[FieldError]:
    resource = ref.get("resource", "")
    if in_volume and not ref.get("containerName"):
        return [required(path.child("containerName"))]
    if not resource:
        return [required(path.child("resource"))]
    huge_pages = resource.startswith(("limits.hugepages-", "requests.hugepages-"))
    if resource not in _RESOURCES and not huge_pages:
        return [not_supported(path.child("resource"), resource, _RESOURCES)]
    return _validate_divisor(resource, ref.get("divisor", "0"), path.child("divisor"))


def _validate_divisor(resource: str, divisor: str, path: Path) -> list[FieldError]:
    if quantity.parse(divisor)[0] == 0:
        return []
    if resource.endswith(".cpu"):
        allowed: tuple[str, ...] = ("1m", "1")
        text = "only divisor's values 1m and 1 are supported with the cpu resource"
    else:
        allowed = _BYTE_DIVISORS
        kind = (
            "memory"
            if resource.endswith(".memory")
            else "hugepages"
            if "hugepages" in resource
            else "local ephemeral storage"
        )
        text = f"only divisor's values {', '.join(_BYTE_DIVISORS)} are supported with the {kind} resource"
    return [] if divisor in allowed else [invalid(path, resource, text)]


def validate_env_from(sources: list[dict[str, Any]], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, source in enumerate(sources):
        at = path.index(i)
        prefix = source.get("prefix", "")
        if prefix:
            errors += [invalid(at.child("prefix"), prefix, each) for each in names.env_var_name(prefix)]
        given = [key for key in ("configMapRef", "secretRef") if source.get(key) is not None]
        for key in given:
            name = source[key].get("name", "")
            if not name:
                errors.append(required(at.child(key, "name")))
            else:
                errors += [invalid(at.child(key, "name"), name, each) for each in names.dns_subdomain(name)]
        if not given:
            errors.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors
