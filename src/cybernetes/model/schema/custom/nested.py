"""What schemas under allOf, anyOf, oneOf and not may say: they narrow values, but give them neither type nor meaning.

source  "Specifying a structural schema", rules 2 and 3
"""

from __future__ import annotations

from collections.abc import Iterator

from cybernetes.model.field import FieldError, Path, forbidden
from cybernetes.model.schema.custom.structural import JsonSchema

_LISTS = ("anyOf", "allOf", "oneOf")
# What belongs to the structure, by how its absence is called.
_REFUSED = {
    "type": "empty",
    "additionalProperties": "undefined",
    "default": "undefined",
    "title": "empty",
    "description": "empty",
    "nullable": "false",
    "x-kubernetes-preserve-unknown-fields": "false",
    "x-kubernetes-embedded-resource": "false",
    "x-kubernetes-int-or-string": "false",
    "x-kubernetes-list-map-keys": "empty",
    "x-kubernetes-list-type": "undefined",
    "x-kubernetes-map-type": "undefined",
    "x-kubernetes-validations": "empty",
}
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def nested_errors(schema: JsonSchema, path: Path) -> list[FieldError]:
    """All errors of the schemas that narrow this one; those of its fields and items are looked at by themselves."""
    errors: list[FieldError] = []
    alternatives = schema.get("anyOf") == _INT_OR_STRING
    for name, index, inner, where in _narrowing(schema, path):
        if name == "anyOf" and alternatives:
            continue
        _check(inner, where, errors, alternatives=name == "allOf" and index == 0)
    return errors


def _narrowing(schema: JsonSchema, path: Path) -> Iterator[tuple[str, int, JsonSchema, Path]]:
    for name in _LISTS:
        for index, inner in enumerate(schema.get(name) or ()):
            if isinstance(inner, dict):
                yield name, index, inner, path.child(name).index(index)
    if isinstance(schema.get("not"), dict):
        yield "not", 0, schema["not"], path.child("not")


def _check(schema: JsonSchema, path: Path, errors: list[FieldError], *, alternatives: bool = False) -> None:
    """alternatives: this may say that values are integers or strings."""
    skipped = alternatives and schema.get("anyOf") == _INT_OR_STRING
    for name, _, inner, where in _narrowing(schema, path):
        if not (name == "anyOf" and skipped):
            _check(inner, where, errors)
    if isinstance(schema.get("items"), dict):
        _check(schema["items"], path.child("items"), errors)
    for name, inner in sorted((schema.get("properties") or {}).items()):
        if isinstance(inner, dict):
            _check(inner, path.child("properties").key(name), errors)
    for name, absent in _REFUSED.items():
        value = schema.get(name)
        if value or (absent == "undefined" and value is not None):
            errors.append(forbidden(path.child(name), f"must be {absent} to be structural"))
    if "metadata" in (schema.get("properties") or {}):
        detail = "must not be specified in a nested context"
        errors.append(forbidden(path.child("properties").key("metadata"), detail))
