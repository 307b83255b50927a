"""CEL rules of custom resources (x-kubernetes-validations).

A rule sees the value where it stands as `self` and, if it asks for it, what stood there before as `oldSelf`; such a
rule is only asked where both are known, unless it takes `oldSelf` as an optional value. What an update left as it was
is not held against it, but told as a warning.

source  Kubernetes documentation "Validation rules"
"""

from __future__ import annotations

import re
from typing import Any

from cybernetes.cel.errors import CelError, CostExceeded
from cybernetes.cel.values import NONE, Optional, equal
from cybernetes.model.expressions.costs import MESSAGE_MAX_BYTES, OUT_OF_BUDGET, RUNTIME_BUDGET
from cybernetes.model.expressions.rules import Rule
from cybernetes.model.field import FieldError, Path, duplicate, forbidden, invalid, required
from cybernetes.model.schema.custom.structural import JsonSchema, Structural

_MISSING = object()


def check(schema: Structural, obj: dict[str, Any], old: dict[str, Any] | None, warnings: list[str]) -> list[FieldError]:
    """Errors of all rules. old: the stored object on updates, None on creation. warnings: appended to."""
    walk = _Walk(warnings)
    if schema.has_rules:
        try:
            walk.value(schema, obj, _MISSING if old is None else old, Path(), None)
        except _Spent:
            return walk.errors
    return walk.errors


# A value and what stood there before, the nearest above for which that is known.
_Known = tuple[Any, Any] | None


class _Spent(Exception):
    """No further rule may be asked; an error says so."""


class _Walk:
    """Errors and warnings found so far, and what rules may still cost."""

    def __init__(self, warnings: list[str]) -> None:
        self.errors: list[FieldError] = []
        self._warnings = warnings
        self._budget = RUNTIME_BUDGET

    def value(self, schema: Structural, value: Any, old: Any, path: Path, above: _Known) -> None:
        if not schema.has_rules or value is None:
            return
        known = above if old is _MISSING else (value, old)
        if schema.rules:
            self._ask_all(schema, value, old, path, known)
        if isinstance(value, dict):
            before = old if isinstance(old, dict) and schema.map_type != "atomic" else {}
            for name, each in value.items():
                found = schema.properties.get(name) or schema.additional
                if found is not None:
                    where = path.child(name) if name in schema.properties else path.key(name)
                    self.value(found, each, before.get(name, _MISSING), where, known)
        elif isinstance(value, list) and schema.items is not None:
            before = _by_key(schema, old)
            for i, each in enumerate(value):
                self.value(schema.items, each, before.get(_key(schema, each), _MISSING), path.index(i), known)

    def _ask_all(self, schema: Structural, value: Any, old: Any, path: Path, known: _Known) -> None:
        shown = schema.type or "object"
        for rule in schema.expressions.rules:
            if self._budget <= 0:
                self._stop(path, shown, OUT_OF_BUDGET)
            self._ask(rule, (value, old, known), path, shown)

    def _stop(self, path: Path, shown: str, why: str) -> None:
        self.errors.append(invalid(path, shown, why))
        raise _Spent

    def _ask(self, rule: Rule, place: tuple[Any, Any, _Known], path: Path, shown: str) -> None:
        value, old, nearest = place
        if rule.expression.error:
            self.errors.append(invalid(path, shown, f"rule compile error: {rule.expression.error}"))
            return
        known = old is not _MISSING and old is not None
        if rule.uses_old and not known and not rule.optional_old:
            return
        values = {"self": value}
        if rule.optional_old:
            values["oldSelf"] = Optional(old) if known else NONE
        elif known:
            values["oldSelf"] = old
        if self._holds(rule, values, path, shown):
            return
        where = _at(path, rule.source.get("fieldPath", ""))
        message = self._message(rule, values, where, shown)
        error = _failed(rule.source.get("reason") or "FieldValueInvalid", where, shown, message)
        if not rule.uses_old and nearest is not None and equal(*nearest):
            self._warnings.append(f"{error.field}: {error.body}")
        else:
            self.errors.append(error)

    def _holds(self, rule: Rule, values: dict[str, Any], path: Path, shown: str) -> bool:
        """Also where the rule could not be evaluated: an error says so."""
        program = rule.expression.program
        assert program is not None
        try:
            holds, cost = program.evaluate(values)
        except CostExceeded as wrong:
            why = f"no further validation rules will be run due to call cost exceeds limit for rule: {_called(rule.source)}"
            self._stop(path, shown, f"'{wrong}': {why}")
        except CelError as wrong:
            self.errors.append(invalid(path, shown, _not_evaluated(wrong, rule.source)))
            return True
        self._spend(cost, path, shown, OUT_OF_BUDGET)
        return holds is True

    def _spend(self, cost: int, path: Path, shown: str, why: str) -> None:
        if cost > self._budget:
            self._stop(path, shown, why)
        self._budget -= cost

    def _message(self, rule: Rule, values: dict[str, Any], path: Path, shown: str) -> str:
        """What the rule's own expression makes of it, if it makes something that can be shown."""
        program = rule.message.program if rule.message is not None else None
        if program is None:
            return _default_message(rule.source)
        try:
            said, cost = program.evaluate(values)
        except CostExceeded:
            why = "no further validation rules will be run due to call cost exceeds limit for messageExpression: "
            self._stop(path, shown, f'{why}"{program.text}"')
        except CelError:
            # The rule's own message stands in for one that can't be made.
            return _default_message(rule.source)
        why = "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run"
        self._spend(cost, path, shown, why)
        text = said.strip() if isinstance(said, str) else ""
        usable = text and "\n" not in text and len(text.encode()) <= MESSAGE_MAX_BYTES
        return text if usable else _default_message(rule.source)


def _not_evaluated(wrong: CelError, rule: JsonSchema) -> str:
    if str(wrong).startswith("no such overload"):
        why = "call arguments did not match a supported operator, function or macro signature for rule"
        return f"'{wrong}': {why}: {_called(rule)}"
    return f"{wrong} evaluating rule: {_called(rule)}"


def _called(rule: JsonSchema) -> str:
    return str(rule.get("message") or rule["rule"]).strip()


def _default_message(rule: JsonSchema) -> str:
    return str(rule.get("message") or f"failed rule: {rule['rule'].strip()}").strip()


def _by_key(schema: Structural, old: Any) -> dict[Any, Any]:
    """Only items of lists that are maps can be found again."""
    if schema.list_type != "map" or not isinstance(old, list):
        return {}
    return {_key(schema, each): each for each in old}


def _key(schema: Structural, item: Any) -> Any:
    if schema.list_type != "map" or not isinstance(item, dict):
        return None
    return tuple(str(item.get(name)) for name in schema.list_keys)


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
