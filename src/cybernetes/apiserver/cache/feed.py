"""Follows the store and keeps every resource's state; tells watchers and in-process subscribers of changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from cybernetes.apiserver.cache.state import Event, ResourceState
from cybernetes.apiserver.cache.watch import TICK_S, Hub
from cybernetes.apiserver.registry import prefix
from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Retry
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.base.tasks import backoff
from cybernetes.store.api import Batch, Store

log = Log("apiserver.cache")

# Each page counts what is behind it, which costs as much as reading some hundred objects.
LOAD_PAGE = 10_000
BOOKMARK_EVERY_S = 60.0
# A client that hears a bookmark just before the end of its watch can resume from there.
BOOKMARK_BEFORE_END_S = 2.0

Subscriber = Callable[[Event], None]


class Cached:
    """One stored resource: its state, its watchers, its in-process subscribers."""

    def __init__(self, group: str, plural: str, revision: int) -> None:
        self.group = group
        self.plural = plural
        self.state = ResourceState(prefix(group, plural), revision)
        self.hub = Hub()
        self.subscribers: list[Subscriber] = []
        # Held while the window is extended into the past; revisions up to which there was no room for that.
        self.reaching_back = asyncio.Lock()
        self.out_of_reach = 0
        # Events that were sent to watchers.
        self.sent = 0


class Caches:
    """All resources. `load`, then `run` for as long as the server lives.

    revision  everything up to it is in the states
    """

    def __init__(self, store: Store, clock: Clock, random: Random) -> None:
        self._store = store
        self._clock = clock
        self._random = random
        self._cached: dict[tuple[str, str], Cached] = {}
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self.ending = False
        self.revision = 0

    def of(self, group: str, plural: str) -> Cached:
        found = self._cached.get((group, plural))
        if found is None:
            found = self._cached[group, plural] = Cached(group, plural, self.revision)
        return found

    def __iter__(self) -> Iterator[Cached]:
        return iter(list(self._cached.values()))

    async def load(self) -> None:
        """Read everything in the store, as of one revision."""
        self.revision = await self._store.revision()
        start = ""
        while True:
            page = await self._store.range("/", start=start, limit=LOAD_PAGE, revision=self.revision)
            for entry in page.entries:
                cached = self._of_key(entry.key)
                if cached is not None:
                    cached.state.load(entry.key, entry.value, entry.revision, entry.created)
            if not page.more:
                return
            start = page.entries[-1].key + "\0"

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="apiserver.feed")
            group.create_task(self._tick(), name="apiserver.watches")

    async def reached(self, revision: int) -> None:
        """Return once everything up to `revision` is in the states."""
        if self.revision >= revision:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append((revision, waiter))
        await waiter

    def end_watches(self) -> None:
        """Those that are there, and those that come: they get what there is, and come again, to another server."""
        self.ending = True
        for cached in self:
            for watcher in list(cached.hub.each()):
                watcher.end()

    async def _follow(self) -> None:
        """For ever; a store that can't be reached for a while is asked again from where it broke off.

        Raises Compacted when what was missed is gone: only a fresh start can read everything again.
        """
        attempt = 0
        while True:
            try:
                async for batch in self._store.watch("/", self.revision):
                    attempt = 0
                    self._apply(batch)
            except EdgeError as broken:
                if broken.retry is Retry.NEVER:
                    raise
                log.warning("feed.broken", revision=self.revision, why=str(broken))
            await self._clock.sleep(backoff(attempt, first_s=0.1, limit_s=5.0, random=self._random))
            attempt += 1

    def _apply(self, batch: Batch) -> None:
        for change in batch.events:
            cached = self._of_key(change.key)
            event = cached.state.reduce(change) if cached is not None else None
            if cached is None or event is None:
                continue
            for subscriber in cached.subscribers:
                subscriber(event)
            cached.hub.publish(event)
        self.revision = max(self.revision, batch.revision)
        if self._waiting:
            self._release()

    def _release(self) -> None:
        still = []
        for revision, waiter in self._waiting:
            if revision > self.revision:
                still.append((revision, waiter))
            elif not waiter.done():
                waiter.set_result(None)
        self._waiting = still

    def _of_key(self, key: str) -> Cached | None:
        """The resource of a key `/GROUP/PLURAL/...`; None for keys of other use."""
        parts = key.split("/", 3)
        if len(parts) < 4:
            return None
        return self.of("" if parts[1] == "core" else parts[1], parts[2])

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(TICK_S)
            now = self._clock.monotonic()
            for cached in self:
                if cached.hub.count:
                    self._look_at(cached.hub, now)

    def _look_at(self, hub: Hub, now: float) -> None:
        for watcher in hub.due(now):
            if now >= watcher.deadline:
                watcher.end()
                continue
            if watcher.bookmarks and now >= watcher.next_bookmark:
                watcher.bookmark(self.revision)
                watcher.next_bookmark = _next_bookmark(now, watcher.deadline)
            hub.remind(watcher)


def _next_bookmark(now: float, deadline: float) -> float:
    last = deadline - BOOKMARK_BEFORE_END_S
    following = now + BOOKMARK_EVERY_S
    return last if now < last < following else following


def decoded(event: Event) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Both sides of an event as objects."""
    before = event.before.decode() if event.before else None
    after = event.after.decode() if event.after else None
    return before, after
