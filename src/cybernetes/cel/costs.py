"""What calls cost when they are made, where that is not 1.

One unit is about one simple step. Going through texts costs a tenth of their length; what is not listed costs 1.

source  cel-go interpreter, costs of calls; Kubernetes' CEL libraries, costs of calls
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from cybernetes.cel.functions import Overload

TRAVERSAL, REGEX = 0.1, 0.25
AUTHORIZATION_COST = 350_000
# Characters of the pattern of a format that is not known yet.
PATTERN_MAX = 128


class Cost(NamedTuple):
    """of: (arguments with the target first, result) -> cost; needs_result: whether it can only be known afterwards."""

    of: Callable[[Sequence[Any], Any], int]
    needs_result: bool = False


def runtime_cost(overload: Overload) -> Cost | None:
    """None for a call that costs 1."""
    return _BY_ID.get(overload.id) or _BY_FUNCTION.get(overload.function)


def size(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes | list | dict) else 1


def tenth(length: int) -> int:
    """The cost of going through so much text."""
    return -(-length // 10)


def weight(value: Any) -> int:
    """How many values there are inside of a value, which is what comparing and showing it takes.

    The reference counts those of the first level only, and is fast enough to afford it.
    """
    if isinstance(value, dict):
        return len(value) + sum(weight(each) for each in value.values() if isinstance(each, dict | list))
    if isinstance(value, list):
        return len(value) + sum(weight(each) for each in value if isinstance(each, dict | list))
    return 0


def compared(left: Any, right: Any) -> int:
    """The cost of comparing two values."""
    cost = tenth(min(size(left), size(right)))
    if isinstance(left, dict | list) and isinstance(right, dict | list):
        return max(cost, min(weight(left), weight(right)))
    return cost


def _compared(values: Sequence[Any], _: Any) -> int:
    return compared(values[0], values[1])


def _searched(values: Sequence[Any], _: Any) -> int:
    items = values[1]
    return max(size(items), weight(items)) if isinstance(values[0], dict | list) else size(items)


def _shown(values: Sequence[Any], _: Any) -> int:
    return tenth(size(values[0])) + sum(_shown_size(each) for each in values[1])


def _shown_size(value: Any) -> int:
    return traversal(value) + weight(value) if isinstance(value, dict | list) else tenth(size(value))


def selector_cost(length: int) -> int:
    """Of reading a selector of this many characters: a requirement takes two at least."""
    return 10 + -(-length // 2) * 50 + tenth(length)


def _selector(values: Sequence[Any], _: Any) -> int:
    return selector_cost(len(values[1]))


def _validated(values: Sequence[Any], _: Any) -> int:
    return tenth(1 + len(values[1])) * -(-values[0].pattern_size // 4)


def _first(values: Sequence[Any], _: Any) -> int:
    return tenth(size(values[0]))


def _first_twice(values: Sequence[Any], _: Any) -> int:
    return tenth(2 * size(values[0]))


def _second(values: Sequence[Any], _: Any) -> int:
    return tenth(size(values[1]))


def _both(values: Sequence[Any], _: Any) -> int:
    return tenth(size(values[0]) + size(values[1]))


def _product(values: Sequence[Any], _: Any) -> int:
    return tenth(size(values[0])) * tenth(size(values[1]))


def _pattern(values: Sequence[Any], _: Any) -> int:
    return tenth(1 + size(values[0])) * -(-size(values[1]) // 4)


def _result_twice(_: Sequence[Any], result: Any) -> int:
    return tenth(2 * size(result))


def traversal(value: Any) -> int:
    """Of a value with everything in it."""
    if isinstance(value, str | bytes):
        return len(value) // 10
    if isinstance(value, list):
        return sum(traversal(each) for each in value)
    if isinstance(value, dict):
        return sum(traversal(key) + traversal(each) for key, each in value.items())
    return 1


def _addresses(extra: int) -> Callable[[Sequence[Any], Any], int]:
    """Of comparing networks. extra: how often the network is gone through besides."""

    def cost(values: Sequence[Any], _: Any) -> int:
        length = values[0].size
        parsed = tenth(len(values[1])) if isinstance(values[1], str) else 0
        return tenth(2 * length) + (tenth(length) + 1 if extra else 0) + parsed

    return cost


def _each_with_each(values: Sequence[Any], _: Any) -> int:
    return 1 + max(size(values[0]), weight(values[0])) * size(values[1])


def _each_with_each_twice(values: Sequence[Any], _: Any) -> int:
    return 1 + 2 * max(size(values[0]), weight(values[0])) * size(values[1])


def _authorization(values: Sequence[Any], _: Any) -> int:
    return AUTHORIZATION_COST


def _plain(values: Sequence[Any], _: Any) -> int:
    return traversal(values[0])


def _length(values: Sequence[Any], _: Any) -> int:
    return size(values[0])


def _square(values: Sequence[Any], _: Any) -> int:
    return size(values[0]) * max(size(values[0]), weight(values[0]))


def _result(_: Sequence[Any], result: Any) -> int:
    return size(result)


_COMPARED = [
    f"{word}_{kind}" for word in ("less", "less_equals", "greater", "greater_equals") for kind in ("string", "bytes")
]
_BY_ID: dict[str, Cost] = {
    **{each: Cost(_compared) for each in (*_COMPARED, "equals", "not_equals")},
    "starts_with_string": Cost(_second),
    "ends_with_string": Cost(_second),
    "string_to_bytes": Cost(_first),
    "bytes_to_string": Cost(_first),
    "in_list": Cost(_searched),
    "add_string": Cost(_both),
    "add_bytes": Cost(_both),
    "matches_string": Cost(_pattern),
    "matches": Cost(_pattern),
    "contains_string": Cost(_product),
    "string_to_ip": Cost(_first),
    "cidr_ip": Cost(lambda values, _: 1),
}
_BY_FUNCTION: dict[str, Cost] = {
    "check": Cost(_authorization),
    **{each: Cost(_plain) for each in ("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf")},
    **{
        each: Cost(_first)
        for each in (
            "url", "lowerAscii", "upperAscii", "substring", "trim", "cidr", "isIP", "isCIDR", "quantity",
            "isQuantity", "semver", "isSemver", "jsonpatch.escapeKey",
        )
    },
    **{each: Cost(_first_twice) for each in ("replace", "split", "ip.isCanonical")},
    "strings.quote": Cost(_first),
    "join": Cost(_result_twice, needs_result=True),
    "format": Cost(_shown),
    "validate": Cost(_validated),
    **{each: Cost(_selector) for each in ("fieldSelector", "labelSelector")},
    **{each: Cost(_pattern) for each in ("find", "findAll")},
    "containsIP": Cost(_addresses(0)),
    "containsCIDR": Cost(_addresses(1)),
    "sets.contains": Cost(_each_with_each),
    "sets.intersects": Cost(_each_with_each),
    "sets.equivalent": Cost(_each_with_each_twice),
    "slice": Cost(_result, needs_result=True),
    "flatten": Cost(_result, needs_result=True),
    "reverse": Cost(_length),
    "distinct": Cost(_square),
    "sort": Cost(_square),
    "@sortByAssociatedKeys": Cost(_square),
    "lists.range": Cost(lambda values, _: max(0, int(values[0]))),
}  # fmt: skip
