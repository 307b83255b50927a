"""Costs: numbers of cel-go and of Kubernetes' tests of its limits."""

from __future__ import annotations

from typing import Any

import pytest
from cel_env import ENVIRONMENT, cost, value

from cybernetes.cel.errors import CostExceeded
from cybernetes.cel.estimate import estimate
from cybernetes.model.expressions.rules import RuleExpressions
from cybernetes.model.schema.custom.structural import Structural


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 0),
        ("i", 1),
        ("point.x", 2),
        ("i + 1", 2),
        ("s == 'abc'", 2),
        ("s.startsWith('abcdefghijkl')", 3),
        ("s + 'abc'", 2),
        ("numbers.all(x, true)", 1 + 1 + 3 * 3),
        ("numbers.exists(x, false)", 1 + 1 + 3 * 4),
        ("numbers.map(x, x)", 1 + 1 + 3 * 13),
        ("numbers.filter(x, true)", 1 + 1 + 3 * 13),
        ("numbers.filter(x, false)", 1 + 1 + 3 * 1),
        ("[i, i]", 12),
        ("{'a': i}", 31),
        ("b || i == 1", 1),
        ("b ? i : i + 1", 2),
    ],
)
def test_what_evaluating_costs(text: str, expected: int) -> None:
    variables = {"i": 1, "s": "abc", "numbers": [1, 2, 3], "point": {"x": 1}, "b": True}
    assert cost(text, **variables) == expected


def test_an_expression_stops_at_its_limit() -> None:
    program = ENVIRONMENT.compile("numbers.all(x, numbers.all(y, numbers.all(z, x + y + z >= 0)))")
    with pytest.raises(CostExceeded, match="operation cancelled: actual cost limit exceeded"):
        program.evaluate({"numbers": list(range(1000))})


def test_the_limit_is_not_an_error_that_an_expression_may_swallow() -> None:
    program = ENVIRONMENT.compile("numbers.all(x, numbers.all(y, x + y >= 0)) || true")
    with pytest.raises(CostExceeded):
        program.evaluate({"numbers": list(range(1000))}, limit=1000)


@pytest.mark.parametrize(
    "text",
    [
        "numbers.all(x, any == any)",
        "numbers.all(x, any in [any])",
        "numbers.all(x, '%s'.format([any]) != '')",
        "numbers.all(x, dyn(points) == dyn(points))",
        "numbers.all(x, sets.contains(any, any))",
        "numbers.all(x, any.distinct().size() > 0)",
    ],
)
def test_large_values_are_charged_for_all_that_is_in_them(text: str) -> None:
    deep = [{"a": [1, 2, 3] * 100} for _ in range(50)]
    points = [{"x": 1, "at": "2026-01-01T00:00:00Z"}] * 3000
    with pytest.raises(CostExceeded):
        ENVIRONMENT.compile(text).evaluate({"numbers": list(range(1000)), "any": deep, "points": points})


def test_asking_for_rights_more_than_twice_is_too_much() -> None:
    assert value("[1, 2].size() == 2") is True
    text = "(s.matches('a') ? 1 : 0) == 1"
    assert cost(text, s="a" * 100) == 1 + 11 * 1 + 1


def most(schema: dict[str, Any], text: str) -> int:
    level = RuleExpressions(Structural({**schema, "x-kubernetes-validations": [{"rule": text}]}))
    expression = level.rules[0].expression
    assert expression.program is not None, expression.error
    return estimate(expression.program.tree).most


def obj(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


TEXT, BOUNDED = {"type": "string"}, {"type": "string", "maxLength": 10}
REQUEST = 3 * 1024 * 1024


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        (obj(a={"type": "integer"}), "self.a < 5", 3),
        (obj(a={"type": "integer"}), "has(self.a)", 1),
        # Of texts as many bytes as they may have characters, times four; a tenth of that is the cost.
        (obj(a=BOUNDED, b=BOUNDED), "self.a == self.b", 4 + 4),
        (obj(a=TEXT, b=BOUNDED), "self.a == self.b", 4 + 4),
        (obj(a=TEXT), "self.a == 'abc'", 2 + 1),
        (obj(a=TEXT, b=TEXT), "self.a == self.b", 4 + (REQUEST - 2 + 9) // 10),
        (obj(a={"type": "string", "enum": ["x", "yyyy"]}, b=TEXT), "self.a == self.b", 4 + 1),
        # A list: how many fit into a request unless it is bounded.
        (
            obj(a={"type": "array", "maxItems": 10, "items": {"type": "integer"}}),
            "self.a.all(x, x > 0)",
            2 + 1 + 10 * 5,
        ),
        (
            obj(a={"type": "array", "items": {"type": "boolean"}}),
            "self.a.all(x, x)",
            2 + 1 + ((REQUEST - 2) // 5) * 4,
        ),
        (
            obj(a={"type": "object", "maxProperties": 4, "additionalProperties": {"type": "integer"}}),
            "self.a.all(k, self.a[k] > 0)",
            2 + 1 + 4 * (3 + 3 + 1 + 1),
        ),
        (obj(a=BOUNDED), "self.a.matches('^[a-z]+$')", 2 + 5 * 2),
        (obj(a=BOUNDED), "self.a.contains('abc')", 2 + 4 * 1),
        (obj(a=BOUNDED), "self.a + 'abc' == 'x'", 2 + 5 + 1),
        (obj(a=BOUNDED), "self.a.lowerAscii() == 'x'", 2 + 4 + 1),
        (obj(a={"type": "array", "maxItems": 7, "items": BOUNDED}), "'x' in self.a", 2 + 7),
        (obj(a={"type": "array", "maxItems": 7, "items": BOUNDED}), "self.a.isSorted()", 2 + 7 * 5),
        # Numbers, objects and keys are compared for nothing.
        (obj(a={"type": "integer"}, b={"type": "integer"}), "self.a == self.b", 4),
        (obj(a=obj(b=TEXT)), "self.a == oldSelf.a", 4),
        (
            obj(a={"type": "object", "maxProperties": 4, "additionalProperties": TEXT}),
            "self.a.all(k, k == 'x')",
            2 + 1 + 4 * (3 + 1),
        ),
        (obj(a={"type": "string", "format": "date-time"}), "self.a < timestamp('2026-01-01T00:00:00Z')", 4),
    ],
)
def test_what_a_rule_can_cost_at_most(schema: dict[str, Any], text: str, expected: int) -> None:
    assert most(schema, text) == expected


def test_loops_inside_of_loops_multiply() -> None:
    many = {"type": "array", "maxItems": 100, "items": {"type": "integer"}}
    inner = most(obj(a=many), "self.a.all(x, x > 0)")
    outer = most(obj(a=many), "self.a.all(x, self.a.all(y, x > y))")
    assert outer > 90 * inner
