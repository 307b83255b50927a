"""What a call can cost at most, and how large its result may be.

source  cel-go checker, costs of functions; Kubernetes' CEL libraries, estimates of their functions. Where a function is
listed under the condition that it has a target, one without is of cost 1: what is stored relies on these numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cybernetes.cel.costs import AUTHORIZATION_COST, PATTERN_MAX, REGEX, TRAVERSAL, selector_cost
from cybernetes.cel.ranges import LARGEST, ONE, UNKNOWN, Range, exactly
from cybernetes.cel.syntax import Literal, Node
from cybernetes.cel.types import Type


class Sized(NamedTuple):
    """A target or an argument. declared: its type, where it is reached from a variable by fields and items only."""

    node: Node
    type: Type
    size: Range
    declared: Type | None


# (cost without that of the arguments, size of the result if known).
Estimated = tuple[Range, Range | None]
_Estimate = Callable[["Sized | None", list[Sized]], "Estimated | None"]


def of_call(function: str, overload: str, target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    """None for a call that costs 1."""
    by_function = _BY_FUNCTION.get(function)
    if by_function is not None:
        found = by_function(target, arguments)
        if found is not None:
            return found
    by_overload = _BY_OVERLOAD.get(overload)
    return by_overload(target, arguments) if by_overload is not None else None


def _nominal(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    return ONE, None


def _through_first(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    return (arguments[0].size.by(TRAVERSAL), None) if arguments else None


def _twice_through_first(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    return (arguments[0].size.by(2 * TRAVERSAL), None) if arguments else None


def _address(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    """ip(text), or the address that a network has."""
    return (ONE, None) if target is not None else _through_first(target, arguments)


def _selector(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    size = arguments[0].size
    return Range(selector_cost(size.least), min(selector_cost(size.most), LARGEST)), None


def _validated(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    """By a format, whose pattern is not known."""
    return arguments[0].size.plus(ONE).by(TRAVERSAL).times(exactly(PATTERN_MAX).by(REGEX)), None


def _same_opaque(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    """Addresses, quantities and the like are of one size."""
    left, right = arguments[0].type, arguments[1].type
    known = left.kind == "opaque" and left.name != "optional_type" and left == right
    return (ONE, None) if known else None


def _authorization(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    return exactly(AUTHORIZATION_COST), None


def _through_list(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    """Once through a list; through the texts in it too."""
    if target is None:
        return None
    if not target.type.parameters:
        return target.size.by(TRAVERSAL), None
    each = ONE
    item = target.type.parameters[0]
    if item.kind in ("string", "bytes"):
        each = each.plus(_item_size(target).by(TRAVERSAL))
    return target.size.times(each), None


def _item_size(target: Sized) -> Range:
    if target.declared is not None and target.declared.parameters:
        return Range(0, target.declared.parameters[0].size_max)
    return UNKNOWN


def _through_argument(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    return (arguments[0].size.by(TRAVERSAL), None) if len(arguments) == 1 else None


def _through_target(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    return (target.size.by(TRAVERSAL), target.size) if target is not None else None


def _replace(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    if target is None or len(arguments) < 2:
        return None
    text, old, new = target.size, arguments[0].size, arguments[1].size
    most = _replaced(text.most, old.least, new.most, old.least >= new.most)
    least = _replaced(text.least, old.most, new.least, new.least >= old.most)
    return text.by(2 * TRAVERSAL), Range(least, most)


def _replaced(length: int, old: int, new: int, unchanged: bool) -> int:
    """How long a text gets when all of it that may be replaced is."""
    if old == 0:
        # An empty text stands between all characters.
        return min((length + 1) * new + length, LARGEST)
    return length if unchanged else min(-(-length // old) * new, LARGEST)


def _split(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    if target is None:
        return None
    most = target.size.most
    if len(arguments) > 1 and isinstance(arguments[1].node, Literal) and arguments[1].node.value >= 0:
        most = int(arguments[1].node.value)
    return target.size.by(2 * TRAVERSAL), Range(0, most)


def _join(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    if target is None:
        return None
    count = target.size
    size = count.times(_item_size(target)) if target.type.parameters else exactly(0)
    if arguments:
        size = size.plus(arguments[0].size.times(Range(max(0, count.least - 1), max(0, count.most - 1))))
    return size.by(TRAVERSAL), size


def _find(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    if target is None or not arguments:
        return None
    cost = target.size.plus(ONE).by(TRAVERSAL).times(arguments[0].size.by(REGEX))
    return cost, Range(0, target.size.most)


def _matches(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    if target is None or len(arguments) != 1:
        return None
    return target.size.plus(ONE).by(TRAVERSAL).times(arguments[0].size.by(REGEX)), None


def _contains(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    if target is None or len(arguments) != 1:
        return None
    return target.size.by(TRAVERSAL).times(arguments[0].size.by(TRAVERSAL)), None


# Bytes of an address.
_ADDRESS = Range(4, 16)


def _contains_address(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    if target is None:
        return None
    return _ADDRESS.plus(_ADDRESS).by(TRAVERSAL).plus(_parsing(arguments[0])), None


def _contains_network(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    if target is None:
        return None
    compare = _ADDRESS.plus(_ADDRESS).by(TRAVERSAL).plus(_ADDRESS.by(TRAVERSAL)).plus(ONE)
    return compare.plus(_parsing(arguments[0])), None


def _parsing(argument: Sized) -> Range:
    return argument.size.by(TRAVERSAL) if argument.type.kind == "string" else exactly(0)


def _in_list(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    return arguments[1].size, None


def _smaller(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    most = min(arguments[0].size.most, arguments[1].size.most)
    return Range(1 if most > 0 else 0, most).by(TRAVERSAL), None


def _joined_texts(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    size = arguments[0].size.plus(arguments[1].size)
    return size.by(TRAVERSAL), size


def _joined_lists(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    return ONE, arguments[0].size.plus(arguments[1].size)


def _to_bytes(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    size = arguments[0].size
    return size.by(TRAVERSAL), Range(size.least, min(4 * size.most, LARGEST))


def _to_text(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    size = arguments[0].size
    return size.by(TRAVERSAL), Range(size.least // 4, size.most)


def _quote(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    size = arguments[0].size
    return size.by(TRAVERSAL), Range(size.least + 2, min(2 * size.most + 2, LARGEST))


def _format(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    return (target.size.by(TRAVERSAL), None) if target is not None else None


def _sets(factor: int) -> _Estimate:
    def estimate(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
        product = arguments[0].size.times(arguments[1].size)
        return product.by(factor).plus(ONE), None

    return estimate


def _squared(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    return (target.size.times(target.size).plus(ONE), target.size) if target is not None else None


def _sliced(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    return (target.size.plus(ONE), Range(0, target.size.most)) if target is not None else None


def _range(target: Sized | None, arguments: list[Sized]) -> Estimated | None:
    count = arguments[0].node
    size = exactly(max(0, int(count.value))) if isinstance(count, Literal) else UNKNOWN
    return size.plus(ONE), size


_BY_FUNCTION: dict[str, _Estimate] = {
    "check": _authorization,
    **dict.fromkeys(
        (
            "serviceAccount", "path", "group", "resource", "subresource", "namespace", "name", "allowed", "reason",
            "error", "errored", "masked", "prefixLength", "family", "isUnspecified",
            "isLoopback", "isLinkLocalMulticast", "isLinkLocalUnicast", "sign", "asInteger", "isInteger",
            "asApproximateFloat", "isGreaterThan", "isLessThan", "compareTo", "add", "sub", "major", "minor", "patch",
        ),
        _nominal,
    ),
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _through_list),
    "url": _through_argument,
    **dict.fromkeys(("lowerAscii", "upperAscii", "substring", "trim"), _through_target),
    "replace": _replace,
    "split": _split,
    "join": _join,
    **dict.fromkeys(("find", "findAll"), _find),
    "containsIP": _contains_address,
    "containsCIDR": _contains_network,
    "validate": _validated,
    "ip": _address,
    "ip.isCanonical": _twice_through_first,
    **dict.fromkeys(("cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"), _through_first),
    **dict.fromkeys(("fieldSelector", "labelSelector"), _selector),
    "_==_": _same_opaque,
    "jsonpatch.escapeKey": _through_argument,
    "sets.contains": _sets(1),
    "sets.intersects": _sets(1),
    "sets.equivalent": _sets(2),
    **dict.fromkeys(("sort", "distinct", "@sortByAssociatedKeys"), _squared),
    **dict.fromkeys(("slice", "reverse", "flatten"), _sliced),
    "lists.range": _range,
}  # fmt: skip
_COMPARED = [
    f"{word}_{kind}" for word in ("less", "less_equals", "greater", "greater_equals") for kind in ("string", "bytes")
]
_BY_OVERLOAD: dict[str, _Estimate] = {
    **dict.fromkeys((*_COMPARED, "equals", "not_equals"), _smaller),
    "starts_with_string": _through_argument,
    "ends_with_string": _through_argument,
    "in_list": _in_list,
    "matches_string": _matches,
    "contains_string": _contains,
    "add_string": _joined_texts,
    "add_bytes": _joined_texts,
    "add_list": _joined_lists,
    "string_to_bytes": _to_bytes,
    "bytes_to_string": _to_text,
    "strings_quote": _quote,
    "string_format": _format,
}
