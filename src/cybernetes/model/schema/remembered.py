"""Structs that come again and again as a whole: what reading, filling and owning make of one is remembered.

The pods of a template differ in their metadata, and each of their specs costs as much as everything else together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from cybernetes.model.memo import Memo

STRUCTS = frozenset(("io.k8s.api.core.v1.PodSpec",))


def remembered(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function of a struct, asked once for each value of it; what it gives is the caller's own."""
    memo = Memo(lambda value: orjson.dumps(function(value)))
    return lambda value: orjson.loads(memo(value))


def remembered_fill(fill: Callable[[Any], None]) -> Callable[[Any], None]:
    """The same for a function that changes a struct in place."""

    def filled(value: Any) -> Any:
        copy = orjson.loads(orjson.dumps(value))
        fill(copy)
        return copy

    again = remembered(filled)

    def refill(value: dict[str, Any]) -> None:
        found = again(value)
        value.clear()
        value.update(found)

    return refill
