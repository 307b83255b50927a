"""Quantities in expressions.

source  Kubernetes documentation "Common Expression Language in Kubernetes", quantity library
"""

from __future__ import annotations

from typing import Any

from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.functions import Overload, function, method, predicate
from cybernetes.cel.types import BOOL, DOUBLE, INT, STRING, opaque
from cybernetes.cel.values import INT_MAX, INT_MIN
from cybernetes.model import quantity

QUANTITY = opaque("kubernetes.Quantity")


class Quantity:
    """nano: its value in nano units."""

    __slots__ = ("nano",)
    cel_type = QUANTITY

    def __init__(self, nano: int) -> None:
        self.nano = nano

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.nano == other.nano

    def __hash__(self) -> int:
        return hash(self.nano)


def overloads() -> list[Overload]:
    one, two = [QUANTITY], [QUANTITY, QUANTITY]
    with_int = [QUANTITY, INT]
    return [
        function("quantity", "string_to_quantity", [STRING], QUANTITY, _quantity),
        function("isQuantity", "is_quantity_string", [STRING], BOOL, predicate(_quantity)),
        method("sign", "quantity_sign", one, INT, lambda value: (value.nano > 0) - (value.nano < 0)),
        method("isInteger", "quantity_is_integer", one, BOOL, _is_integer),
        method("asInteger", "quantity_get_int", one, INT, _as_integer),
        method("asApproximateFloat", "quantity_get_float", one, DOUBLE, lambda value: value.nano / quantity.NANO),
        method("add", "quantity_add", two, QUANTITY, lambda a, b: Quantity(a.nano + b.nano)),
        method("add", "quantity_add_int", with_int, QUANTITY, lambda a, b: Quantity(a.nano + b * quantity.NANO)),
        method("sub", "quantity_sub", two, QUANTITY, lambda a, b: Quantity(a.nano - b.nano)),
        method("sub", "quantity_sub_int", with_int, QUANTITY, lambda a, b: Quantity(a.nano - b * quantity.NANO)),
        method("isLessThan", "quantity_is_less_than", two, BOOL, lambda a, b: a.nano < b.nano),
        method("isGreaterThan", "quantity_is_greater_than", two, BOOL, lambda a, b: a.nano > b.nano),
        method("compareTo", "quantity_compare_to", two, INT, lambda a, b: (a.nano > b.nano) - (a.nano < b.nano)),
    ]


def _quantity(text: str) -> Quantity:
    try:
        return Quantity(quantity.nano(text))
    except quantity.QuantityError as wrong:
        raise EvaluationError(str(wrong)) from wrong


def _is_integer(value: Any) -> bool:
    return value.nano % quantity.NANO == 0 and INT_MIN <= value.nano // quantity.NANO <= INT_MAX


def _as_integer(value: Any) -> int:
    if not _is_integer(value):
        raise EvaluationError("cannot convert value to integer")
    return int(value.nano // quantity.NANO)
