"""Remembers what pure functions say of values that come again, byte for byte.

Pods of one template, and updates that send the spec once more, ask the same questions of the same values. Writing a
value as JSON costs a hundredth of judging it; the text is the key, so nothing is ever taken for something else.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import orjson

T = TypeVar("T")

# Keys of one memo, in two generations of this size each: the templates of some hundred rollouts that go on at once.
BYTES_MAX = 1 << 20
# A larger value is judged each time: it would push out many others.
VALUE_BYTES_MAX = 64 << 10


class Memo(Generic[T]):
    """`memo(value, *more)` is `function(value, *more)`, asked once while it is remembered.

    function  pure; all callers share what it returns, so that must not be changed
    value     of JSON's types; `more` are what else the result depends on
    """

    def __init__(self, function: Callable[..., T], bytes_max: int = BYTES_MAX) -> None:
        self._function = function
        self._bytes_max = bytes_max
        self._young: dict[Hashable, T] = {}
        self._old: dict[Hashable, T] = {}
        self._young_bytes = 0

    def __call__(self, value: Any, *more: Hashable) -> T:
        try:
            text = orjson.dumps(value)
        except TypeError:
            # What orjson can't write (integers beyond 64 bits, lone surrogates) is not worth another way.
            return self._function(value, *more)
        key = (text, more)
        found = self._young.get(key, self)
        if found is self:
            found = self._old.get(key, self)
            if found is self:
                found = self._function(value, *more)
            if len(text) <= VALUE_BYTES_MAX:
                self._keep(key, found, len(text))  # type: ignore[arg-type]
        return found  # type: ignore[return-value]

    def _keep(self, key: Hashable, found: T, size: int) -> None:
        """Recently asked is young; when those are too many, they are old, and what was old is forgotten."""
        self._young[key] = found
        self._young_bytes += size
        if self._young_bytes > self._bytes_max:
            self._old, self._young, self._young_bytes = self._young, {}, 0
