from __future__ import annotations

from typing import Any

import pytest
from cel_env import ENVIRONMENT, failure, value

from cybernetes.cel.values import Duration, Timestamp, UInt

POINTS = [{"x": 1, "y": 2, "name": "a"}, {"x": 3, "y": 4, "name": "b"}]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1 + 2 * 3 - 4 / 2 % 3", 5),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("- -1", 1),
        ("!!true", True),
        ("1 < 2 ? 'a' : 'b'", "a"),
        ("'a' + 'b'", "ab"),
        ("b'\\xff' + b'a'", b"\xffa"),
        ("'\\u00e9\\n'", "é\n"),
        ("r'\\n'", "\\n"),
        ("'''a'b'''", "a'b"),
        ("[1, 2] + [3]", [1, 2, 3]),
        ("{'a': 1}.a", 1),
        ("{'a': 1}['a']", 1),
        ("[1, 2][1]", 2),
        ("2 in [1, 2]", True),
        ("'a' in {'a': 1}", True),
        ("1 == 1 && 'a' != 'b'", True),
        ("dyn(1) == dyn(1.0)", True),
        ("dyn(1) == dyn('1')", False),
        ("[1, 2] == [1, 2]", True),
        ("{'a': [1]} == {'a': [1]}", True),
        ("true == dyn(1)", False),
        ("1u + 2u", UInt(3)),
        ("0x1F", 31),
        ("1 < 1.5", True),
        ("2u > 1", True),
        ("'é日本'.size()", 3),
        ("size([1, 2])", 2),
        ("type(1) == int && type('') == string && type(type(1)) == type", True),
        ("type(null) == null_type", True),
        ("int('-5') + int(3.9) + int(2u)", 0),
        ("uint('7')", UInt(7)),
        ("double('1.5') + double(1)", 2.5),
        ("string(1.0) + string(true) + string(2u)", "1true2"),
        ("string(1000000.0) + ' ' + string(0.00001) + ' ' + string(123456.0)", "1e+06 1e-05 123456"),
        ("bool('true')", True),
        ("string(b'abc')", "abc"),
        ("bytes('é').size()", 2),
        ("duration('1h30m') == duration('90m')", True),
        ("duration('90s').getMinutes()", 1),
        ("string(duration('1.5s'))", "1.5s"),
        ("timestamp('2026-01-01T00:00:00Z') + duration('24h') == timestamp('2026-01-02T00:00:00Z')", True),
        ("timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z')", Duration(86400 * 10**9)),
        ("timestamp('2026-03-04T05:06:07.008+02:00').getHours()", 3),
        ("timestamp('2026-03-04T05:06:07Z').getHours('Europe/Berlin')", 6),
        ("timestamp('2026-03-04T05:06:07Z').getDayOfWeek()", 3),
        ("timestamp('2026-03-04T05:06:07Z').getMonth()", 2),
        ("timestamp(0)", Timestamp(0)),
        ("string(timestamp('2026-01-01T01:00:00.5+01:00'))", "2026-01-01T00:00:00.5Z"),
        ("1 / 0 == 1 || true", True),
        ("false && 1 / 0 == 1", False),
        ("true || 1 / 0 == 1", True),
        ("[1, 0].exists(x, 1 / x == 1)", True),
        ("[0, 2].all(x, 1 / x > 5)", False),
    ],
)
def test_what_expressions_give(text: str, result: Any) -> None:
    found = value(text)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("points.all(p, p.x > 0)", True),
        ("points.exists(p, p.name == 'b')", True),
        ("points.exists_one(p, p.x > 1)", True),
        ("points.map(p, p.x + p.y)", [3, 7]),
        ("points.map(p, p.x > 1, p.name)", ["b"]),
        ("points.filter(p, p.x > 1).size()", 1),
        ("{'a': 1, 'b': 2}.all(k, k < 'c')", True),
        ("{'a': 1, 'b': 2}.exists(k, v, v == 2)", True),
        ("[5, 6].all(i, v, v == i + 5)", True),
        ("[5, 6].existsOne(i, v, v == 6)", True),
        ("[5, 6].transformList(i, v, i * v)", [0, 6]),
        ("[5, 6].transformList(i, v, i > 0, v)", [6]),
        ("{'a': 1}.transformMap(k, v, v + 1)", {"a": 2}),
        ("{'a': 'x'}.transformMapEntry(k, v, {v: k})", {"x": "a"}),
        ("[1, 2].map(x, [3, 4].map(y, x * y))", [[3, 4], [6, 8]]),
        ("has(points[0].x) && !has(points[0].at)", True),
    ],
)
def test_macros(text: str, result: Any) -> None:
    assert value(text, points=POINTS) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("any.?a.b.orValue(9)", 1),
        ("any.?missing.b.orValue(9)", 9),
        ("any[?'a'].hasValue()", True),
        ("any.list[?5].hasValue()", False),
        ("any.?a.optMap(a, a.b + 1).value()", 2),
        ("any.?a.optFlatMap(a, a.?c).hasValue()", False),
        ("optional.none().or(optional.of(1)).value()", 1),
        ("optional.ofNonZeroValue('').hasValue()", False),
        ("[1, ?any.?missing, ?any.a.?b]", [1, 1]),
        ("{?'x': any.?missing, 'y': 1}", {"y": 1}),
        ("has(any.?a.b)", True),
    ],
)
def test_optional_values(text: str, result: Any) -> None:
    assert value(text, any={"a": {"b": 1}, "list": [1]}) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / i", "division by zero"),
        ("1 % i", "modulus by zero"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("-9223372036854775808 / -1", "integer overflow"),
        ("1u - 2u", "unsigned integer overflow"),
        ("numbers[3]", "index out of bounds: 3"),
        ("texts['q']", "no such key: q"),
        ("point.x", "no such key: x"),
        ("any.b", "no such overload"),
        ("any + 1", "no such overload"),
        ("any ? 1 : 2", "no such overload"),
        ("int('x')", "type conversion error from 'string' to 'int'"),
        ("optional.none().value()", "optional.none() dereference"),
        ("'abc'.matches(s)", "error parsing regexp: missing closing ]: `[`"),
        ("[1, 0].all(x, 1 / x > 0)", "division by zero"),
    ],
)
def test_what_fails_on_its_values_says_so(text: str, message: str) -> None:
    variables = {"i": 0, "numbers": [1], "texts": {}, "point": {}, "any": "text", "s": "["}
    assert failure(text, **variables) == message


