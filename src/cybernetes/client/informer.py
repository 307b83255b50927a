"""A collection of the API server as local values, always on its way to being current.

Values are what `decode` makes of an object's JSON: slim structs, not dict trees. Handlers are called
synchronously, in order, once a change; a change that leaves the value equal calls nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from cybernetes.base.clock import Clock
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.client.answer import WatchEvent
from cybernetes.client.api import ApiClient
from cybernetes.client.reflector import EVERYTHING, Reflector, Selection
from cybernetes.client.target import Target

T = TypeVar("T")

_log = Log("client")

# (key, old, new): old is None for an object that appeared, new is None for one that went.
Handler = Callable[[str, T | None, T | None], None]


class _Head(msgspec.Struct):
    metadata: _HeadMeta


class _HeadMeta(msgspec.Struct):
    name: str
    namespace: str = ""


_head = msgspec.json.Decoder(_Head)


def key_of(namespace: str, name: str) -> str:
    """`namespace/name`; the name alone for cluster-scoped objects."""
    return f"{namespace}/{name}" if namespace else name


def split_key(key: str) -> tuple[str, str]:
    """(namespace, name); the namespace is "" for cluster-scoped objects."""
    namespace, _, name = key.rpartition("/")
    return namespace, name


class Index(Generic[T]):
    """Objects by some value of theirs: pods by node, ReplicaSets by owner. Order is that of arrival."""

    def __init__(self, items: Mapping[str, T], values_of: Callable[[T], Iterable[str]]) -> None:
        self._items = items
        self._values_of = values_of
        self._keys: dict[str, dict[str, None]] = {}

    def keys(self, value: str) -> list[str]:
        return list(self._keys.get(value, ()))

    def count(self, value: str) -> int:
        return len(self._keys.get(value, ()))

    def get(self, value: str) -> list[T]:
        return [self._items[key] for key in self._keys.get(value, ())]

    def values(self) -> Iterator[str]:
        return iter(self._keys)

    def change(self, key: str, old: T | None, new: T | None) -> None:
        before = set(self._values_of(old)) if old is not None else set()
        after = dict.fromkeys(self._values_of(new)) if new is not None else {}
        for value in after:
            if value not in before:
                self._keys.setdefault(value, {})[key] = None
        for value in before:
            if value not in after:
                self._forget(value, key)

    def _forget(self, value: str, key: str) -> None:
        keys = self._keys[value]
        del keys[key]
        if not keys:
            del self._keys[value]


class Informer(Generic[T]):
    """`items` maps keys (`namespace/name`) to values; read it, never write it.

    decode   JSON of one whole object -> value; called once per object and change. Where it raises
             msgspec.ValidationError the object keeps its former value, or stays unknown
    holds    after `wait_synced`, `items` was the server's state at some revision, and only moves forward
    """

    def __init__(
        self,
        client: ApiClient,
        target: Target,
        decode: Callable[[bytes], T],
        *,
        clock: Clock,
        random: Random,
        selection: Selection = EVERYTHING,
        metadata_only: bool = False,
    ) -> None:
        self.target = target
        self.items: dict[str, T] = {}
        self._decode = decode
        self._indexes: list[Index[T]] = []
        self._handlers: list[Handler[T]] = []
        self._listed: dict[str, T] = {}
        self._synced = asyncio.Event()
        self._reflector = Reflector(
            client, target, self, clock=clock, random=random, selection=selection, metadata_only=metadata_only
        )

    @property
    def synced(self) -> bool:
        return self._synced.is_set()

    @property
    def failures(self) -> int:
        """How often in a row the server was asked in vain."""
        return self._reflector.failures

    @property
    def version(self) -> str:
        """The resource version up to which changes have been seen."""
        return self._reflector.version

    def index(self, values_of: Callable[[T], Iterable[str]]) -> Index[T]:
        """An index that follows `items`; it is current when handlers are called."""
        index = Index(self.items, values_of)
        for key, item in self.items.items():
            index.change(key, None, item)
        self._indexes.append(index)
        return index

    def on_change(self, handler: Handler[T]) -> None:
        """Call `handler` for every object there is now, and for every change from here on. It must not block or raise."""
        self._handlers.append(handler)
        for key, item in list(self.items.items()):
            handler(key, None, item)

    async def run(self) -> None:
        """Follow the server until cancelled."""
        await self._reflector.run()

    async def wait_synced(self) -> None:
        await self._synced.wait()

    def begin_list(self) -> None:
        self._listed = {}

    def add_listed(self, items: Sequence[bytes]) -> None:
        for item in items:
            key = _key_in(item)
            value = self._decoded(key, item)
            if value is not None:
                self._listed[key] = value

    def finish_list(self) -> None:
        listed, self._listed = self._listed, {}
        for key in [key for key in self.items if key not in listed]:
            self._change(key, None)
        for key, item in listed.items():
            self._change(key, item)
        self._synced.set()

    def apply(self, event: WatchEvent) -> None:
        key = _key_in(event.object)
        self._change(key, None if event.type == "DELETED" else self._decoded(key, event.object))

    def _decoded(self, key: str, body: bytes) -> T | None:
        """The value; of an object that can't be read the former one, so that one odd object doesn't stop all others."""
        try:
            return self._decode(body)
        except msgspec.ValidationError as wrong:
            _log.error("object.unreadable", resource=self.target.plural, key=key, why=str(wrong))
            return self.items.get(key)

    def _change(self, key: str, new: T | None) -> None:
        old = self.items.get(key)
        if old == new:
            return
        if new is None:
            del self.items[key]
        else:
            self.items[key] = new
        for index in self._indexes:
            index.change(key, old, new)
        for handler in self._handlers:
            handler(key, old, new)


def _key_in(item: bytes) -> str:
    metadata = _head.decode(item).metadata
    return key_of(metadata.namespace, metadata.name)
