"""Lists and sets.

source  Kubernetes documentation "Common Expression Language in Kubernetes", list library; cel-go ext "Lists" version 3
and "Sets"
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.functions import Overload, function, method
from cybernetes.cel.types import BOOL, BYTES, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, UINT, Type, list_of, param
from cybernetes.cel.values import (
    Duration,
    UInt,
    checked_duration,
    checked_int,
    checked_uint,
    contains,
    equal,
    is_number,
)

_SUMMABLE = {"int": INT, "uint": UINT, "double": DOUBLE, "duration": DURATION}
_ORDERED = {**_SUMMABLE, "bool": BOOL, "string": STRING, "bytes": BYTES, "timestamp": TIMESTAMP}
_T = param("T")
_LIST = list_of(_T)
# Items that lists.range may make.
RANGE_MAX = 1_000_000


def overloads() -> list[Overload]:
    return [*_kubernetes(), *_extension(), *_sets()]


def _kubernetes() -> list[Overload]:
    out = [method("sum", f"list_{name}_sum", [list_of(item)], item, _sum(item)) for name, item in _SUMMABLE.items()]
    for name, item in _ORDERED.items():
        out += [
            method("isSorted", f"list_{name}_is_sorted_bool", [list_of(item)], BOOL, _is_sorted),
            method("min", f"list_{name}_min_self", [list_of(item)], item, _extreme("min", min)),
            method("max", f"list_{name}_max_self", [list_of(item)], item, _extreme("max", max)),
        ]
    out += [
        method("indexOf", "list_a_index_of_int", [_LIST, _T], INT, _index_of),
        method("lastIndexOf", "list_a_last_index_of_int", [_LIST, _T], INT, _last_index_of),
    ]
    return out


def _sum(item: Type) -> Callable[[list[Any]], Any]:
    empty: Any = {"double": 0.0, "uint": UInt(0), "duration": Duration(0)}.get(item.name, 0)

    def total(items: list[Any]) -> Any:
        if not items:
            return empty
        kinds = {type(each) for each in items}
        if kinds == {float}:
            return sum(items)
        for kind, checked in ((int, checked_int), (UInt, checked_uint), (Duration, checked_duration)):
            if kinds == {kind}:
                return checked(sum(int(each) for each in items))
        raise EvaluationError("no such overload")

    return total


def _comparable(items: list[Any]) -> list[Any]:
    kinds = {type(each) for each in items}
    if len(kinds) > 1 and not all(is_number(each) for each in items):
        raise EvaluationError("no such overload")
    if kinds & {list, dict, type(None)}:
        raise EvaluationError("no such overload")
    return items


def _is_sorted(items: list[Any]) -> bool:
    return all(a <= b for a, b in itertools.pairwise(_comparable(items)))


def _extreme(name: str, choose: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    def chosen(items: list[Any]) -> Any:
        if not items:
            raise EvaluationError(f"{name} called on empty list")
        return choose(_comparable(items))

    return chosen


def _index_of(items: list[Any], wanted: Any) -> int:
    return next((i for i, each in enumerate(items) if equal(each, wanted)), -1)


def _last_index_of(items: list[Any], wanted: Any) -> int:
    return next((i for i in range(len(items) - 1, -1, -1) if equal(items[i], wanted)), -1)


def _extension() -> list[Overload]:
    return [
        method("slice", "list_slice", [_LIST, INT, INT], _LIST, _slice),
        method("flatten", "list_flatten", [list_of(_LIST)], _LIST, _flatten),
        method("flatten", "list_flatten_int", [list_of(DYN), INT], list_of(DYN), _flatten),
        method("distinct", "list_distinct", [_LIST], _LIST, _distinct),
        method("reverse", "list_reverse", [_LIST], _LIST, lambda items: items[::-1]),
        function("lists.range", "lists_range", [INT], list_of(INT), _range),
        *(
            method(
                "sort", f"list_{name}_sort", [list_of(item)], list_of(item), lambda items: sorted(_comparable(items))
            )
            for name, item in _ORDERED.items()
        ),
        *(
            method(
                "@sortByAssociatedKeys", f"list_{name}_sortByAssociatedKeys", [_LIST, list_of(item)], _LIST, _sorted_by
            )
            for name, item in _ORDERED.items()
        ),
    ]


def _slice(items: list[Any], start: int, end: int) -> list[Any]:
    if start < 0 or end < 0:
        raise EvaluationError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise EvaluationError(f"cannot slice({start}, {end}), start index must be less than or equal to end index")
    if end > len(items):
        raise EvaluationError(f"cannot slice({start}, {end}), list is length {len(items)}")
    return items[start:end]


def _flatten(items: list[Any], depth: int = 1) -> list[Any]:
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    out: list[Any] = []
    for each in items:
        out += _flatten(each, depth - 1) if isinstance(each, list) and depth > 0 else [each]
    return out


def _distinct(items: list[Any]) -> list[Any]:
    out: list[Any] = []
    for each in items:
        if not contains(out, each):
            out.append(each)
    return out


def _range(count: int) -> list[int]:
    if count > RANGE_MAX:
        raise EvaluationError(f"lists.range: {count} exceeds the limit of {RANGE_MAX}")
    return list(range(count))


def _sorted_by(items: list[Any], keys: list[Any]) -> list[Any]:
    _comparable(keys)
    return [items[i] for i in sorted(range(len(items)), key=keys.__getitem__)]


def _sets() -> list[Overload]:
    pair = [_LIST, _LIST]
    return [
        function("sets.contains", "list_sets_contains_list", pair, BOOL, _contains_all),
        function(
            "sets.intersects",
            "list_sets_intersects_list",
            pair,
            BOOL,
            lambda a, b: any(contains(a, each) for each in b),
        ),
        function(
            "sets.equivalent",
            "list_sets_equivalent_list",
            pair,
            BOOL,
            lambda a, b: _contains_all(a, b) and _contains_all(b, a),
        ),
    ]


def _contains_all(items: list[Any], wanted: list[Any]) -> bool:
    return all(contains(items, each) for each in wanted)
