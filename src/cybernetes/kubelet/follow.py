"""Watches the ConfigMaps and Secrets that pods of this node are made from, so that a change reaches them at once.

A pod's worker reads them itself when it needs them, and again now and then; a watch only makes it look earlier.
So a lost event, or an object above the limit of watches, costs time and nothing else.

source  kubelet.config.k8s.io/v1beta1, configMapAndSecretChangeDetectionStrategy: Watch
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import orjson

from cybernetes.base.clock import Clock
from cybernetes.base.random import Random
from cybernetes.client.answer import WatchEvent
from cybernetes.client.api import ApiClient
from cybernetes.client.reflector import Reflector, Selection
from cybernetes.kubelet import env, pods
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.sources import TARGETS, Key, ObjectReader
from cybernetes.kubelet.volumes import payload

# Each watch is a connection of its own, here and at the API server.
WATCHES_MAX = 256
# A pod that is still being started has read its objects just now, and one that ends soon needs no watch.
DELAY_S = 1.0


def keys_of(pod: Object, *, environment: bool) -> frozenset[Key]:
    """What the pod's volumes are made from, and its containers' environments where asked for."""
    namespace = pod["metadata"]["namespace"]
    names = {each for volume in pod["spec"].get("volumes") or () for each in payload.references(volume)}
    if environment:
        names |= {each for _, container in pods.all_containers(pod) for each in env.references(container)}
    return frozenset((kind, namespace, name) for kind, name in names)


class Follower:
    """on_change: called with the uid of each pod that follows an object which changed."""

    def __init__(
        self,
        client: ApiClient,
        reader: ObjectReader,
        clock: Clock,
        random: Random,
        group: asyncio.TaskGroup,
        on_change: Callable[[str], None],
    ) -> None:
        self._client = client
        self._reader = reader
        self._clock = clock
        self._random = random
        self._group = group
        self._on_change = on_change
        self._wanted: dict[str, frozenset[Key]] = {}
        self._watches: dict[Key, asyncio.Task[None]] = {}

    def follow(self, uid: str, keys: frozenset[Key]) -> None:
        """Tell of changes of exactly these objects from now on; of none to end it."""
        before = self._wanted.get(uid, frozenset())
        if keys == before:
            return
        if keys:
            self._wanted[uid] = keys
        else:
            del self._wanted[uid]
        for key in sorted(keys - before):
            if key not in self._watches and len(self._watches) < WATCHES_MAX and not self._reader.is_immutable(key):
                name = f"follow.{'/'.join(key)}"
                self._watches[key] = self._group.create_task(self._watch(key), name=name)
        for key in sorted(before - keys):
            if not any(key in each for each in self._wanted.values()):
                self._end(key)

    def _end(self, key: Key) -> None:
        task = self._watches.pop(key, None)
        if task is not None:
            task.cancel()

    async def _watch(self, key: Key) -> None:
        await self._clock.sleep(DELAY_S)
        kind, namespace, name = key
        reflector = Reflector(
            self._client,
            TARGETS[kind],
            _Sink(lambda obj: self._found(key, obj)),
            clock=self._clock,
            random=self._random,
            selection=Selection(namespace=namespace, fields=f"metadata.name={name}"),
        )
        reflector.version = _version(self._reader.known(key))
        await reflector.run()

    def _found(self, key: Key, obj: Object | None) -> None:
        changed = _version(self._reader.known(key)) != _version(obj)
        self._reader.keep(key, obj)
        if not changed:
            return
        for uid in sorted(uid for uid, keys in self._wanted.items() if key in keys):
            self._on_change(uid)


class _Sink:
    """A collection of one object, or none."""

    def __init__(self, found: Callable[[Object | None], None]) -> None:
        self._found = found
        self._listed: Object | None = None

    def begin_list(self) -> None:
        self._listed = None

    def add_listed(self, items: Sequence[bytes]) -> None:
        for each in items:
            self._listed = orjson.loads(each)

    def finish_list(self) -> None:
        self._found(self._listed)

    def apply(self, event: WatchEvent) -> None:
        self._found(None if event.type == "DELETED" else orjson.loads(event.object))


def _version(obj: Mapping[str, Object] | None) -> str:
    return str(obj["metadata"].get("resourceVersion", "")) if obj is not None else ""
