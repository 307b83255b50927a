"""One metadata informer for every resource that the API server has at the moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.client.informer import Informer
from cybernetes.client.target import Target
from cybernetes.controllers.discovery import discover
from cybernetes.controllers.garbagecollector.graph import Item, ItemDecoder
from cybernetes.controllers.loop import Edges

# Definitions come and go; this is how late a new resource may be noticed.
RESYNC_S = 30.0
# How long one resource whose objects can't be listed, such as one with a conversion that fails, holds up all others.
PATIENCE_S = 30.0
_NEEDED = {"list", "watch", "delete"}
# Nobody owns through an Event, and there are many of them.
_IGNORED = {("", "events"), ("events.k8s.io", "events")}

_log = Log("garbagecollector")


class _Monitor(msgspec.Struct):
    """began: when the first list was asked for; monotonic."""

    informer: Informer[Item]
    task: asyncio.Task[None]
    began: float


class Monitors:
    """on_change(target, old, new) is called for every change of every object.

    on_unserved(item) for every object of a resource that is no longer served, which says nothing about the object.
    """

    def __init__(
        self,
        edges: Edges,
        on_change: Callable[[Target, Item | None, Item | None], None],
        on_unserved: Callable[[Item], None],
    ) -> None:
        self._edges = edges
        self._on_change = on_change
        self._on_unserved = on_unserved
        self._decode = ItemDecoder()
        self._monitors: dict[Target, _Monitor] = {}
        self._kinds: dict[tuple[str, str], Target] = {}

    @property
    def synced(self) -> bool:
        """Whether every resource has been listed that can be: a slow list is waited for, one that fails is not for ever."""
        late = self._edges.clock.monotonic() - PATIENCE_S
        return bool(self._monitors) and all(
            each.informer.synced or (each.informer.failures and each.began < late) for each in self._monitors.values()
        )

    def target_of(self, api_version: str, kind: str) -> Target | None:
        """The resource of a kind, whatever its version; None when there is none now."""
        group = api_version.rpartition("/")[0]
        return self._kinds.get((group, kind))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    await self._resync(group)
                except (ApiError, EdgeError) as error:
                    _log.info("discovery.failed", why=str(error))
                await self._edges.clock.sleep(RESYNC_S if self._monitors else 1)

    async def _resync(self, group: asyncio.TaskGroup) -> None:
        discovery = await discover(self._edges.client)
        every = [each.target for each in discovery.resources]
        self._kinds = {(each.group, each.kind): each for each in reversed(every)}
        wanted = {
            each.target: None
            for each in discovery.resources
            if each.verbs >= _NEEDED and (each.target.group, each.target.plural) not in _IGNORED
        }
        for target in wanted:
            if target not in self._monitors:
                self._monitors[target] = self._start(group, target)
        # What a failing extension has is not gone.
        if not discovery.failures:
            for target in [each for each in self._monitors if each not in wanted]:
                self._stop(target)

    def _start(self, group: asyncio.TaskGroup, target: Target) -> _Monitor:
        edges = self._edges
        informer: Informer[Item] = Informer(
            edges.client, target, self._decode, clock=edges.clock, random=edges.random, metadata_only=True
        )
        informer.on_change(lambda key, old, new: self._on_change(target, old, new))
        task = group.create_task(informer.run(), name=f"garbagecollector.{target.plural}.{target.group}")
        return _Monitor(informer, task, edges.clock.monotonic())

    def _stop(self, target: Target) -> None:
        monitor = self._monitors.pop(target)
        monitor.task.cancel()
        for item in monitor.informer.items.values():
            self._on_unserved(item)
