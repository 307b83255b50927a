"""Texts, by code points.

source  cel-go ext "Strings", version 2
"""

from __future__ import annotations

import string
from typing import Any

from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.functions import Overload, function, method
from cybernetes.cel.library.formatting import formatted
from cybernetes.cel.types import DYN, INT, STRING, list_of

_TEXTS = list_of(STRING)
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)
# What Unicode calls White_Space, as the reference trims.
_SPACE = "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_ESCAPES = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"',
}  # fmt: skip


def overloads() -> list[Overload]:
    text, two = [STRING], [STRING, STRING]
    return [
        method("charAt", "string_char_at_int", [STRING, INT], STRING, _char_at),
        method("indexOf", "string_index_of_string", two, INT, _index_of),
        method("indexOf", "string_index_of_string_int", [*two, INT], INT, _index_of),
        method("lastIndexOf", "string_last_index_of_string", two, INT, _last_index_of),
        method("lastIndexOf", "string_last_index_of_string_int", [*two, INT], INT, _last_index_of),
        method("lowerAscii", "string_lower_ascii", text, STRING, lambda value: value.translate(_LOWER)),
        method("upperAscii", "string_upper_ascii", text, STRING, lambda value: value.translate(_UPPER)),
        method("replace", "string_replace_string_string", [*two, STRING], STRING, str.replace),
        method("replace", "string_replace_string_string_int", [*two, STRING, INT], STRING, str.replace),
        method("split", "string_split_string", two, _TEXTS, _split),
        method("split", "string_split_string_int", [*two, INT], _TEXTS, _split),
        method("substring", "string_substring_int", [STRING, INT], STRING, _substring),
        method("substring", "string_substring_int_int", [STRING, INT, INT], STRING, _substring),
        method("trim", "string_trim", text, STRING, lambda value: value.strip(_SPACE)),
        method("join", "list_join", [_TEXTS], STRING, _join),
        method("join", "list_join_string", [_TEXTS, STRING], STRING, _join),
        method("format", "string_format", [STRING, list_of(DYN)], STRING, formatted),
        function("strings.quote", "strings_quote", text, STRING, _quote),
    ]


def _char_at(text: str, at: int) -> str:
    if not 0 <= at <= len(text):
        raise EvaluationError(f"index out of range: {at}")
    return text[at : at + 1]


def _index_of(text: str, part: str, start: int = 0) -> int:
    if part == "" and start <= len(text):
        return max(0, start)
    if start < 0:
        raise EvaluationError(f"index out of range: {start}")
    return text.find(part, start)


def _last_index_of(text: str, part: str, last: int | None = None) -> int:
    if last is not None and last < 0:
        raise EvaluationError(f"index out of range: {last}")
    if part == "":
        return len(text) if last is None else last
    end = len(text) if last is None else last + len(part)
    return text.rfind(part, 0, end)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if limit == 1:
        return [text]
    if separator:
        return text.split(separator, limit - 1 if limit > 0 else -1)
    parts = list(text)
    if 0 < limit < len(parts):
        parts[limit - 1 :] = ["".join(parts[limit - 1 :])]
    return parts


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    if not 0 <= stop <= len(text):
        raise EvaluationError(f"index out of range: {stop}")
    if start > stop:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {stop}")
    return text[start:stop]


def _join(items: list[Any], separator: str = "") -> str:
    if not all(isinstance(each, str) for each in items):
        raise EvaluationError("no such overload")
    return separator.join(items)


def _quote(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(each, each) for each in text) + '"'
