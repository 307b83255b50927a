"""Reads of the caches for code inside the API server: admission, authorizers, allocators, document builders.

Objects are decoded at each call and belong to the caller; an index that is asked often subscribes instead
and keeps what it needs. Objects are of the stored version, with kind, apiVersion and resourceVersion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cybernetes.apiserver.cache.feed import Caches
from cybernetes.apiserver.cache.state import Event, Item
from cybernetes.apiserver.registry import Registry

Object = dict[str, Any]


class _Annotated(msgspec.Struct, gc=False):
    annotations: msgspec.Raw = msgspec.Raw(b"")


class _Specified(msgspec.Struct, gc=False):
    metadata: _Annotated
    spec: msgspec.Raw = msgspec.Raw(b"")


_SPECIFIED = msgspec.json.Decoder(_Specified)


def _changes_spec(event: Event) -> bool:
    if event.before is None or event.after is None:
        return True
    before, after = _SPECIFIED.decode(event.before.json), _SPECIFIED.decode(event.after.json)
    return bytes(before.spec) != bytes(after.spec) or bytes(before.metadata.annotations) != bytes(
        after.metadata.annotations
    )


class Lister:
    """`get` costs a decode (microseconds), `list` one for each object that it returns."""

    def __init__(self, caches: Caches, registry: Registry) -> None:
        self._caches = caches
        self._registry = registry

    def get(self, group: str, plural: str, namespace: str, name: str) -> Object | None:
        """The object, or None. namespace is "" for cluster-scoped resources."""
        place = f"{namespace}/{name}" if namespace else name
        item = self._caches.of(group, plural).state.get(place)
        return None if item is None else self._decode(group, plural, item)

    def exists(self, group: str, plural: str, namespace: str, name: str) -> bool:
        place = f"{namespace}/{name}" if namespace else name
        return self._caches.of(group, plural).state.get(place) is not None

    def labels(self, group: str, plural: str, namespace: str, name: str) -> Mapping[str, str]:
        """An object's labels, not to be changed; none of one that does not exist. Decoded once for each version of it."""
        place = f"{namespace}/{name}" if namespace else name
        item = self._caches.of(group, plural).state.get(place)
        return item.labels if item is not None else {}

    def labelled(self, group: str, plural: str, namespace: str, label: str, value: str) -> list[Object]:
        """Objects of a namespace whose label has this value; others cost nothing."""
        items = self._caches.of(group, plural).state.labelled(label, value, namespace)
        return [self._decode(group, plural, item) for item in items]

    def list(self, group: str, plural: str, namespace: str | None = None) -> list[Object]:
        """All objects in key order, of one namespace or of all (None)."""
        items = self._caches.of(group, plural).state.range(namespace or "")
        return [self._decode(group, plural, item) for item in items]

    def follow(self, group: str, plural: str, callback: Callable[[Event], None]) -> None:
        """Like `subscribe`, but of changes only, and nothing is decoded."""
        self._caches.of(group, plural).subscribers.append(callback)

    def subscribe(self, group: str, plural: str, callback: Callable[[Object | None, Object | None], None]) -> None:
        """Call `callback(None, obj)` for what exists, then `callback(old, new)` at each change; None is absence.

        Called before watchers hear of the change, on the event loop: return quickly.
        """
        self._subscribe(group, plural, callback, lambda event: True, lambda item: item)

    def subscribe_specs(
        self, group: str, plural: str, callback: Callable[[Object | None, Object | None], None], holding: str = ""
    ) -> None:
        """Like `subscribe`, but silent where neither spec nor annotations changed: status is written most often.

        holding  objects without a field of this name are absent to the subscriber
        """
        name = f'"{holding}":'.encode()

        def look(item: Item | None) -> Item | None:
            return item if item is not None and name in item.json else None

        self._subscribe(group, plural, callback, _changes_spec, look if holding else lambda item: item)

    def _subscribe(
        self,
        group: str,
        plural: str,
        callback: Callable[[Object | None, Object | None], None],
        matters: Callable[[Event], bool],
        look: Callable[[Item | None], Item | None],
    ) -> None:
        def on_event(event: Event) -> None:
            before, after = look(event.before), look(event.after)
            if (before is None and after is None) or not matters(event):
                return
            callback(
                self._decode(group, plural, before) if before else None,
                self._decode(group, plural, after) if after else None,
            )

        cached = self._caches.of(group, plural)
        cached.subscribers.append(on_event)
        for item in cached.state.range():
            if look(item) is not None:
                callback(None, self._decode(group, plural, item))

    def _decode(self, group: str, plural: str, item: Item) -> Object:
        served = self._registry.any_version(group, plural)
        obj = item.decode()
        if served is None:
            return obj
        return {"kind": served.stored.kind, "apiVersion": item.version or served.stored.api_version, **obj}
