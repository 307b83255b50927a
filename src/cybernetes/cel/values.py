"""Values of expressions, and when two are equal.

bool, int, float, str, bytes, None, lists and dicts stand for themselves; objects are the dicts that they are decoded
from. Other values are of the classes here, or have an attribute `cel_type` with their opaque type.

source  cel-spec langdef.md "Values"
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cybernetes.cel import types
from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.types import Type

INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1
NANO = 10**9


class UInt(int):
    __slots__ = ()


class Timestamp(int):
    """Nanoseconds since 1970, from year 1 to 9999."""

    __slots__ = ()


class Duration(int):
    """Nanoseconds."""

    __slots__ = ()


class TypeValue(str):
    """The name of a type, as the value of type(x)."""

    __slots__ = ()


class Optional:
    """A value that may not be there; `value` only where `present`."""

    __slots__ = ("present", "value")
    cel_type = types.optional_of(types.DYN)

    def __init__(self, value: Any = None, *, present: bool = True) -> None:
        self.value = value
        self.present = present

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Optional) or self.present != other.present:
            return False
        return not self.present or equal(self.value, other.value)

    def __hash__(self) -> int:
        return hash((self.present, repr(self.value)))


NONE = Optional(present=False)


class ObjectValue(dict[str, Any]):
    """An object that an expression made: Name{…}."""

    __slots__ = ("name",)

    def __init__(self, name: str, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.name = name


class SetList(list[Any]):
    """A list whose order says nothing (x-kubernetes-list-type: set)."""

    __slots__ = ()

    def plus(self, other: list[Any]) -> SetList:
        return SetList([*self, *(each for each in other if not contains(self, each))])

    def same(self, other: list[Any]) -> bool:
        return len(self) == len(other) and all(contains(other, each) for each in self)


class MapList(list[Any]):
    """A list whose items are known by keys (x-kubernetes-list-type: map)."""

    __slots__ = ("keys",)

    def __init__(self, items: Iterable[Any], keys: tuple[str, ...]) -> None:
        super().__init__(items)
        self.keys = keys

    def plus(self, other: list[Any]) -> MapList:
        """Items of the other replace those with their keys, and stand behind all others if they are new."""
        merged = {self._key(each): each for each in self}
        merged.update((self._key(each), each) for each in other)
        return MapList(merged.values(), self.keys)

    def same(self, other: list[Any]) -> bool:
        if len(self) != len(other):
            return False
        known = {self._key(each): each for each in other}
        return all(self._key(each) in known and equal(each, known[self._key(each)]) for each in self)

    def _key(self, item: Any) -> tuple[str, ...]:
        return tuple(repr(item.get(name)) if isinstance(item, dict) else "" for name in self.keys)


MISSING = object()
_TYPES: dict[type, Type] = {
    bool: types.BOOL,
    int: types.INT,
    UInt: types.UINT,
    float: types.DOUBLE,
    str: types.STRING,
    bytes: types.BYTES,
    type(None): types.NULL,
    Timestamp: types.TIMESTAMP,
    Duration: types.DURATION,
    list: types.LIST_DYN,
    SetList: types.LIST_DYN,
    MapList: types.LIST_DYN,
    dict: types.MAP_DYN,
    TypeValue: types.TYPE,
}
_TYPE_NAMES = {"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration"}
_NUMBERS = frozenset((int, UInt, float))


def type_of(value: Any) -> Type:
    found = _TYPES.get(type(value))
    if found is not None:
        return found
    if isinstance(value, ObjectValue):
        return types.ObjectType(value.name, {})
    if isinstance(value, dict):
        return types.MAP_DYN
    kept: Type = value.cel_type
    return kept


def type_name(value: Any) -> TypeValue:
    found = type_of(value)
    return TypeValue(_TYPE_NAMES.get(found.name, found.name))


def equal(left: Any, right: Any) -> bool:
    """Numbers are equal across their types, everything else only within one."""
    kind, other = type(left), type(right)
    if kind is other:
        if kind is list:
            return len(left) == len(right) and all(map(equal, left, right))
        if kind is dict:
            return _same_entries(left, right)
        if kind is not SetList and kind is not MapList:
            return bool(left == right)
    elif kind in _NUMBERS and other in _NUMBERS:
        return float(left) == float(right) if float in (kind, other) else bool(left == right)
    if isinstance(left, list) and isinstance(right, list):
        if isinstance(left, SetList | MapList):
            return left.same(right)
        if isinstance(right, SetList | MapList):
            return right.same(left)
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return _same_entries(left, right)
    return False


def _same_entries(left: dict[Any, Any], right: dict[Any, Any]) -> bool:
    return len(left) == len(right) and all(
        (found := entry(right, key)) is not MISSING and equal(value, found) for key, value in left.items()
    )


def entry(entries: dict[Any, Any], key: Any) -> Any:
    """What stands under a key, or MISSING. Keys are of one kind; unlike in Python, true is no number."""
    if type(key) is str:
        return entries.get(key, MISSING)
    try:
        found = entries.get(key, MISSING)
    except TypeError:
        # Lists and maps are no keys.
        return MISSING
    if found is not MISSING and (type(key) is bool) != (type(next(iter(entries))) is bool):
        return MISSING
    return found


def contains(items: list[Any], wanted: Any) -> bool:
    if type(wanted) is str:
        return wanted in items
    return any(equal(each, wanted) for each in items)


def is_number(value: Any) -> bool:
    return type(value) in _NUMBERS


def checked_int(value: int) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("integer overflow")


def checked_uint(value: int) -> UInt:
    if 0 <= value <= UINT_MAX:
        return UInt(value)
    raise EvaluationError("unsigned integer overflow")


def checked_duration(value: int) -> Duration:
    if INT_MIN <= value <= INT_MAX:
        return Duration(value)
    raise EvaluationError("integer overflow")


# 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999999Z.
_TIME_MIN, _TIME_MAX = -62135596800 * NANO, 253402300800 * NANO - 1


def checked_timestamp(value: int) -> Timestamp:
    if _TIME_MIN <= value <= _TIME_MAX:
        return Timestamp(value)
    raise EvaluationError("timestamp overflow")
