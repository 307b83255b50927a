"""metadata of every object: names, labels, annotations, owners, finalizers, what updates may change.

source  k8s.io/apimachinery, pkg/api/validation: ObjectMeta
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cybernetes.model.field import FieldError, Path, forbidden, invalid, required, too_long
from cybernetes.model.resource import Object, WriteContext
from cybernetes.model.validation import names

ANNOTATIONS_BYTES_MAX = 256 * 1024
_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")
META = Path("metadata")
_LABELS, _ANNOTATIONS, _OWNERS = META.child("labels"), META.child("annotations"), META.child("ownerReferences")
_FINALIZERS, _MANAGED_FIELDS = META.child("finalizers"), META.child("managedFields")
Create = Callable[[Object, WriteContext], list[FieldError]]
Update = Callable[[Object, Object, WriteContext], list[FieldError]]


def validate_meta(obj: Object, *, namespaced: bool, name_rule: names.NameRule) -> list[FieldError]:
    """Everything about metadata of a new object."""
    meta = obj.get("metadata") or {}
    errors: list[FieldError] = []
    generate_name = meta.get("generateName", "")
    if generate_name:
        masked = names.masked_generate_name(generate_name)
        errors += [invalid(META.child("generateName"), generate_name, each) for each in name_rule(masked)]
    name = meta.get("name", "")
    if not name:
        errors.append(required(META.child("name"), "name or generateName is required"))
    else:
        errors += [invalid(META.child("name"), name, each) for each in name_rule(name)]
    namespace = meta.get("namespace", "")
    if namespaced:
        if not namespace:
            errors.append(required(META.child("namespace")))
        else:
            errors += [invalid(META.child("namespace"), namespace, each) for each in names.dns_label(namespace)]
    elif namespace:
        errors.append(forbidden(META.child("namespace"), "not allowed on this type"))
    return errors + _validate_common(meta)


def _validate_common(meta: dict[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    if meta.get("generation", 0) < 0:
        errors.append(invalid(META.child("generation"), meta["generation"], NOT_NEGATIVE))
    errors += validate_labels(meta.get("labels"), _LABELS)
    errors += validate_annotations(meta.get("annotations"), _ANNOTATIONS)
    errors += _validate_owners(meta.get("ownerReferences") or [], _OWNERS)
    errors += _validate_finalizers(meta.get("finalizers") or [], _FINALIZERS)
    return errors + _validate_managed_fields(meta.get("managedFields") or [], _MANAGED_FIELDS)


NOT_NEGATIVE = "must be greater than or equal to 0"
IMMUTABLE = "field is immutable"


def not_negative(value: int | None, path: Path) -> list[FieldError]:
    return [invalid(path, value, NOT_NEGATIVE)] if value is not None and value < 0 else []


def validate_labels(labels: dict[str, str] | None, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for key, value in sorted((labels or {}).items()):
        errors += [invalid(path, key, each) for each in names.qualified_name(key)]
        errors += [invalid(path, value, each) for each in names.label_value(value)]
    return errors


def validate_annotations(annotations: dict[str, str] | None, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    size = 0
    for key, value in sorted((annotations or {}).items()):
        errors += [invalid(path, key, each) for each in names.qualified_name(key.lower())]
        size += len(key.encode()) + len(value.encode())
    if size > ANNOTATIONS_BYTES_MAX:
        errors.append(too_long(path, ANNOTATIONS_BYTES_MAX))
    return errors


def _validate_owners(owners: list[dict[str, Any]], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    controller = ""
    for owner in owners:
        api_version = owner.get("apiVersion", "")
        group, slash, version = api_version.rpartition("/")
        if not version or (slash and not group) or "/" in group:
            errors.append(invalid(path.child("apiVersion"), api_version, "version must not be empty"))
        for key in ("kind", "name", "uid"):
            if not owner.get(key):
                errors.append(invalid(path.child(key), owner.get(key, ""), "must not be empty"))
        if api_version == "v1" and owner.get("kind") == "Event":
            errors.append(invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner"))
        if owner.get("controller"):
            shown = f"{owner.get('kind', '')}/{owner.get('name', '')}"
            if controller:
                text = (
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller} and {shown}"
                )
                errors.append(invalid(path, owners, text))
            else:
                controller = shown
    return errors


def _validate_finalizers(finalizers: list[str], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for each in finalizers:
        errors += [invalid(path, each, text) for text in names.qualified_name(each)]
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        errors.append(invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set"))
    return errors


def validate_finalizer_name(text: str, path: Path) -> list[FieldError]:
    """Of core kinds: a standard name or a qualified one with a domain."""
    errors = [invalid(path, text, each) for each in names.qualified_name(text)]
    if not errors and "/" not in text and text not in _STANDARD_FINALIZERS:
        errors.append(invalid(path, text, "name is neither a standard finalizer name nor is it fully qualified"))
    return errors


def _validate_managed_fields(entries: list[dict[str, Any]], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, entry in enumerate(entries):
        at = path.index(i)
        if entry.get("operation", "") not in ("Apply", "Update"):
            errors.append(invalid(at.child("operation"), entry.get("operation", ""), "must be `Apply` or `Update`"))
        if entry.get("fieldsType", "") not in ("", "FieldsV1"):
            errors.append(invalid(at.child("fieldsType"), entry["fieldsType"], "must be `FieldsV1`"))
        manager = entry.get("manager", "")
        if len(manager.encode()) > 128:
            errors.append(too_long(at.child("manager"), 128))
        if len(entry.get("subresource", "")) > 256:
            errors.append(too_long(at.child("subresource"), 256))
    return errors


_IMMUTABLE_META = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def validate_meta_update(obj: Object, old: Object) -> list[FieldError]:
    meta, before = obj.get("metadata") or {}, old.get("metadata") or {}
    errors: list[FieldError] = []
    if meta.get("resourceVersion", "0") == "":
        errors.append(invalid(META.child("resourceVersion"), "", "must be specified for an update"))
    errors += _new_finalizers_while_deleting(meta, before)
    if meta.get("generation", 0) < before.get("generation", 0):
        errors.append(invalid(META.child("generation"), meta.get("generation", 0), "must not be decremented"))
    for key in _IMMUTABLE_META:
        if meta.get(key) != before.get(key):
            errors.append(invalid(META.child(key), meta.get(key), IMMUTABLE))
    return errors + _validate_common(meta)


def _new_finalizers_while_deleting(meta: dict[str, Any], before: dict[str, Any]) -> list[FieldError]:
    if not before.get("deletionTimestamp"):
        return []
    added = [each for each in meta.get("finalizers") or [] if each not in (before.get("finalizers") or [])]
    if not added:
        return []
    shown = "[]string{" + ", ".join(f'"{each}"' for each in added) + "}"
    text = f"no new finalizers can be added if the object is being deleted, found new finalizers {shown}"
    return [forbidden(META.child("finalizers"), text)]


def immutable(value: Any, old: Any, path: Path) -> list[FieldError]:
    return [] if value == old else [invalid(path, value, IMMUTABLE)]
