"""Expressions against Google's own library (cel-expr-python), on what both know; and texts that are no expressions."""

from __future__ import annotations

from typing import Any

import pytest
from cel_expr_python import cel as oracle
from cel_expr_python.ext import ext_math, ext_optional, ext_strings
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cybernetes.cel import types
from cybernetes.cel.environment import Environment
from cybernetes.cel.errors import CelError, CompileError
from cybernetes.cel.estimate import estimate
from cybernetes.cel.types import list_of, map_of
from cybernetes.model.expressions.functions import FUNCTIONS

OURS = Environment(
    {
        "i": types.INT,
        "s": types.STRING,
        "any": types.DYN,
        "l": list_of(types.INT),
        "m": map_of(types.STRING, types.INT),
    },
    FUNCTIONS,
)
THEIRS = oracle.NewEnv(
    variables={
        "i": oracle.Type.INT,
        "s": oracle.Type.STRING,
        "any": oracle.Type.DYN,
        "l": oracle.Type.List(oracle.Type.INT),
        "m": oracle.Type.Map(oracle.Type.STRING, oracle.Type.INT),
    },
    extensions=[ext_strings.ExtStrings(), ext_math.ExtMath(), ext_optional.ExtOptional()],
)
VALUES: dict[str, Any] = {"i": 3, "s": "aé日", "any": {"a": [1, "x"], "b": 2.5}, "l": [3, 1, 2], "m": {"k": 1}}

INTS = st.sampled_from(["0", "1", "-2", "7", "i", "l[0]", "m.k", "s.size()", "9223372036854775807", "l[9]"])
TEXTS = st.sampled_from(["'a'", "''", "'é'", "s", "'abcabc'", "s.substring(1)", "string(i)"])
BOOLS = st.sampled_from(["true", "false", "'k' in m", "3 in l", "has(any.a)", "has(any.z)", "any.b > 2.0"])


def _ints(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["+", "-", "*", "/", "%"])
    return st.one_of(
        st.tuples(inner, operators, inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda t: f"-({t})"),
        inner.map(lambda t: f"[{t}, 5].map(x, x + 1)[0]"),
        inner.map(lambda t: f"l.filter(x, x > {t}).size()"),
        inner.map(lambda t: f"int(double({t}))"),
    )


INT = st.recursive(INTS, _ints, max_leaves=5)
TEXT = st.recursive(
    TEXTS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda t: f"({t[0]} + {t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"{t[0]}.replace({t[1]}, 'x')"),
        inner.map(lambda t: f"{t}.lowerAscii()"),
        inner.map(lambda t: f"{t}.split('b').join('-')"),
        st.tuples(inner, INT).map(lambda t: f"{t[0]}.substring({t[1]})"),
    ),
    max_leaves=4,
)
TEST = st.one_of(
    BOOLS,
    st.tuples(INT, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), INT).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    st.tuples(TEXT, st.sampled_from(["<", "==", "!="]), TEXT).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    st.tuples(TEXT, st.sampled_from(["contains", "startsWith", "endsWith"]), TEXT).map(
        lambda t: f"{t[0]}.{t[1]}({t[2]})"
    ),
    TEXT.map(lambda t: f"{t}.matches('^a+')"),
)
BOOL = st.recursive(
    TEST,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda t: f"!{t}" if t.startswith("(") else f"!({t})"),
        st.tuples(st.sampled_from(["all", "exists", "exists_one"]), inner).map(
            lambda t: f"l.{t[0]}(x, x > 1 && {t[1]})"
        ),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} ? {t[1]} : {t[2]})"),
    ),
    max_leaves=4,
)
EXPRESSION = st.one_of(INT, TEXT, BOOL)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(EXPRESSION)
@example("any.a[1] == 'x' && any.b == 2.5")
@example("'%s %d'.format([dyn(s), dyn(i)])")
@example("any.?z.orValue(1) == 1")
def test_results_are_those_of_the_oracle(text: str) -> None:
    assert ours(text) == theirs(text)


def ours(text: str) -> Any:
    program = OURS.compile(text)
    try:
        return program.evaluate(VALUES)[0]
    except CelError:
        return "failed"


def theirs(text: str) -> Any:
    result = THEIRS.compile(text).eval(data=VALUES)
    return "failed" if result.type() == oracle.Type.ERROR else result.plain_value()


