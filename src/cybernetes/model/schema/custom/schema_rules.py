"""What a schema itself must satisfy: that it is structural, that its extensions fit, that its defaults are valid.

source  k8s.io/apiextensions-apiserver, validation of definitions: CustomResourceDefinitionOpenAPISchema
"""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.cel import regex
from cybernetes.model.field import FieldError, Path, forbidden, invalid, not_supported, required
from cybernetes.model.schema.custom.expression_rules import Costs, Level
from cybernetes.model.schema.custom.nested import nested_errors
from cybernetes.model.schema.custom.structural import JsonSchema, Structural
from cybernetes.model.schema.custom.validate import validate_value

TYPES = ("array", "boolean", "integer", "number", "object", "string")
LIST_TYPES = ("atomic", "set", "map")
_EMPTY = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")


def check_schema(schema: JsonSchema, path: Path, *, has_status: bool) -> list[FieldError]:
    """All errors of a version's schema. path: of the schema itself."""
    errors = []
    if has_status and schema.get("type") and schema["type"] != "object":
        detail = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        errors.append(invalid(path.child("type"), schema["type"], detail))
    if schema.get("nullable"):
        errors.append(forbidden(path.child("nullable"), "nullable cannot be true at the root"))
    structural: list[FieldError] = []
    _check_structure(schema, "root", path, structural)
    errors += structural
    if not structural:
        _check_defaults(schema, path, errors)
    costs = Costs()
    # Rules are about types: where those are not known, rules are not looked at.
    sound = not structural and _types_are_known(schema)
    _check_extensions(schema, path, errors, Level(costs) if sound else None)
    return errors + costs.errors(path)


def _types_are_known(schema: JsonSchema) -> bool:
    return (schema.get("type") or "") in ("", *TYPES) and all(
        _types_are_known(each.schema) for each in _inner(schema, Path())
    )


class _Inner(msgspec.Struct, frozen=True):
    schema: Any
    level: str
    path: Path


def _inner(schema: JsonSchema, path: Path) -> list[_Inner]:
    found = []
    if schema.get("items") is not None:
        found.append(_Inner(schema["items"], "item", path.child("items")))
    properties = schema.get("properties") or {}
    found += [_Inner(properties[name], "field", path.child("properties").key(name)) for name in sorted(properties)]
    if isinstance(schema.get("additionalProperties"), dict):
        found.append(_Inner(schema["additionalProperties"], "field", path.child("additionalProperties")))
    return [each for each in found if isinstance(each.schema, dict)]


def _check_structure(schema: JsonSchema, level: str, path: Path, errors: list[FieldError]) -> None:
    """Every value has a known type, so that unknown fields can be dropped."""
    for each in _inner(schema, path):
        _check_structure(each.schema, each.level, each.path, errors)
    kind = schema.get("type") or ""
    free = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    mixed = bool(schema.get("x-kubernetes-int-or-string"))
    if kind == "array" and not schema.get("items") and schema.get("items") is None:
        errors.append(required(path.child("items"), "must be specified"))
    if not kind and (level == "root" or not (free or mixed)):
        errors.append(required(path.child("type"), _EMPTY[level]))
    if level == "root" and kind and kind != "object":
        errors.append(invalid(path.child("type"), kind, "must be object at the root"))
    if schema.get("x-kubernetes-embedded-resource"):
        _check_embedded(schema, kind, free, path, errors)
    errors.extend(nested_errors(schema, path))


def _check_embedded(schema: JsonSchema, kind: str, free: bool, path: Path, errors: list[FieldError]) -> None:
    if kind != "object":
        detail = "must be object if x-kubernetes-embedded-resource is true"
        errors.append(invalid(path.child("type"), kind, detail) if kind else required(path.child("type"), detail))
    if not free and not schema.get("properties"):
        detail = (
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        )
        errors.append(required(path.child("properties"), detail))


def _check_extensions(schema: JsonSchema, path: Path, errors: list[FieldError], level: Level | None) -> None:
    kind = schema.get("type") or ""
    if kind and kind not in TYPES:
        errors.append(not_supported(path.child("type"), kind, TYPES))
    for name in _UNSUPPORTED:
        if schema.get(name):
            errors.append(forbidden(path.child(name), f"{name} is not supported"))
    if isinstance(schema.get("items"), list):
        errors.append(forbidden(path.child("items"), "items must be a schema object and not an array"))
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        errors.append(forbidden(path.child("uniqueItems"), detail))
    if schema.get("additionalProperties") is not None and schema.get("properties"):
        detail = "additionalProperties and properties are mutual exclusive"
        errors.append(forbidden(path.child("additionalProperties"), detail))
    if schema.get("pattern"):
        problem = regex.problem(schema["pattern"])
        if problem:
            detail = f"must be a valid regular expression, but isn't: {problem}"
            errors.append(invalid(path.child("pattern"), schema["pattern"], detail))
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        errors.append(invalid(path.child("x-kubernetes-preserve-unknown-fields"), False, "must be true or undefined"))
    for each in reversed(_inner(schema, path)):
        inner = level.inner(schema, each.schema, path) if level is not None else None
        _check_extensions(each.schema, each.path, errors, inner)
    _check_map_type(schema, kind, path, errors)
    _check_list_type(schema, kind, path, errors)
    if level is not None:
        level.check(schema, path, errors)


