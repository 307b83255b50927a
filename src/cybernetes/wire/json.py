"""JSON bodies: parsing, repeated fields, and Go's words for what is no JSON."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

# Everything that walks a body does so by recursion, and orjson writes no more than 254 levels.
MAX_DEPTH = 200


class SyntaxProblem(ValueError):
    """The text is no JSON; the message is what Go's decoder says."""


def decode(body: bytes) -> Any:
    """The value of a JSON text.

    raises  SyntaxProblem
    """
    lenient = False
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = syntax_error(body)
        if message is not None:
            raise SyntaxProblem(message) from error
        # Go replaces what is no UTF-8, and lone surrogates, which orjson refuses.
        value, lenient = json.loads(body.decode("utf-8", "replace"), parse_int=_integer), True
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and deeper(value, MAX_DEPTH):
        raise SyntaxProblem("exceeded max depth")
    return _whole_characters(value) if lenient else value


def _integer(text: str) -> int | float:
    """As orjson and Go have it: what 64 bits don't hold is a float, and what no float holds is refused."""
    near = float(text)
    if math.isinf(near):
        raise SyntaxProblem(f"json: cannot unmarshal number {text} into Go value of type float64")
    number = int(text)
    return number if -(2**63) <= number < 2**64 else near


# Enough digits in an exponent for a number that no float holds.
_EXPONENT = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?[eE]\+?[0-9]{2,}")


def check_finite(body: bytes, value: Any) -> None:
    """For places that take any number: raises SyntaxProblem, in Go's words, for one that no float holds."""
    large = next((each for each in _EXPONENT.findall(body) if math.isinf(float(each))), None)
    if large is not None and _has_infinity(value):
        raise SyntaxProblem(f"json: cannot unmarshal number {large.decode()} into Go value of type float64")


def _has_infinity(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_infinity, value.values()))
    if isinstance(value, list):
        return any(map(_has_infinity, value))
    return isinstance(value, float) and math.isinf(value)


_SURROGATE = re.compile("[\ud800-\udfff]")


def _whole_characters(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_whole_characters(key): _whole_characters(each) for key, each in value.items()}
    return [_whole_characters(each) for each in value] if isinstance(value, list) else value


def deeper(value: Any, limit: int) -> bool:
    """Whether a value has more levels than `limit`."""
    level = [value]
    for _ in range(limit):
        inner: list[Any] = []
        for each in level:
            found = each.values() if isinstance(each, dict) else each
            inner += [one for one in found if isinstance(one, dict | list)]
        if not inner:
            return False
        level = inner
    return True


def repeated_fields(body: bytes, value: Any) -> list[str]:
    """Paths of fields that occur more than once in one object: `spec.replicas`, `spec.containers[0].name`.

    The value is what `decode` gave: a cheap count rules out repetition first.
    """
    if b'" :' not in body and body.count(b'":') == orjson.dumps(value).count(b'":'):
        return []
    found: list[str] = []
    _Repetitions(found).visit(json.loads(body.decode("utf-8", "replace"), object_pairs_hook=_Pairs), "")
    return found


def field_paths(body: bytes) -> list[str]:
    """Paths of all fields in the order of the text, repeated ones each time: for what must be told in that order."""
    paths: list[str] = []
    _list_paths(json.loads(body.decode("utf-8", "replace"), object_pairs_hook=_Pairs), "", paths)
    return paths


def _list_paths(value: Any, path: str, paths: list[str]) -> None:
    if isinstance(value, _Pairs):
        for key, inner in value:
            here = f"{path}.{key}" if path else key
            paths.append(here)
            _list_paths(inner, here, paths)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            _list_paths(inner, f"{path}[{i}]", paths)


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, in the order of the text."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__((_whole_characters(key), value) for key, value in pairs)


class _Repetitions:
    def __init__(self, found: list[str]) -> None:
        self.found = found

    def visit(self, value: Any, path: str) -> None:
        if isinstance(value, _Pairs):
            seen: set[str] = set()
            for key, inner in value:
                here = f"{path}.{key}" if path else key
                if key in seen and here not in self.found:
                    self.found.append(here)
                seen.add(key)
                self.visit(inner, here)
        elif isinstance(value, list):
            for i, inner in enumerate(value):
                self.visit(inner, f"{path}[{i}]")


_SPACE = b" \t\r\n"
_STRING_STOP = re.compile(rb'["\\\x00-\x1f]')
_NUMBER = re.compile(rb"-?(0|[1-9][0-9]*)?(\.[0-9]*)?([eE][-+]?[0-9]*)?")
_END = "unexpected end of JSON input"