PIECES = st.sampled_from(
    ["i", "s", "any", "l", "1", "'a'", "1.5", "2u", "true", "null", "(", ")", "[", "]", "{", "}", ".", ",", ":", "?", "+", "-", "!", "*",
     "&&", "||", "==", "<", "in", "all", "map", "has", "size", "x", "b'\\xff'", "\"", "'", "`", "\\", "=", "&", "//", "\n", "é", "\x00"]
)  # fmt: skip


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.one_of(
        st.lists(PIECES, max_size=14).map(" ".join), st.lists(PIECES, max_size=14).map("".join), st.text(max_size=30)
    )
)
def test_no_text_does_more_harm_than_being_refused(text: str) -> None:
    try:
        program = OURS.compile(text)
    except CompileError as refused:
        assert str(refused).startswith("ERROR: <input>:")
        return
    try:
        program.evaluate(VALUES)
    except CelError as failed:
        assert str(failed)


NAMES = st.sampled_from(sorted(each.function for each in FUNCTIONS.all() if each.function[0].isalpha()))
EDGES = st.sampled_from(
    ["0", "-1", "9223372036854775807", "0u", "-0.0", "double('inf')", "double('NaN')", "1e308", "''", "'é日'", "'\\x00'", "'%s'", "'('",
     "b'\\xff'", "null", "true", "[]", "[dyn(1), dyn('a'), dyn(null)]", "{}", "{true: 1}", "timestamp('9999-12-31T23:59:59Z')",
     "timestamp('0001-01-01T00:00:00Z')", "duration('-1ns')", "optional.none()", "int", "quantity('1Ei')", "semver('1.0.0')",
     "ip('::1')", "cidr('0.0.0.0/0')", "url('http://a')"]
).map("dyn({})".format)  # fmt: skip


@settings(max_examples=600, deadline=None, derandomize=True)
@given(
    NAMES,
    st.lists(EDGES, min_size=1, max_size=3),
    st.sampled_from(["{0}({1})", "{2}.{0}({3})", "{2}[{4}]", "{2}[?{4}]"]),
)
@example("", ["dyn([])", "dyn(double('inf'))"], "{2}[{4}]")
@example("base64.decode", ["dyn('é')"], "{0}({1})")
def test_no_value_does_more_harm_than_failing(name: str, values: list[str], form: str) -> None:
    text = form.format(name, ", ".join(values), values[0], ", ".join(values[1:]), values[-1])
    try:
        OURS.compile(text).evaluate(VALUES)
    except CelError as failed:
        assert str(failed)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(EXPRESSION, st.integers(0, 200))
def test_costs_stay_below_the_limit_and_below_the_estimate(text: str, limit: int) -> None:
    program = OURS.compile(text)
    try:
        _, cost = program.evaluate(VALUES, limit)
    except CelError:
        return
    assert cost <= limit
    # Fields of what has no type are charged when they are read, and are not in the reference's estimate.
    assert "any" in text or cost <= estimate(program.tree).most


# What both parsers, made from one grammar, say first of a text; theirs goes on behind the first error.
WRONG = [
    "any.", "a b", "1 +", "(1", "[1, 2", "{1:2", "f(", "f(1,", "1 + + 2", "any..a", "a[", "a[1", "a ? b", "a ? b :", "a ==",
    "'abc", "a & b", "a = b", "any.'x'", "{'a' 1}", "[1 2]", "f(1 2)", "if", "Foo{a 1}", "#", "1 2 3", "a ? b c", ")", "a)", "]",
    "99999999999999999999", "1e", "a?.b", "!!!a b", "a ||", "a && && b", "0x", "1.", "a.b.c(1)(2)", "a.true", "in", "a.b{",
    "a.b(1", "i + s", "s.foo()", "nope(1)", "s < 1", "'a' in i", "[1].map(x, y)", "1u + 1", "any.all(x, y)", "size(1)",
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_told_as_by_the_oracle(text: str) -> None:
    with pytest.raises(CompileError) as ours_said:
        OURS.compile(text)
    with pytest.raises(RuntimeError) as theirs_said:
        THEIRS.compile(text)
    first = str(ours_said.value).split("\nERROR")[0]
    theirs = str(theirs_said.value).removeprefix("INVALID_ARGUMENT: ").removesuffix(" [INVALID_ARGUMENT]")
    assert theirs.split("\nERROR")[0] == first
