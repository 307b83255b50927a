"""Semantic versions.

source  Kubernetes documentation "Common Expression Language in Kubernetes": semver library, version 1; semver.org 2.0.0
"""

from __future__ import annotations

import re
from typing import Any

from cybernetes.base.number import whole
from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.functions import Overload, function, method, predicate
from cybernetes.cel.types import BOOL, INT, STRING, opaque
from cybernetes.cel.values import UINT_MAX

SEMVER = opaque("kubernetes.Semver")
_SHAPE = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?\Z",
    re.ASCII,
)


class Semver:
    """numbers: major, minor, patch; order: what versions are compared by, builds make no difference."""

    __slots__ = ("numbers", "order")
    cel_type = SEMVER

    def __init__(self, numbers: tuple[int, int, int], prerelease: str) -> None:
        self.numbers = numbers
        parts = [(0, _uint(each), "") if each.isdigit() else (1, 0, each) for each in prerelease.split(".") if each]
        self.order: tuple[Any, ...] = (*numbers, not parts, parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Semver) and self.order == other.order

    def __hash__(self) -> int:
        return hash(self.numbers)


def overloads() -> list[Overload]:
    two = [SEMVER, SEMVER]
    return [
        function("semver", "string_to_semver", [STRING], SEMVER, semver),
        function("semver", "string_bool_to_semver", [STRING, BOOL], SEMVER, semver),
        function("isSemver", "is_semver_string", [STRING], BOOL, predicate(semver)),
        function("isSemver", "is_semver_string_bool", [STRING, BOOL], BOOL, _is_semver),
        method("isGreaterThan", "semver_is_greater_than", two, BOOL, lambda a, b: a.order > b.order),
        method("isLessThan", "semver_is_less_than", two, BOOL, lambda a, b: a.order < b.order),
        method("compareTo", "semver_compare_to", two, INT, lambda a, b: (a.order > b.order) - (a.order < b.order)),
        *(
            method(name, f"semver_{name}", [SEMVER], INT, _number(i))
            for i, name in enumerate(("major", "minor", "patch"))
        ),
    ]


def semver(text: str, normalize: bool = False) -> Semver:
    """normalize: whether a leading v, leading zeros and missing numbers are put right. Raises EvaluationError."""
    found = _SHAPE.match(_normalized(text) if normalize else text)
    if found is None:
        raise EvaluationError(
            f"No Major.Minor.Patch elements found: {text}"
            if text.count(".") < 2
            else f"Invalid character(s) found in version {text!r}"
        )
    return Semver((_uint(found[1]), _uint(found[2]), _uint(found[3])), found[4] or "")


def _uint(text: str) -> int:
    value = whole(text, 20)
    if value is None or value > UINT_MAX:
        raise EvaluationError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return value


def _is_semver(text: str, normalize: bool) -> bool:
    try:
        semver(text, normalize)
    except EvaluationError:
        return False
    return True


def _normalized(text: str) -> str:
    text = text.removeprefix("v")
    cut = next((i for i, each in enumerate(text) if each in "-+"), len(text))
    numbers = [each.lstrip("0") or "0" if each else each for each in text[:cut].split(".")]
    if cut == len(text):
        numbers += ["0"] * (3 - len(numbers))
    return ".".join(numbers) + text[cut:]


def _number(i: int) -> Any:
    return lambda value: value.numbers[i]
