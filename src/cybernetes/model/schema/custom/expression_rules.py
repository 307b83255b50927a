"""What rules in a schema must satisfy: that they compile, and that they can't cost too much.

A rule counts as often as its place can be in one object: lists and maps above it that are bounded multiply it, others
make it as many as fit into a request.

source  k8s.io/apiextensions-apiserver, validation of definitions: x-kubernetes-validations
"""

from __future__ import annotations

from typing import Any

from cybernetes.cel.ranges import LARGEST
from cybernetes.model.expressions.costs import DEFINITION_LIMIT, RULE_LIMIT, exceeded
from cybernetes.model.expressions.rules import Expression, Rule, RuleExpressions
from cybernetes.model.field import FieldError, Path, forbidden, invalid, not_supported, required
from cybernetes.model.schema.custom.structural import JsonSchema, Structural

REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
# How many of the most expensive rules are named, and from which part of the limit on.
_NAMED_MAX, _NAMED_FROM = 4, DEFINITION_LIMIT // 100
_TOTAL = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
_CONTRIBUTED = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"


class Costs:
    """Of all rules of a schema."""

    def __init__(self) -> None:
        self._total = 0
        self._expensive: list[tuple[int, Path]] = []

    def add(self, cost: int, path: Path) -> None:
        self._total = min(self._total + cost, LARGEST)
        if cost >= _NAMED_FROM:
            self._expensive.append((cost, path))

    def errors(self, path: Path) -> list[FieldError]:
        """path: of the whole schema."""
        if self._total <= DEFINITION_LIMIT:
            return []
        named = sorted(self._expensive, key=lambda each: -each[0])[:_NAMED_MAX]
        told = [forbidden(where, _CONTRIBUTED) for _, where in named]
        return [*told, forbidden(path, exceeded(_TOTAL, self._total, DEFINITION_LIMIT))]


class Level:
    """A place in a schema. often: how often it can be in one object, None when nothing bounds it.

    uncorrelated  path of a list or map above, of which what stood there before can't be found
    """

    def __init__(self, costs: Costs, often: int | None = 1, uncorrelated: Path | None = None) -> None:
        self.costs = costs
        self.root = often == 1 and uncorrelated is None
        self._often = often
        self._uncorrelated = uncorrelated

    def inner(self, schema: JsonSchema, inner: JsonSchema, path: Path) -> Level:
        """The place of a schema inside of this one. path: of this one."""
        often, uncorrelated = self._often, self._uncorrelated
        if inner is schema.get("items"):
            often = _times(often, schema.get("maxItems"))
            if schema.get("x-kubernetes-list-type") != "map" and uncorrelated is None:
                uncorrelated = path
        elif inner is schema.get("additionalProperties"):
            often = _times(often, schema.get("maxProperties"))
        if schema.get("x-kubernetes-map-type") == "atomic" and uncorrelated is None:
            uncorrelated = path
        level = Level(self.costs, often, uncorrelated)
        level.root = False
        return level

    def check(self, schema: JsonSchema, path: Path, errors: list[FieldError]) -> None:
        if not schema.get("x-kubernetes-validations"):
            return
        found = RuleExpressions(Structural(schema, root=self.root))
        for i, rule in enumerate(schema["x-kubernetes-validations"]):
            where = path.child("x-kubernetes-validations").index(i)
            if not (rule.get("rule") or "").strip():
                errors.append(required(where.child("rule"), "rule is not specified"))
            else:
                errors += _texts(rule, where)
                errors += self._compiled(found, rule, where)

    def _compiled(self, found: RuleExpressions, source: JsonSchema, where: Path) -> list[FieldError]:
        if found.type is None:
            return [invalid(where.child("rule"), _go_rule(source), "rules can not be about values of this schema")]
        rule = Rule(source, found.type)
        errors = self._expression(rule.expression, found, source, where.child("rule"), "rule")
        if rule.uses_old and self._uncorrelated is not None:
            detail = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {self._uncorrelated}"
            errors.append(invalid(where.child("rule"), source["rule"], detail))
        if rule.message is not None and rule.message.text.strip():
            at = where.child("messageExpression")
            errors += self._expression(rule.message, found, source, at, "messageExpression")
        return errors

    def _expression(
        self, expression: Expression, found: RuleExpressions, source: JsonSchema, path: Path, what: str
    ) -> list[FieldError]:
        if expression.error:
            prefix = "" if what == "rule" or not expression.error.startswith("compilation") else f"{what} "
            return [invalid(path, _go_rule(source), prefix + expression.error)]
        cost = min(expression.cost * (found.often if self._often is None else self._often), LARGEST)
        self.costs.add(cost, path)
        if cost <= RULE_LIMIT:
            return []
        return [forbidden(path, exceeded(f"estimated {what} cost", cost, RULE_LIMIT))]


def _times(often: int | None, most: int | None) -> int | None:
    if often is None or most is None:
        return None
    return min(often * max(0, int(most)), LARGEST)


def _texts(rule: JsonSchema, where: Path) -> list[FieldError]:
    """What is wrong with what a rule says of itself."""
    errors = []
    message, expression = rule.get("message") or "", rule.get("messageExpression") or ""
    said = message.strip()
    if message and not said:
        errors.append(invalid(where.child("message"), message, "message must be non-empty if specified"))
    elif "\n" in said:
        errors.append(invalid(where.child("message"), message, "message must not contain line breaks"))
    elif not said and "\n" in rule["rule"].strip():
        errors.append(required(where.child("message"), "message must be specified if rule contains line breaks"))
    if expression and not expression.strip():
        errors.append(required(where.child("messageExpression"), "messageExpression must be non-empty if specified"))
    field_path = rule.get("fieldPath") or ""
    if field_path and not field_path.strip():
        errors.append(invalid(where.child("fieldPath"), field_path, "fieldPath must be non-empty if specified"))
    elif "\n" in field_path:
        errors.append(invalid(where.child("fieldPath"), field_path, "fieldPath must not contain line breaks"))
    reason = rule.get("reason")
    if reason is not None and reason not in REASONS:
        errors.append(not_supported(where.child("reason"), reason, REASONS))
    return errors


def _go_rule(rule: JsonSchema) -> dict[str, Any]:
    return {
        "Rule": rule.get("rule", ""),
        "Message": rule.get("message", ""),
        "MessageExpression": rule.get("messageExpression", ""),
        "Reason": rule.get("reason"),
        "FieldPath": rule.get("fieldPath", ""),
        "OptionalOldSelf": rule.get("optionalOldSelf"),
    }