def test_times_of_documents_are_times() -> None:
    point = {"at": "2026-01-01T00:00:00Z"}
    assert value("point.at < timestamp('2027-01-01T00:00:00Z')", point=point) is True
    assert value("points.map(p, p.at)[0].getFullYear()", points=[point]) == 2026
    assert value("points.filter(p, p.at.getFullYear() == 2026).size()", points=[point]) == 1
    assert value("[timestamp(0)] + points.map(p, p.at)", points=[point])[1] == Timestamp(1767225600 * 10**9)
    assert value("dyn(point).at == timestamp('2026-01-01T00:00:00Z')", point=point) is True


def test_a_long_chain_stays_shallow() -> None:
    text = " || ".join(["i == 1"] * 2000 + ["true"])
    assert value(text, i=0) is True


def test_programs_are_kept() -> None:
    assert ENVIRONMENT.compile("i + 1") is ENVIRONMENT.compile("i + 1")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1 in dyn({true: 1})", False),
        ("dyn({true: 1}) == dyn({1: 1})", False),
        ("dyn({1u: 1}) == dyn({1: 1.0})", True),
        ("dyn({1: 2})[dyn(1.0)]", 2),
        ("dyn({'a': 1})[?dyn([1])].hasValue()", False),
        ("dyn(9007199254740993) == dyn(9007199254740992.0)", True),
        ("9223372036854775807 < 9223372036854775808.0", False),
        ("dyn([7])[dyn(0.0)]", 7),
    ],
)
def test_keys_and_numbers_are_equal_as_the_language_says(text: str, result: Any) -> None:
    assert value(text) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dyn({true: 1})[1]", "no such key: 1"),
        ("dyn([7])[dyn(double('inf'))]", "unsupported index value"),
        ("dyn([7])[dyn(double('NaN'))]", "unsupported index value"),
        ("base64.decode(dyn('é'))", "illegal base64 data at input byte 1"),
        ("timestamp('9999-12-31T23:59:59Z').getHours('+05:00')", "timestamp overflow"),
        ("timestamp('0001-01-01T00:00:00Z').getHours('America/New_York')", "timestamp overflow"),
        ("timestamp(dyn('2020-01-01T00:00:00+25:00'))", "cannot parse"),
    ],
)
def test_values_at_the_edges_are_errors_of_the_expression(text: str, message: str) -> None:
    assert message in failure(text)


def test_an_expression_leaves_nothing_open_to_the_next() -> None:
    assert value("[optional.none(), optional.of('a')].size()") == 2
    assert value("[optional.none()].size() + [dyn(1)].map(x, x).size()") == 2
    for _ in range(3):
        assert value("[1].map(x, optional.none().or(optional.of(x)).value())") == [1]
