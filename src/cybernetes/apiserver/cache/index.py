"""Finds items by the value of a field or label: the pods of a node, without looking at those of all others."""

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


def by_field(path: str) -> Callable[[Item], str]:
    read = text_at(path)
    return lambda item: read(item.json)


def by_label(label: str) -> Callable[[Item], str]:
    return lambda item: item.labels.get(label, "")


class Index:
    """Places by a text that `read` finds in an item, "" for none; kept by `ResourceState` with each change."""

    def __init__(self, read: Callable[[Item], str]) -> None:
        self._read = read
        self._places: dict[str, set[str]] = {}

    def change(self, before: Item | None, after: Item | None) -> None:
        """One item's place is the same before and after."""
        was = self._read(before) if before is not None else None
        does = self._read(after) if after is not None else None
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
