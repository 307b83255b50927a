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


# Numbers that the reference's rules give for these: (least, most) of the estimate, and what running costs. Lists and
# maps of constants are made once, so that running does not pay for them.
KNOWN: list[tuple[str, tuple[int, int], int]] = [
    ("'ABCDEFGHIJ klmnopqrst'.lowerAscii() == 'abcdefghij klmnopqrst'.upperAscii()", (7, 9), 9),
    ("strings.quote('ABCDEFGHIJ abcdefghij')", (3, 3), 3),
    ("strings.quote('ABCDEFGHIJ abcdefghij') == strings.quote('ABCDEFGHIJ klmnopqrst')", (7, 11), 9),
    ("'one 234 six 234'.replace('', 'x')", (3, 3), 3),
    ("'one 234 six 234'.split(' ', 1)", (3, 3), 3),
    ("'one 234 six 234'.substring(5, 8)", (2, 2), 2),
    ("'one 234 six 234'.findAll('234')", (2, 2), 2),
    ("jsonpatch.escapeKey('one/two~ one/two~')", (2, 2), 2),
    ("url('https:://example.tld/').getPort()", (4, 4), 4),
    ("ip('192.168.0.2')", (2, 2), 2),
    ("ip('2001:db8:3333:4444:5555:6666:7777:8889').isLoopback()", (5, 5), 5),
    ("ip('192.168.0.2') == ip('192.168.0.3')", (5, 5), 5),
    ("ip.isCanonical('2001:db8:3333:4444:5555:6666:7777:8889')", (8, 8), 8),
    ("cidr('192.169.0.0/16').prefixLength()", (3, 3), 3),
    ("cidr('192.168.0.0/16').containsCIDR(cidr('192.0.0.0/29'))", (7, 11), 7),
    ("cidr('192.168.0.0/16').containsCIDR('192.168.0.0/17')", (7, 11), 7),
    ("cidr('192.168.0.0/16').containsIP(ip('192.169.0.1'))", (5, 8), 5),
    ("cidr('192.168.0.0/16').containsIP('192.0.0.1')", (4, 7), 4),
    ("cidr('2001:db8::/32').containsIP('2001:db8:3333:4444:5555:6666:7777:8889')", (7, 10), 7),
    ("quantity('300M') == quantity('0.3G') && quantity('0.3G') == quantity('300M')", (3, 6), 6),
    ("quantity('60k').add(20).sub(quantity('100k')).asInteger() > 0", (6, 6), 6),
    ("format.named('dns1123Label').value().validate('a-label')", (34, 34), 10),
    ("format.named('dns1123Subdomain').value().validate('my.name')", (34, 34), 17),
    ("isSemver('1234.56789012345.67890123456780')", (4, 4), 4),
    ("semver('1.0.0').compareTo(semver('1.2.4'))", (3, 3), 3),
    ("sets.contains([1, 2, 3, 5], [2, 3])", (29, 29), 9),
    ("sets.equivalent([1, 2, 3], [3, 2, 1])", (39, 39), 19),
    ("[1, 2, 3, 4, 6].sum()", (15, 15), 5),
    ("[1, 2, 3, 4, 6].indexOf(3)", (15, 15), 5),
    ("'01234567890123456789012345678901234567890123456780'.indexOf('123')", (5, 5), 5),
    ("[1, 3].all(i, v, v > 0)", (17, 21), 11),
    ("[1, 3].exists(i, v, v > 0)", (19, 23), 10),
    ("[1, 3].existsOne(i, v, v > 0)", (18, 20), 10),
    ("[1, 3].transformList(i, v, v + 1)", (49, 49), 29),
    ("[1, 3].transformList(i, v, v < 5, v + 1)", (27, 53), 33),
    ("{'a': 1, 'b': 3}.all(k, v, v > 0)", (37, 41), 41),
    ("{'a': 1, 'b': 3}.exists(k, v, v > 0)", (39, 43), 40),
    ("{'a': 1, 'b': 3}.transformMap(k, v, v + 1)", (71, 71), 41),
    ("{'a': 1, 'b': 3}.transformMap(k, v, v < 5, v + 1)", (67, 75), 45),
    ("{'a': 1, 'b': 3}.transformMapEntry(k, v, {k: v + 1})", (131, 131), 101),
]


@pytest.mark.parametrize(("text", "estimated", "running"), KNOWN)
def test_costs_are_those_of_the_reference(text: str, estimated: tuple[int, int], running: int) -> None:
    program = ENVIRONMENT.compile(text)
    assert tuple(estimate(program.tree)) == estimated
    assert program.evaluate({})[1] == running
