"""Selectors: of labels, as text (`app in (a,b),!debug`) and as LabelSelector objects; of fields, as text.

A parsed selector is a tuple of requirements, all of which must hold; `matcher` makes one callable of them.

source  Kubernetes documentation "Labels and Selectors", "Field Selectors"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal

import msgspec

from cybernetes.base.errors import ApiError, bad_request
from cybernetes.model.field import Path, invalid
from cybernetes.model.validation import names

Operator = Literal["in", "notin", "exists", "!", ">", "<"]
Labels = Mapping[str, str]
Matcher = Callable[[Labels], bool]
_INT64 = re.compile(r"[+-]?[0-9]+\Z")
_FROM_OBJECT: dict[str, Operator] = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


class Requirement(msgspec.Struct, frozen=True, gc=False):
    """One condition on one label; `values` are sorted and differ. A label that is absent satisfies notin and `!`."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> bool:
        value = labels.get(self.key)
        if self.operator == "in":
            return value is not None and value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        if value is None or not _INT64.match(value):
            return False
        bound = int(self.values[0])
        return int(value) > bound if self.operator == ">" else int(value) < bound

    def __str__(self) -> str:
        if self.operator == "exists":
            return self.key
        if self.operator == "!":
            return "!" + self.key
        if self.operator in "<>":
            return self.key + self.operator + self.values[0]
        if self.values == ("",):
            # Between brackets it would be no value at all.
            return self.key + ("=" if self.operator == "in" else "!=")
        return f"{self.key} {self.operator} ({','.join(self.values)})"


Requirements = tuple[Requirement, ...]


def render(requirements: Requirements) -> str:
    """The selector as text that `parse_labels` reads again."""
    return ",".join(str(each) for each in requirements)


def matcher(requirements: Requirements | None) -> Matcher:
    """Whether labels satisfy all requirements; None (a selector that is not there) matches nothing."""
    if requirements is None:
        return lambda labels: False
    if not requirements:
        return lambda labels: True
    if all(each.operator == "in" and len(each.values) == 1 for each in requirements):
        pairs = tuple((each.key, each.values[0]) for each in requirements)
        return lambda labels: all(labels.get(key) == value for key, value in pairs)
    tests = tuple(each.matches for each in requirements)
    return lambda labels: all(test(labels) for test in tests)


def from_labels(labels: Labels) -> Requirements:
    """The selector of exactly these labels: a Service's, a ReplicationController's."""
    return tuple(Requirement(key, "in", (labels[key],)) for key in sorted(labels))


def from_object(selector: Mapping[str, Any] | None) -> Requirements | None:
    """Of a metav1.LabelSelector: an empty one matches everything, None nothing.

    raises  ValueError for an operator that does not exist, which validation has refused before
    """
    if selector is None:
        return None
    found = list(from_labels(selector.get("matchLabels") or {}))
    for each in selector.get("matchExpressions") or ():
        operator = _FROM_OBJECT.get(each["operator"])
        if operator is None:
            raise ValueError(f'"{each["operator"]}" is not a valid label selector operator')
        found.append(Requirement(each["key"], operator, tuple(sorted(set(each.get("values") or ())))))
    return tuple(found)


@lru_cache(maxsize=1024)
def parse_labels(text: str) -> Requirements:
    """The requirements in a query's labelSelector, sorted by key.

    raises  ApiError 400 with the words of the reference
    """
    try:
        return tuple(sorted(_Parser(text).parse(), key=lambda each: each.key))
    except _Unparsable as error:
        raise bad_request(str(error)) from error


class _Unparsable(ValueError):
    pass


_SYMBOLS = {")", "(", ",", "!", "=", "==", "!=", ">", "<"}
_TOKEN = re.compile(r"[ \t\r\n]*(==|!=|[=!<>(),]|[^ \t\r\n=!<>(),]+|\Z)")
_END, _IDENTIFIER = "", "identifier"
_BINARY = "in, notin, =, ==, !=, gt, lt"


