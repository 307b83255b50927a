"""Whether a StorageVersionMigration may be stored."""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, invalid, required
from cybernetes.model.validation.names import dns_1035_label, dns_subdomain

Object = dict[str, Any]
_RESOURCE = Path("spec").child("resource")


def validate_migration(obj: Object) -> list[FieldError]:
    resource = _resource(obj)
    group, plural = resource.get("group", ""), resource.get("resource", "")
    errors = [invalid(_RESOURCE.child("group"), group, each) for each in (dns_subdomain(group) if group else ())]
    if not plural:
        return [*errors, required(_RESOURCE.child("resource"))]
    return errors + [invalid(_RESOURCE.child("resource"), plural, each) for each in dns_1035_label(plural)]


def validate_migration_update(obj: Object, old: Object) -> list[FieldError]:
    errors = validate_migration(obj)
    if _resource(obj) != _resource(old):
        errors.append(invalid(_RESOURCE, _resource(obj), "field is immutable"))
    return errors


def _resource(obj: Object) -> Object:
    found: Object = (obj.get("spec") or {}).get("resource") or {}
    return found
