from __future__ import annotations

import pytest
from cel_env import refusal

from cybernetes.cel.types import ObjectType

START = (
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("a b", 3, "Syntax error: extraneous input 'b' expecting <EOF>"),
        ("Bad!!", 4, "Syntax error: mismatched input '!' expecting <EOF>"),
        ("1 +", 4, f"Syntax error: mismatched input '<EOF>' expecting {START}"),
        ("i.", 3, "Syntax error: no viable alternative at input '.'"),
        ("(1", 3, "Syntax error: missing ')' at '<EOF>'"),
        ("[1, 2", 6, "Syntax error: mismatched input '<EOF>' expecting {']', ','}"),
        ("{1:2", 5, "Syntax error: mismatched input '<EOF>' expecting {'}', ','}"),
        ("i = 1", 3, "Syntax error: token recognition error at: '= '"),
        ("namespace", 1, "reserved identifier: namespace"),
        ("99999999999999999999", 1, "invalid int literal"),
        ("nope", 1, "undeclared reference to 'nope' (in container '')"),
        ("nope(1)", 5, "undeclared reference to 'nope' (in container '')"),
        ("s.nope()", 7, "undeclared reference to 'nope' (in container '')"),
        ("point.z", 6, "undefined field 'z'"),
        ("i + s", 3, "found no matching overload for '_+_' applied to '(int, string)'"),
        ("s.startsWith(1)", 13, "found no matching overload for 'startsWith' applied to 'string.(int)'"),
        ("i.foo", 2, "type 'int' does not support field selection"),
        ("[1, 'a']", 5, "expected type 'int' but found 'string'"),
        ("{'a': 1, 'b': 'c'}", 15, "expected type 'int' but found 'string'"),
        ("b ? 1 : 'a'", 3, "found no matching overload for '_?_:_' applied to '(bool, int, string)'"),
        ("has(i)", 5, "invalid argument to has() macro"),
        ("numbers.all(1, true)", 13, "argument must be a simple name"),
        ("Foo{a: 1}", 4, "undeclared reference to 'Foo' (in container '')"),
        ("duration('x')", 10, "invalid duration argument"),
        ("timestamp('x')", 11, "invalid timestamp argument"),
        ("s.matches('[')", 11, "invalid matches argument"),
        ("1 == 1.0", 3, "found no matching overload for '_==_' applied to '(int, double)'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, column: int, message: str) -> None:
    shown = refusal(text).split("\nERROR")[0]
    assert shown == f"ERROR: <input>:1:{column}: {message}\n | {text}\n | {'.' * (column - 1)}^"


def test_places_in_later_lines() -> None:
    assert refusal("i == 1 &&\n  nope").splitlines() == [
        "ERROR: <input>:2:3: undeclared reference to 'nope' (in container '')",
        " |   nope",
        " | ..^",
    ]


def test_several_things_that_are_wrong_come_in_order() -> None:
    shown = refusal("point.u == point.v")
    assert [line for line in shown.splitlines() if line.startswith("ERROR")] == [
        "ERROR: <input>:1:6: undefined field 'u'",
        "ERROR: <input>:1:17: undefined field 'v'",
    ]


@pytest.mark.parametrize("text", ["(" * 400 + "1" + ")" * 400, "1" + "+1" * 400, "[" * 300, "a" + ".b" * 400])
def test_what_is_nested_too_deeply_is_refused(text: str) -> None:
    assert "recursion limit exceeded" in refusal(text)


def test_a_text_may_not_be_endless() -> None:
    assert "expression code point size exceeds limit" in refusal("1 + " * 30_000)


def test_fields_that_are_not_declared_may_be_allowed() -> None:
    assert ObjectType("Open", {}, open_=True).field("x") is not None
    assert ObjectType("Closed", {}).field("x") is None
