"""Whether a custom object satisfies its schema, with the words and in the order of the reference.

source  k8s.io/apiextensions-apiserver, validation of custom resources; k8s.io/kube-openapi validate
"""

from __future__ import annotations

from typing import Any

from cybernetes.cel import regex
from cybernetes.cel.errors import EvaluationError
from cybernetes.model.field import (
    FieldError,
    Path,
    duplicate,
    invalid,
    not_supported,
    required,
    shown,
    too_long,
    too_many,
    type_invalid,
)
from cybernetes.model.schema.custom.formats import FORMATS
from cybernetes.model.schema.custom.structural import Structural

_BLOCKING = {
    "FieldValueRequired",
    "FieldValueNotSupported",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
}
_INT32, _INT64 = 2**31, 2**63
# Beside properties, what a junctor's branch may say is the same as elsewhere.
_JUNCTORS = ("allOf", "anyOf", "oneOf", "not")


def validate(schema: Structural, obj: dict[str, Any]) -> list[FieldError]:
    """Errors of the schema, of embedded objects, and of lists that are sets or maps.

    The schema may ask for metadata and restrict its name; as an embedded object or list it is not looked at.
    """
    errors: list[FieldError] = []
    body = {name: value for name, value in obj.items() if name not in ("kind", "apiVersion", "metadata")}
    _check(schema, obj, Path(), errors)
    _check_embedded(schema, body, Path(), errors)
    _check_lists(schema, body, Path(), errors)
    return errors


def validate_value(schema: Structural, value: Any) -> list[FieldError]:
    """Errors of any value against the schema that stands for it, a default for one."""
    errors: list[FieldError] = []
    _check(schema, value, Path(), errors)
    return errors


def blocked(errors: list[FieldError]) -> FieldError | None:
    """What is said instead of CEL rules' errors, when an object is too wrong for them to be asked."""
    if all(each.reason not in _BLOCKING for each in errors):
        return None
    detail = (
        "some validation rules were not checked because the object was invalid; "
        "correct the existing errors to complete validation"
    )
    return FieldError("FieldValueInvalid", "<nil>", f"Invalid value: null: {detail}")


def json_kind(value: Any) -> tuple[str, str]:
    """(type, format) as the reference's decoder has them."""
    if value is None:
        return "null", ""
    if isinstance(value, bool):
        return "boolean", ""
    if isinstance(value, int):
        return "integer", "int64"
    if isinstance(value, float):
        return "number", "float64"
    if isinstance(value, str):
        return "string", ""
    return ("array" if isinstance(value, list) else "object"), ""


def _check(schema: Structural, value: Any, path: Path, errors: list[FieldError]) -> None:
    types = ("integer", "string") if schema.int_or_string else ((schema.type,) if schema.type else ())
    _check_type(schema, types, value, path, errors)
    if value is None:
        _check_enum(schema, value, path, errors)
        return
    _check_junctors(schema, value, path, errors)
    if isinstance(value, str):
        _check_string(schema, value, path, errors)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(schema, value, path, errors)
    elif isinstance(value, list):
        _check_list(schema, value, path, errors)
    _check_enum(schema, value, path, errors)
    if isinstance(value, dict):
        _check_object(schema, value, path, errors)


def _check_type(schema: Structural, types: tuple[str, ...], value: Any, path: Path, errors: list[FieldError]) -> None:
    if value is None and (schema.nullable or not types):
        return
    kind, kind_format = json_kind(value)
    wanted = ",".join(types)
    if value is None:
        _wrong_type(path, wanted, "null", errors)
        return
    whole = kind == "number" and float(value).is_integer() and "integer" in types
    fits = kind in types or whole or (kind == "integer" and "number" in types)
    stringly = kind in ("string", "array")
    if not stringly and schema.format and not (fits or kind_format == schema.format):
        _wrong_type(path, schema.format, kind_format, errors)
    elif stringly and schema.format and not {"number", "integer"} & set(types):
        if kind == "array" and not fits and types:
            _wrong_type(path, wanted, kind, errors)
    elif types and not fits:
        _wrong_type(path, wanted, kind, errors)


def _wrong_type(path: Path, wanted: str, actual: str, errors: list[FieldError]) -> None:
    errors.append(type_invalid(path, actual, f"{path.text} in body must be of type {wanted}: {shown(actual)}"))