def _check_map_type(schema: JsonSchema, kind: str, path: Path, errors: list[FieldError]) -> None:
    map_type = schema.get("x-kubernetes-map-type")
    if map_type is None:
        return
    if kind != "object":
        detail = "must be object if x-kubernetes-map-type is specified"
        errors.append(invalid(path.child("type"), kind, detail) if kind else required(path.child("type"), detail))
    if map_type not in ("atomic", "granular"):
        errors.append(not_supported(path.child("x-kubernetes-map-type"), map_type, ("atomic", "granular")))


def _check_list_type(schema: JsonSchema, kind: str, path: Path, errors: list[FieldError]) -> None:
    list_type, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys") or []
    where = path.child("x-kubernetes-list-type")
    if list_type is not None:
        if kind != "array":
            detail = "must be array if x-kubernetes-list-type is specified"
            errors.append(invalid(path.child("type"), kind, detail) if kind else required(path.child("type"), detail))
        if list_type not in LIST_TYPES:
            errors.append(not_supported(where, list_type, LIST_TYPES))
        if list_type == "set":
            items = schema.get("items")
            # Lists of schemas are refused elsewhere.
            _check_set_items(items if isinstance(items, dict) else {}, path.child("items"), errors)
    if keys and list_type != "map":
        detail = "must be map if x-kubernetes-list-map-keys is non-empty"
        errors.append(required(where, detail) if list_type is None else invalid(where, list_type, detail))
    if list_type == "map":
        _check_map_items(schema, keys, path, errors)


def _check_set_items(items: JsonSchema, path: Path, errors: list[FieldError]) -> None:
    inner = items.get("x-kubernetes-list-type")
    if items.get("type") == "array" and inner != "atomic":
        detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
        errors.append(invalid(path.child("x-kubernetes-list-type"), inner, detail))
    if items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
        errors.append(invalid(path.child("x-kubernetes-map-type"), items.get("x-kubernetes-map-type"), detail))


def _check_map_items(schema: JsonSchema, keys: list[str], path: Path, errors: list[FieldError]) -> None:
    where, items = path.child("x-kubernetes-list-map-keys"), schema.get("items")
    if not keys:
        errors.append(required(where, "must not be empty if x-kubernetes-list-type is map"))
    if "items" not in schema:
        errors.append(required(path.child("items"), "must have a schema if x-kubernetes-list-type is map"))
        return
    if not isinstance(items, dict):
        shown = {"Schema": None, "JSONSchemas": items}
        detail = "must only have a single schema if x-kubernetes-list-type is map"
        errors.append(invalid(path.child("items"), shown, detail))
        return
    kind = items.get("type") or ""
    if kind != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        errors.append(invalid(path.child("items", "type"), kind, detail))
    properties = items.get("properties") or {}
    known = 0
    for key in dict.fromkeys(keys):
        found = properties.get(key)
        if found is None:
            continue
        known += 1
        if found.get("type") in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            errors.append(invalid(path.child("items", "properties").key(key).child("type"), found["type"], detail))
    if known != len(dict.fromkeys(keys)) and kind == "object":
        errors.append(invalid(where, keys, "entries must all be names of item properties"))
    if len(set(keys)) != len(keys):
        errors.append(invalid(where, keys, "must not contain duplicate entries"))
    _check_keys(items, keys, path, errors)


def _check_keys(items: JsonSchema, keys: list[str], path: Path, errors: list[FieldError]) -> None:
    for key in keys:
        found = (items.get("properties") or {}).get(key)
        if found is None:
            continue
        where = path.child("items", "properties").key(key)
        if "default" not in found and key not in (items.get("required") or ()):
            detail = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            )
            errors.append(required(where.child("default"), detail))
        if found.get("nullable"):
            detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
            errors.append(forbidden(where.child("nullable"), detail))


def _check_defaults(schema: JsonSchema, path: Path, errors: list[FieldError]) -> None:
    """Defaults must satisfy the schema that they stand in; their errors have no path inside of them."""
    if schema.get("default") is not None:
        where = path.child("default").text
        for wrong in validate_value(Structural(schema), schema["default"]):
            field = where if wrong.field == "<nil>" else f"{where}.{wrong.field}"
            errors.append(FieldError(wrong.reason, field, wrong.body))
    for each in _inner(schema, path):
        _check_defaults(each.schema, each.path, errors)
