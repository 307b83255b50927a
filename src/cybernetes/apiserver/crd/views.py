"""Objects of a custom resource as one of its versions shows them.

Objects lie in the store in the version that was the storage version when they were written. What is read is pruned and
filled in by the schema of that version, then converted and pruned by the schema of the version that is asked for.
What came of an item is remembered with it, so that a list after a list, and all watchers, cost one conversion.

source  Kubernetes documentation "Versions in CustomResourceDefinitions"; "Defaulting" of custom resources
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cybernetes.apiserver import stored
from cybernetes.apiserver.cache.state import Event, Item
from cybernetes.apiserver.crd.conversion import Converter
from cybernetes.model.schema.custom.read import fill, read
from cybernetes.model.schema.custom.structural import CustomNode

Object = dict[str, Any]

# Objects, and bytes of them, that a hook gets to convert in one call.
BATCH_MAX = 500
BATCH_BYTES_MAX = 4 << 20


class Views:
    """shapes: the schema of each version by apiVersion. served, stored: apiVersions."""

    def __init__(
        self, kind: str, shapes: Mapping[str, CustomNode], *, served: str, stored: str, converter: Converter
    ) -> None:
        self._kind = kind
        self._shapes = shapes
        self._served = served
        self._stored = stored
        self._converter = converter
        # Items that are being converted: others who need them wait for the same answer.
        self._pending: dict[Item, asyncio.Future[None]] = {}
        self.over = False

    async def of(self, items: Sequence[Item]) -> list[Item]:
        """The views of items, in their order. Raises ApiError 500 where one can't be converted."""
        found = self._known(items)
        while None in found:
            await self._make_known([item for item, view in zip(items, found, strict=True) if view is None])
            found = self._known(items)
        return [each for each in found if each is not None]

    async def events(self, events: Sequence[Event], *, former: bool) -> list[Event]:
        """The same for events. former: whether what objects were before matters also where they still are."""
        items = dict.fromkeys(item for event in events for item in _sides(event, former))
        views = dict(zip(items, await self.of(list(items)), strict=True))
        return [_viewed(event, views) for event in events]

    async def kept(self, obj: Object) -> tuple[bytes, bytes]:
        """An object of the served version as a value for the store, and that value as this version shows it."""
        if self._served == self._stored:
            value = stored.encode(obj, self._stored, self._kind)
            return value, value
        (kept,) = await self._converted([_without_revision(obj)], self._stored)
        value = stored.encode(kept, self._stored, self._kind)
        self._settle(kept)
        (shown,) = await self._converted([kept], self._served)
        return value, stored.encode(shown, self._served, self._kind)

    async def to(self, obj: Object, api_version: str) -> Object:
        """A whole object of the served version in another one. Raises ApiError 500."""
        return (await self._converted([obj], api_version))[0]

    def _known(self, items: Sequence[Item]) -> list[Item | None]:
        return [self._view(item) for item in items]

    def _view(self, item: Item) -> Item | None:
        for owner, view in item.views:
            if owner is self:
                # None stands for the item itself, which must not hold itself.
                return view or item
        return None

    async def _make_known(self, items: Sequence[Item]) -> None:
        mine = [each for each in items if each not in self._pending]
        if mine:
            await self._convert(mine)
        others = {self._pending[each] for each in items if each in self._pending}
        if others:
            await asyncio.wait(others)

    async def _convert(self, items: Sequence[Item]) -> None:
        done = asyncio.get_running_loop().create_future()
        self._pending.update((each, done) for each in items)
        try:
            for some in _batches(items):
                await self._convert_some(some)
        finally:
            for each in items:
                self._pending.pop(each, None)
            done.set_result(None)

    async def _convert_some(self, items: Sequence[Item]) -> None:
        objects = [self._object(each) for each in items]
        apart = [each for each in objects if each["apiVersion"] != self._served]
        answers = iter(await self._converted(apart, self._served) if apart else ())
        for item, obj in zip(items, objects, strict=True):
            shown = obj if obj["apiVersion"] == self._served else next(answers)
            self._remember(item, stored.item(stored.encode(shown, self._served, self._kind), item.revision))

    def _object(self, item: Item) -> Object:
        obj = _without_revision({"kind": self._kind, "apiVersion": item.version, **stored.decode(item.json)})
        self._settle(obj)
        return obj

    def _settle(self, obj: Object) -> None:
        """Pruned and filled in, in place, by the schema of the object's own version."""
        shape = self._shapes.get(obj["apiVersion"])
        if shape is not None:
            pruned = read(shape, obj)[0]
            fill(shape, pruned)
            obj.clear()
            obj.update(pruned)

    async def _converted(self, objects: Sequence[Object], api_version: str) -> list[Object]:
        shape = self._shapes[api_version]
        return [read(shape, each)[0] for each in await self._converter.convert(objects, api_version)]

    def _remember(self, item: Item, json: bytes) -> None:
        view = None if json == item.json else Item(item.place, json, item.revision, item.created, self._served)
        # Views of what the definition was before are nobody's any more.
        item.views = (*(each for each in item.views if not each[0].over), (self, view))


def _batches(items: Sequence[Item]) -> Iterable[list[Item]]:
    some: list[Item] = []
    size = 0
    for each in items:
        if some and (len(some) >= BATCH_MAX or size + len(each.json) > BATCH_BYTES_MAX):
            yield some
            some, size = [], 0
        some.append(each)
        size += len(each.json)
    if some:
        yield some


def _without_revision(obj: Object) -> Object:
    metadata = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
    return {**obj, "metadata": metadata}


def _sides(event: Event, former: bool) -> list[Item]:
    """The items of an event that are looked at."""
    if event.after is None or former:
        return [each for each in (event.before, event.after) if each is not None]
    return [event.after]


def _viewed(event: Event, views: Mapping[Item, Item]) -> Event:
    before = views.get(event.before, event.before) if event.before is not None else None
    after = views[event.after] if event.after is not None else None
    seen = Event(before, after, event.revision)
    seen.frames = event.frames
    return seen
