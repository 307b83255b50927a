"""JSON that other parsers refuse, read as Go reads it."""

from __future__ import annotations

import pytest

from cybernetes.wire import json as json_codec


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'"\\ud800"', "\ufffd"),
        (b'{"\\udc00": ["a\\ud800b"]}', {"\ufffd": ["a\ufffdb"]}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\xff"', "\ufffd"),
    ],
)
def test_broken_characters_are_replaced(body: bytes, value: object) -> None:
    assert json_codec.decode(body) == value


def test_repeated_fields_are_told_in_whole_characters() -> None:
    body = b'{"\\ud800":1,"\\ud800":2}'
    assert json_codec.repeated_fields(body, json_codec.decode(body)) == ["\ufffd"]


def test_deep_texts_are_refused_whatever_else_is_wrong_with_them() -> None:
    with pytest.raises(json_codec.SyntaxProblem):
        json_codec.decode(b"[" * 900 + b'"\\ud800"' + b"]" * 900)
