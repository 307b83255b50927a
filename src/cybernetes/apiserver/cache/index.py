"""Finds items by the value of a field: the pods of a node, without looking at those of all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from cybernetes.apiserver.cache.state import Item


@cache
def text_at(path: str) -> Callable[[bytes], str]:
    """Reads the text at `spec.nodeName` out of an item; "" where there is none. Everything else is skipped, not decoded."""
    names = path.split(".")
    kind: Any = str
    for name in reversed(names):
        kind = msgspec.defstruct("Part", [(name, kind | None, None)], gc=False)
    decode = msgspec.json.Decoder(kind).decode

    def read(json: bytes) -> str:
        part: Any = decode(json)
        for name in names:
            part = getattr(part, name)
            if part is None:
                return ""
        text: str = part
        return text

    return read


class Index:
    """Places by the value of one field, kept by `ResourceState` with each change."""

    def __init__(self, path: str) -> None:
        self._read = text_at(path)
        self._places: dict[str, set[str]] = {}

    def change(self, before: Item | None, after: Item | None) -> None:
        """One item's place is the same before and after."""
        was = self._read(before.json) if before is not None else None
        does = self._read(after.json) if after is not None else None
        if was == does:
            return
        if before is not None and was is not None:
            places = self._places[was]
            places.discard(before.place)
            if not places:
                del self._places[was]
        if after is not None and does is not None:
            self._places.setdefault(does, set()).add(after.place)

    def places(self, value: str) -> Iterator[str]:
        """In order."""
        return iter(sorted(self._places.get(value, ())))