def syntax_error(body: bytes) -> str | None:
    """What encoding/json says of a text that is no JSON; None when it finds nothing wrong."""
    try:
        at = _skip(body, _value(body, _skip(body, 0)))
    except SyntaxProblem as problem:
        return str(problem)
    except RecursionError:
        return "exceeded max depth"
    return _invalid(body, at, "after top-level value") if at < len(body) else None


def _invalid(body: bytes, at: int, context: str) -> str:
    if at >= len(body):
        return _END
    char = chr(body[at])
    shown = {"'": r"'\''", '"': "'\"'"}.get(char) or ("'" + (char if 0x20 <= body[at] < 0x7F else _escaped(char)) + "'")
    return f"invalid character {shown} {context}"


def _escaped(char: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", "\v": "\\v", "\a": "\\a"}
    if char in named:
        return named[char]
    if char.isprintable():
        return char
    return f"\\x{ord(char):02x}" if ord(char) < 0x80 else f"\\u{ord(char):04x}"


def _skip(body: bytes, at: int) -> int:
    while at < len(body) and body[at] in _SPACE:
        at += 1
    return at


def _value(body: bytes, at: int) -> int:
    if at >= len(body):
        raise SyntaxProblem(_END)
    first = body[at : at + 1]
    if first == b"{":
        return _object(body, at + 1)
    if first == b"[":
        return _array(body, at + 1)
    if first == b'"':
        return _text(body, at + 1)
    if first in b"-0123456789":
        return _numeral(body, at)
    for word in (b"true", b"false", b"null"):
        if first == word[:1]:
            return _word(body, at, word)
    raise SyntaxProblem(_invalid(body, at, "looking for beginning of value"))


def _object(body: bytes, at: int) -> int:
    at = _skip(body, at)
    if body[at : at + 1] == b"}":
        return at + 1
    while True:
        at = _skip(body, at)
        if body[at : at + 1] != b'"':
            raise SyntaxProblem(_invalid(body, at, "looking for beginning of object key string"))
        at = _skip(body, _text(body, at + 1))
        if body[at : at + 1] != b":":
            raise SyntaxProblem(_invalid(body, at, "after object key"))
        at = _skip(body, _value(body, _skip(body, at + 1)))
        if body[at : at + 1] == b"}":
            return at + 1
        if body[at : at + 1] != b",":
            raise SyntaxProblem(_invalid(body, at, "after object key:value pair"))
        at += 1


def _array(body: bytes, at: int) -> int:
    at = _skip(body, at)
    if body[at : at + 1] == b"]":
        return at + 1
    while True:
        at = _skip(body, _value(body, _skip(body, at)))
        if body[at : at + 1] == b"]":
            return at + 1
        if body[at : at + 1] != b",":
            raise SyntaxProblem(_invalid(body, at, "after array element"))
        at += 1


def _text(body: bytes, at: int) -> int:
    while True:
        stop = _STRING_STOP.search(body, at)
        if stop is None:
            raise SyntaxProblem(_END)
        at = stop.end()
        if stop[0] == b'"':
            return at
        if stop[0] != b"\\":
            raise SyntaxProblem(_invalid(body, at - 1, "in string literal"))
        escape = body[at : at + 1]
        if escape == b"u":
            for _ in range(4):
                at += 1
                if body[at : at + 1] not in (*(bytes([c]) for c in b"0123456789abcdefABCDEF"),):
                    raise SyntaxProblem(_invalid(body, at, "in \\u hexadecimal character escape"))
        elif not escape or escape not in b'"\\/bfnrt':
            raise SyntaxProblem(_invalid(body, at, "in string escape code"))
        at += 1


def _numeral(body: bytes, at: int) -> int:
    found = _NUMBER.match(body, at)
    end = found.end() if found is not None else at
    whole, fraction, exponent = (found[1], found[2], found[3]) if found is not None else (None, None, None)
    if whole is None:
        raise SyntaxProblem(_invalid(body, at + 1, "in numeric literal"))
    if found is not None and fraction == b".":
        raise SyntaxProblem(_invalid(body, found.end(2), "after decimal point in numeric literal"))
    if exponent is not None and not exponent[-1:].isdigit():
        raise SyntaxProblem(_invalid(body, end, "in exponent of numeric literal"))
    return end


def _word(body: bytes, at: int, word: bytes) -> int:
    for i in range(1, len(word)):
        if body[at + i : at + i + 1] != word[i : i + 1]:
            context = f"in literal {word.decode()} (expecting {chr(word[i])!r})"
            raise SyntaxProblem(_invalid(body, at + i, context))
    return at + len(word)
