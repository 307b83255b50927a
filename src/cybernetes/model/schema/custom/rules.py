"""CEL rules of custom resources (x-kubernetes-validations).

A rule sees the value where it stands as `self` and, if it asks for it, what stood there before as `oldSelf`; such a
rule is only asked where both are known. Names of fields that CEL can't spell are escaped.

source  Kubernetes documentation "Validation rules"; "Validation" 5
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cybernetes.model.cel import CelError, Program, compiled
from cybernetes.model.field import FieldError, Path, duplicate, forbidden, invalid, required
from cybernetes.model.schema.custom.structural import JsonSchema, Structural

VARIABLES = ("self", "oldSelf")
_OLD = re.compile(r"\boldSelf\b")
_RESERVED = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_ESCAPES = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_MISSING = object()


def check(schema: Structural, obj: dict[str, Any], old: dict[str, Any] | None) -> list[FieldError]:
    """Errors of all rules. old: the stored object on updates, None on creation."""
    errors: list[FieldError] = []
    if schema.has_rules:
        _walk(schema, obj, _MISSING if old is None else old, Path(), errors)
    return errors


def _walk(schema: Structural, value: Any, old: Any, path: Path, errors: list[FieldError]) -> None:
    if not schema.has_rules or value is None:
        return
    for rule in schema.rules:
        _ask(schema, rule, value, old, path, errors)
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else {}
        for name, each in value.items():
            found = schema.properties.get(name) or schema.additional
            if found is not None:
                where = path.child(name) if name in schema.properties else path.key(name)
                _walk(found, each, before.get(name, _MISSING), where, errors)
    elif isinstance(value, list) and schema.items is not None:
        known = _by_key(schema, old)
        for i, each in enumerate(value):
            _walk(schema.items, each, known.get(_key(schema, each), _MISSING), path.index(i), errors)


def _by_key(schema: Structural, old: Any) -> dict[Any, Any]:
    """Only items of lists that are maps can be found again."""
    if schema.list_type != "map" or not isinstance(old, list):
        return {}
    return {_key(schema, each): each for each in old}


def _key(schema: Structural, item: Any) -> Any:
    if schema.list_type != "map" or not isinstance(item, dict):
        return None
    return tuple(str(item.get(name)) for name in schema.list_keys)


def _ask(schema: Structural, rule: JsonSchema, value: Any, old: Any, path: Path, errors: list[FieldError]) -> None:
    values: dict[str, Any] = {}
    if _OLD.search(rule["rule"]):
        if old is _MISSING or old is None:
            return
        values["oldSelf"] = exposed(schema, old)
    values["self"] = exposed(schema, value)
    shown = schema.type or "object"
    try:
        program = compiled(rule["rule"], VARIABLES)
        if program.evaluate(values) is True:
            return
    except CelError as error:
        errors.append(invalid(path, shown, f"{error} evaluating rule: {rule.get('message') or rule['rule']}"))
        return
    where = _at(path, rule.get("fieldPath", ""))
    errors.append(_failed(rule.get("reason") or "FieldValueInvalid", where, shown, _message(rule, values)))


def _message(rule: JsonSchema, values: Mapping[str, Any]) -> str:
    text = rule.get("messageExpression")
    if text:
        try:
            program: Program = compiled(text, VARIABLES)
            found = program.evaluate(values)
            if isinstance(found, str) and found.strip() and "\n" not in found:
                return found
        except CelError:
            # The rule's own message stands in for one that can't be made.
            return str(rule.get("message") or f"failed rule: {rule['rule']}").strip()
    return str(rule.get("message") or f"failed rule: {rule['rule']}").strip()


def _failed(reason: str, path: Path, shown: str, message: str) -> FieldError:
    if reason == "FieldValueForbidden":
        return forbidden(path, message)
    if reason == "FieldValueRequired":
        return required(path, message)
    return duplicate(path, shown) if reason == "FieldValueDuplicate" else invalid(path, shown, message)


def _at(path: Path, field_path: str) -> Path:
    """Where a rule says that its error is: `.a.b['c-d']`, from the place of the rule."""
    for dotted, bracketed in re.findall(r"\.([A-Za-z_][\w-]*)|\['((?:[^'\\]|\\.)*)'\]", field_path):
        path = path.child(dotted) if dotted else path.key(bracketed)
    return path


def exposed(schema: Structural, value: Any) -> Any:
    """The value as CEL sees it: names escaped, numbers of type number as such.

    Times stay texts, which order as times do; the library takes timestamps only as whole variables.
    """
    if isinstance(value, dict):
        out = {}
        for name, each in value.items():
            found = schema.properties.get(name)
            if found is not None:
                out[escaped(name)] = exposed(found, each)
            elif schema.additional is not None:
                out[name] = exposed(schema.additional, each)
            elif schema.preserve or name in ("apiVersion", "kind", "metadata"):
                out[escaped(name)] = each
        return out
    if isinstance(value, list):
        return value if schema.items is None else [exposed(schema.items, each) for each in value]
    return float(value) if schema.type == "number" and isinstance(value, int) else value


@lru_cache(maxsize=4096)
def escaped(name: str) -> str:
    if name in _RESERVED:
        return f"__{name}__"
    if _IDENTIFIER.match(name) and "__" not in name:
        return name
    for what, instead in _ESCAPES:
        name = name.replace(what, instead)
    return name