class _Parser:
    """The grammar of label selectors. A token is (kind, text); words `in` and `notin` are operators after a key only."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or not found[1]:
                break
            word = found[1]
            self.tokens.append((word if word in _SYMBOLS else _IDENTIFIER, word))
            at = found.end()
        self.at = 0

    def parse(self) -> list[Requirement]:
        found: list[Requirement] = []
        while True:
            kind, text = self._peek()
            if kind == _END:
                return found
            if kind not in (_IDENTIFIER, "!"):
                raise _Unparsable(f"found '{text}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self._requirement())
            except _Unparsable as error:
                raise _Unparsable(f"unable to parse requirement: {error}") from error
            kind, text = self._take()
            if kind == _END:
                return found
            if kind != ",":
                raise _Unparsable(f"found '{text}', expected: ',' or 'end of string'")
            kind, text = self._peek()
            if kind not in (_IDENTIFIER, "!"):
                raise _Unparsable(f"found '{text}', expected: identifier after ','")

    def _peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else (_END, "")

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        self.at += 1
        return token

    def _requirement(self) -> Requirement:
        absent = self._peek()[0] == "!"
        if absent:
            self._take()
        kind, key = self._take()
        if kind != _IDENTIFIER:
            raise _Unparsable(f"found '{key}', expected: identifier")
        _check(names.qualified_name(key), Path(), key)
        if absent:
            return Requirement(key, "!")
        if self._peek()[0] in (_END, ","):
            return Requirement(key, "exists")
        kind, word = self._take()
        operator = word if kind == _IDENTIFIER else kind
        if operator in ("in", "notin"):
            return self._with_values(key, "in" if operator == "in" else "notin", self._values())
        if operator in ("=", "=="):
            return self._with_values(key, "in", [self._value()])
        if operator == "!=":
            return self._with_values(key, "notin", [self._value()])
        if operator == ">" or operator == "<":
            return self._bounded(key, ">" if operator == ">" else "<", self._value())
        raise _Unparsable(f"found '{word}', expected: {_BINARY}")

    def _with_values(self, key: str, operator: Operator, values: list[str]) -> Requirement:
        if not values:
            detail = "for 'in', 'notin' operators, values set can't be empty"
            raise _Unparsable(_shown(Path("values"), [], detail))
        for i, each in enumerate(values):
            _check(names.label_value(each), Path("values").index(i).key(key), each)
        return Requirement(key, operator, tuple(sorted(set(values))))

    def _bounded(self, key: str, operator: Operator, value: str) -> Requirement:
        if not _INT64.match(value):
            detail = "for 'Gt', 'Lt' operators, the value must be an integer"
            raise _Unparsable(_shown(Path("values").index(0), value, detail))
        return Requirement(key, operator, (value,))

    def _value(self) -> str:
        kind, _ = self._peek()
        if kind in (_END, ","):
            return ""
        kind, text = self._take()
        if kind != _IDENTIFIER:
            raise _Unparsable(f"found '{text}', expected: identifier")
        return text

    def _values(self) -> list[str]:
        kind, text = self._take()
        if kind != "(":
            raise _Unparsable(f"found '{text}' expected: '('")
        kind, text = self._peek()
        if kind == ")":
            self._take()
            return []
        if kind not in (_IDENTIFIER, ","):
            raise _Unparsable(f"found '{text}', expected: ',', ')' or identifier")
        values = self._listed()
        kind, text = self._take()
        if kind != ")":
            raise _Unparsable(f"found '{text}', expected: ')'")
        return values

    def _listed(self) -> list[str]:
        """Identifiers between commas, up to the closing bracket; nothing between two of them is the empty value."""
        values: list[str] = []
        while True:
            kind, text = self._take()
            if kind == _IDENTIFIER:
                values.append(text)
                kind, text = self._peek()
                if kind == ")":
                    return values
                if kind != ",":
                    raise _Unparsable(f"found '{text}', expected: ',' or ')'")
            elif kind == ",":
                if not values:
                    values.append("")
                following = self._peek()[0]
                if following == ")":
                    values.append("")
                    return values
                if following == ",":
                    self._take()
                    values.append("")
            else:
                raise _Unparsable(f"found '{text}', expected: ',', or identifier")


def _shown(path: Path, value: Any, detail: str) -> str:
    error = invalid(path, value, detail)
    return f"{error.field}: {error.body}"


def _check(problems: list[str], path: Path, value: str) -> None:
    if problems:
        raise _Unparsable(_shown(path, value, "; ".join(problems)))


class FieldTerm(msgspec.Struct, frozen=True, gc=False):
    """`field=value`, or `field!=value` where `equal` is False."""

    field: str
    value: str
    equal: bool = True

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
        return f"{self.field}{'=' if self.equal else '!='}{escaped}"


@lru_cache(maxsize=1024)
def parse_fields(text: str) -> tuple[FieldTerm, ...]:
    """The terms in a query's fieldSelector; which fields exist is the resource's to say.

    raises  ApiError 400
    """
    return tuple(_field_term(text, part) for part in _unescaped_parts(text) if part)


def fields_match(terms: tuple[FieldTerm, ...], value_of: Callable[[str], str]) -> bool:
    return all((value_of(each.field) == each.value) == each.equal for each in terms)


def _unescaped_parts(text: str) -> list[str]:
    parts, start, at = [], 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == ",":
            parts.append(text[start:at])
            start = at + 1
        at += 1
    parts.append(text[start:])
    return parts


def _field_term(text: str, part: str) -> FieldTerm:
    at = 0
    while at < len(part):
        if part[at] == "\\":
            at += 2
            continue
        for operator in ("!=", "==", "="):
            if part.startswith(operator, at):
                value = _unescaped(part[at + len(operator) :])
                return FieldTerm(part[:at], value, operator != "!=")
        at += 1
    raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")


def _unescaped(value: str) -> str:
    out, at = [], 0
    while at < len(value):
        char = value[at]
        if char == "\\":
            at += 1
            if value[at : at + 1] not in ("\\", ",", "="):
                raise _bad_field(f"invalid escape sequence: {value[at - 1 : at + 1]}")
            char = value[at]
        elif char in ",=":
            # The reference prints the character's number.
            raise _bad_field(f"unescaped character in value: {ord(char)}")
        out.append(char)
        at += 1
    return "".join(out)


def _bad_field(why: str) -> ApiError:
    return bad_request(f"invalid field selector: {why}")