def _fits(value: str, pattern: str) -> bool:
    """In time that grows with the text only, whoever wrote the pattern. What is no pattern fits nothing."""
    try:
        return regex.matches(value, pattern)
    except EvaluationError:
        return False


def _check_string(schema: Structural, value: str, path: Path, errors: list[FieldError]) -> None:
    longest, shortest = schema.source.get("maxLength"), schema.source.get("minLength")
    if longest is not None and len(value) > longest:
        errors.append(too_long(path, longest))
    if shortest is not None and len(value) < shortest:
        errors.append(invalid(path, value, f"{path.text} in body should be at least {shortest} chars long"))
    if schema.pattern and not _fits(value, schema.pattern):
        errors.append(invalid(path, value, f"{path.text} in body should match '{schema.pattern}'"))
    check = FORMATS.get(schema.format)
    if check is not None and not check(value):
        detail = f"{path.text} in body must be of type {schema.format}: {shown(value)}"
        errors.append(type_invalid(path, value, detail))


def _check_number(schema: Structural, value: float, path: Path, errors: list[FieldError]) -> None:
    if schema.type == "integer" and not _in_range(value, schema.format):
        what = f"with format {schema.format}" if schema.format else "(default format)"
        detail = f"Checked value must be of type integer {what} in {path.text}"
        errors.append(FieldError("FieldValueInvalid", "<nil>", f'Invalid value: "": {detail}'))
    factor = schema.source.get("multipleOf")
    if factor is not None:
        _check_multiple(value, factor, path, errors)
    limits = (("maximum", "exclusiveMaximum", "less", 1), ("minimum", "exclusiveMinimum", "greater", -1))
    for name, exclusive, word, sign in limits:
        limit = schema.source.get(name)
        if limit is None:
            continue
        if schema.type == "integer" and not _in_range(limit, schema.format):
            what = f"with format {schema.format}" if schema.format else "(default format)"
            text = f"{name.capitalize()} boundary value must be of type integer {what} in {path.text}"
            errors.append(FieldError("FieldValueInvalid", "<nil>", f'Invalid value: "": {text}'))
        strict = bool(schema.source.get(exclusive))
        if (value - limit) * sign > 0 or (strict and value == limit):
            text = (
                f"should be {word} than {_shown_number(limit)}"
                if strict
                else f"should be {word} than or equal to {_shown_number(limit)}"
            )
            errors.append(invalid(path, value, f"{path.text} in body {text}"))


def _in_range(value: float, number_format: str) -> bool:
    if isinstance(value, float) and not value.is_integer():
        return False
    limit = _INT32 if number_format == "int32" else _INT64
    return -limit <= value < limit


def _check_multiple(value: float, factor: float, path: Path, errors: list[FieldError]) -> None:
    """Whole numbers are divided by the factor's whole part, as the reference does."""
    if isinstance(value, int):
        factor = int(factor)
    if factor <= 0:
        detail = f"factor MultipleOf declared for {path.text} must be positive: {_shown_number(factor)}"
        errors.append(invalid(path, factor, detail))
        return
    parts = value / factor if factor >= 1 else (1 / factor) * value
    if not float(parts).is_integer():
        errors.append(invalid(path, value, f"{path.text} in body should be a multiple of {_shown_number(factor)}"))


