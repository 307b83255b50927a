from __future__ import annotations

import pytest

from cybernetes.wire import json


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "unexpected end of JSON input"),
        (b"{", "unexpected end of JSON input"),
        (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b"trux", "invalid character 'x' in literal true (expecting 'e')"),
        (b"1 2", "invalid character '2' after top-level value"),
        (b'"a\nb"', "invalid character '\\n' in string literal"),
        (b'"\\x"', "invalid character 'x' in string escape code"),
        (b'"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"),
        (b"-a", "invalid character 'a' in numeric literal"),
        (b"1.a", "invalid character 'a' after decimal point in numeric literal"),
        (b"[10.e0]", "invalid character 'e' after decimal point in numeric literal"),
        (b"1ea", "invalid character 'a' in exponent of numeric literal"),
        (b"'a'", "invalid character '\\'' looking for beginning of value"),
    ],
)
def test_what_is_no_json_is_told_in_the_words_of_go(body: bytes, message: str) -> None:
    with pytest.raises(json.SyntaxProblem) as caught:
        json.decode(body)
    assert str(caught.value) == message


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    assert json.decode(b'{"a":"\xff"}') == {"a": "\ufffd"}


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(json.SyntaxProblem):
        json.decode(b"[" * 200_000 + b"]" * 200_000)


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        (b'{"a":1,"b":{"a":1}}', []),
        (b'{"a":1,"a":2}', ["a"]),
        (b'{"a":{"b":1,"b":2},"l":[{},{"c":1,"c":2,"c":3}]}', ["a.b", "l[1].c"]),
        (b'{"a" : 1, "a" : 2}', ["a"]),
        (b'{"a":"x\\":","b":"\\":"}', []),
    ],
)
def test_repeated_fields(body: bytes, paths: list[str]) -> None:
    assert json.repeated_fields(body, json.decode(body)) == paths


@pytest.mark.parametrize("digits", [400, 5000])
def test_numbers_that_no_float_holds_are_refused_in_gos_words(digits: int) -> None:
    with pytest.raises(json.SyntaxProblem, match=r"cannot unmarshal number 1+ into Go value of type float64"):
        json.decode(b'{"n": %s}' % (b"1" * digits))


def test_numbers_beside_broken_text_are_as_large_as_elsewhere() -> None:
    ones = b"1" * 30
    assert json.decode(b'["\xff", %s, -7, 18446744073709551615]' % ones) == [
        "\ufffd",
        json.decode(ones),
        -7,
        2**64 - 1,
    ]
