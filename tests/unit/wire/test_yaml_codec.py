from __future__ import annotations

from typing import Any

import pytest

from cybernetes.wire import yaml
from cybernetes.wire.json import SyntaxProblem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("off", False),
        ("n", False),
        ("'yes'", "yes"),
        ("!!str yes", "yes"),
        ("~", None),
        ("", None),
        ("010", 8),
        ("0x1F", 31),
        ("0b11", 3),
        ("1_000", 1000),
        ("-5", -5),
        ("1.5", 1.5),
        ("1e3", 1000),
        ("18446744073709551615", 2**64 - 1),
        ("99999999999999999999", 1e20),
        ("-9223372036854775809", float(-(2**63))),
        ("1e999", "1e999"),
        ("1" * 400, "1" * 400),
        ("1" * 5000, "1" * 5000),
        ("0x" + "f" * 20, "0x" + "f" * 20),
        ("22:22", "22:22"),
        ("2026-01-02", "2026-01-02"),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("{a: [1, x]}", {"a": [1, "x"]}),
        ("{1: a, true: b}", {"1": "a", "true": "b"}),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"d": 2, "b": 1}}),
    ],
)
def test_scalars_and_maps_as_kubectl_reads_them(text: str, value: Any) -> None:
    assert yaml.decode(text.encode())[0] == value


def test_only_the_first_document_counts() -> None:
    assert yaml.decode(b"a: 1\n---\nb: 2\n")[0] == {"a": 1}


def test_repeated_keys_are_told_with_their_line() -> None:
    assert yaml.decode(b"a: 1\nb: 2\na: 3\n") == ({"a": 3, "b": 2}, ['line 3: key "a" already set in map'])


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for i in range(1, 12):
        lines.append(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]")
    with pytest.raises(SyntaxProblem, match="excessive aliasing"):
        yaml.decode("\n".join(lines).encode())


def test_a_map_that_contains_itself_is_refused() -> None:
    with pytest.raises(SyntaxProblem):
        yaml.decode(b"&a {b: *a}")


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\t- a", "{? [a] : b}"])
def test_what_is_no_yaml_is_told(text: str) -> None:
    with pytest.raises(SyntaxProblem, match="error converting YAML to JSON"):
        yaml.decode(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        '{"a":' * 50_000 + "1" + "}" * 50_000,
        "[" * 50_000,
        "- " * 50_000 + "x",
        "? " * 50_000 + "x",
        "".join(" " * n + "a:\n" for n in range(3000)),
        "".join("- " * (n % 2) + " " * n + "k:\n" for n in range(2000)),
        "a: " + "[" * 201 + "]" * 201,
        "a: &a [" + "[" * 300 + "]" * 300 + "]\nb: *a",
    ],
    ids=["json", "flow", "sequences", "keys", "mappings", "mixed", "just", "anchored"],
)
def test_what_is_too_deep_is_refused_before_it_is_built(text: str) -> None:
    with pytest.raises(SyntaxProblem):
        yaml.decode(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "b": [true, null, "x", "2001-01-01", "1_000", "yes"], "c": {"d": -7}}',
        '{"a": "\\u00e9\\n\\"", "big": 123456789012345678901234567890}',
        '{"kind": "Pod", "metadata": {"labels": {"y": "n", "on": "off"}}}',
        "{}",
    ],
)
def test_json_means_the_same_in_yaml(text: str) -> None:
    # A comment is YAML only.
    assert yaml.decode(text.encode()) == yaml.decode(f"{text} # comment".encode())


def test_deep_enough_is_not_too_deep() -> None:
    text = "a: " + "[" * 150 + "]" * 150
    assert yaml.decode(text.encode())[1] == []


@pytest.mark.parametrize(("tag", "text"), [("int", "foo"), ("int", "1.5"), ("float", "x"), ("float", "nan")])
def test_what_does_not_fit_its_tag_is_refused(tag: str, text: str) -> None:
    with pytest.raises(SyntaxProblem, match=f"cannot decode !!str `{text}` as a !!{tag}"):
        yaml.decode(f"a: !!{tag} {text}\n".encode())