def _shown_number(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else repr(number)


def _check_list(schema: Structural, value: list[Any], path: Path, errors: list[FieldError]) -> None:
    if schema.items is not None:
        for i, each in enumerate(value):
            _check(schema.items, each, path.index(i), errors)
    fewest, most = schema.source.get("minItems"), schema.source.get("maxItems")
    if fewest is not None and len(value) < fewest:
        errors.append(invalid(path, len(value), f"{path.text} in body should have at least {fewest} items"))
    if most is not None and len(value) > most:
        errors.append(too_many(path, len(value), most))


def _check_enum(schema: Structural, value: Any, path: Path, errors: list[FieldError]) -> None:
    if schema.enum is None or any(_same(value, each) for each in schema.enum) or (value is None and schema.nullable):
        return
    errors.append(not_supported(path, value, [each if isinstance(each, str) else shown(each) for each in schema.enum]))


def _same(value: Any, other: Any) -> bool:
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _check_object(schema: Structural, value: dict[str, Any], path: Path, errors: list[FieldError]) -> None:
    fewest, most = schema.source.get("minProperties"), schema.source.get("maxProperties")
    if fewest is not None and len(value) < fewest:
        errors.append(invalid(path, len(value), f"{path.text} in body should have at least {fewest} properties"))
    if most is not None and len(value) > most:
        errors.append(too_many(path, len(value), most))
    for name in schema.required:
        if name not in value:
            errors.append(required(path.child(name)))
    for name in value:
        found = schema.properties.get(name) or schema.additional
        if found is not None and not (schema.embedded and name == "metadata"):
            _check(found, value[name], path.child(name), errors)


def _check_junctors(schema: Structural, value: Any, path: Path, errors: list[FieldError]) -> None:
    source = schema.source
    if not any(name in source for name in _JUNCTORS):
        return
    where = f'"{path.text}"'
    branches = {name: [_branch_errors(each, value, path) for each in source.get(name) or ()] for name in _JUNCTORS[:3]}
    if branches["anyOf"] and all(branches["anyOf"]):
        _composite(f"{where} must validate at least one schema (anyOf)", errors)
        errors += _fewest(branches["anyOf"])
    valid = sum(not each for each in branches["oneOf"])
    if branches["oneOf"] and valid != 1:
        found = "Found none valid" if valid == 0 else f"Found {valid} valid alternatives"
        _composite(f"{where} must validate one and only one schema (oneOf). {found}", errors)
        if valid == 0:
            errors += _fewest(branches["oneOf"])
    failed = [each for each in branches["allOf"] if each]
    if failed:
        detail = " None validated" if len(failed) == len(branches["allOf"]) else ""
        _composite(f"{where} must validate all the schemas (allOf).{detail}", errors)
        errors += failed[0]
    negated = source.get("not")
    if negated is not None and not _branch_errors(negated, value, path):
        _composite(f"{where} must not validate the schema (not)", errors)


def _branch_errors(source: dict[str, Any], value: Any, path: Path) -> list[FieldError]:
    found: list[FieldError] = []
    _check(Structural(source), value, path, found)
    return found


def _fewest(branches: list[list[FieldError]]) -> list[FieldError]:
    """Of the branches, the one that was nearest."""
    return min(branches, key=len)


def _composite(text: str, errors: list[FieldError]) -> None:
    errors.append(FieldError("FieldValueInvalid", "<nil>", f'Invalid value: "": {text}'))


def _check_embedded(schema: Structural, value: Any, path: Path, errors: list[FieldError]) -> None:
    """Objects inside of objects say what they are."""
    if isinstance(value, list):
        for i, each in enumerate(value):
            if schema.items is not None:
                _check_embedded(schema.items, each, path.index(i), errors)
        return
    if not isinstance(value, dict):
        return
    if schema.embedded:
        for name in ("apiVersion", "kind"):
            if not value.get(name):
                errors.append(required(path.child(name), "must not be empty"))
    for name, each in value.items():
        found = schema.properties.get(name) or schema.additional
        if found is not None:
            _check_embedded(found, each, path.child(name), errors)


def _check_lists(schema: Structural, value: Any, path: Path, errors: list[FieldError]) -> None:
    """Sets and maps that are written as lists hold nothing twice."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name in schema.properties:
                _check_lists(schema.properties[name], each, path.child(name), errors)
            elif schema.additional is not None:
                _check_lists(schema.additional, each, path.key(name), errors)
    elif isinstance(value, list):
        if schema.list_type == "set":
            _check_set(value, path, errors)
        elif schema.list_type == "map":
            _check_map(schema, value, path, errors)
        if schema.items is not None:
            for i, each in enumerate(value):
                _check_lists(schema.items, each, path.index(i), errors)


def _check_set(value: list[Any], path: Path, errors: list[FieldError]) -> None:
    seen: set[str] = set()
    for i, each in enumerate(value):
        if shown(each) in seen:
            errors.append(duplicate(path.index(i), each))
        seen.add(shown(each))


def _check_map(schema: Structural, value: list[Any], path: Path, errors: list[FieldError]) -> None:
    seen: set[str] = set()
    for i, each in enumerate(value):
        if each is None:
            continue
        if not isinstance(each, dict):
            errors.append(invalid(path.index(i), each, "must be an object for an array of list-type map"))
            continue
        keys = {key: each[key] for key in sorted(schema.list_keys) if key in each}
        if shown(keys) in seen:
            errors.append(duplicate(path.index(i), keys))
        seen.add(shown(keys))
