"""Gives committed batches to watches: each its own bounded buffer, history when it fell behind.

A watch reads history up to the revision at which it joined, then its buffer. A watch that does not
keep up loses its buffer, not its place: it reads what it missed from history and goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from cybernetes.base.clock import Clock
from cybernetes.store.api import Batch, Event
from cybernetes.store.keys import folders

# Enough for a burst while a consumer encodes; more than this is cheaper to read again from history.
BUFFER_BATCHES_MAX = 1024
BUFFER_BYTES_MAX = 8 << 20
# Bookmarks reach clients once a minute, caches ask by `progress`; a second keeps both fresh at no cost.
PROGRESS_S = 1.0
# An API server has one watch, of all: so few folders are compared quicker than those of a key are cut out.
FEW_FOLDERS = 4


class Log(Protocol):
    def refuse_watch(self, prefix: str, after: int) -> None:
        """Raises Compacted or FutureRevision when no watch can begin there, EdgeError when the store is closed."""
        ...

    def history(self, prefix: str, after: int, upto: int) -> AsyncIterator[Batch]:
        """Batches with after < revision <= upto, in order; raises Compacted."""
        ...


class Feed:
    """The watches of one store in this process. All methods belong to the event loop's thread."""

    def __init__(self, revision: int, log: Log, clock: Clock) -> None:
        self.revision = revision
        self._log = log
        self._clock = clock
        self._by_folder: dict[str, list[_Watcher]] = {}
        self._other: list[_Watcher] = []
        self._ticker: asyncio.Task[None] | None = None
        self._ended: Exception | None = None
        self._asked = 0

    @property
    def watches(self) -> int:
        return len(self._other) + sum(len(each) for each in self._by_folder.values())

    def publish(self, batches: Sequence[Batch]) -> None:
        """Hand committed batches, ascending, to every watch that they concern."""
        for batch in batches:
            self.revision = batch.revision
            if len(batch.events) == 1:
                event = batch.events[0]
                size = _size(event)
                for watcher in self._concerned(event.key):
                    watcher.offer(batch, size)
            else:
                self._publish_many(batch)
        if self._asked and self.revision >= self._asked:
            self.progress()

    def progress(self, revision: int = 0) -> None:
        """Tell `revision`, as soon as it is published, to watches that have nothing else to read; 0: the current one."""
        if revision > self.revision:
            self._asked = max(self._asked, revision)
            return
        self._asked = 0
        batch = Batch(self.revision, ())
        for watcher in self._all():
            watcher.tell(batch)

    def missed(self, revision: int) -> None:
        """What was committed up to `revision` and not published here: watches read it from history."""
        if revision > self.revision:
            self.revision = revision
            for watcher in self._all():
                watcher.fall_behind()

    def end(self, error: Exception) -> None:
        """End all watches, also later ones, with `error`."""
        self._ended = error
        for watcher in self._all():
            watcher.wake()

    async def watch(self, prefix: str, after: int) -> AsyncIterator[Batch]:
        """See Store.watch."""
        self._log.refuse_watch(prefix, after)
        watcher = self._join(prefix)
        try:
            while True:
                upto = watcher.restart(self.revision)
                async for batch in self._log.history(prefix, after, upto):
                    after = batch.revision
                    yield batch
                if after < upto:
                    after = upto
                    yield Batch(upto, ())
                while not watcher.overflowed:
                    if self._ended is not None:
                        raise self._ended
                    if not watcher.buffer:
                        await watcher.wait()
                        continue
                    batch = watcher.take()
                    # What is on disk may be read, and watched from, a moment before it is published.
                    if batch.revision > after:
                        after = batch.revision
                        yield batch
        finally:
            self._leave(watcher)

    def _publish_many(self, batch: Batch) -> None:
        mine: dict[_Watcher, list[Event]] = {}
        for event in batch.events:
            for watcher in self._concerned(event.key):
                mine.setdefault(watcher, []).append(event)
        shared: dict[str, tuple[Batch, int]] = {}
        for watcher, events in mine.items():
            if watcher.prefix not in shared:
                shared[watcher.prefix] = Batch(batch.revision, tuple(events)), sum(map(_size, events))
            watcher.offer(*shared[watcher.prefix])

    def _concerned(self, key: str) -> list[_Watcher]:
        found = [watcher for watcher in self._other if key.startswith(watcher.prefix)]
        if len(self._by_folder) <= FEW_FOLDERS:
            for folder, watchers in self._by_folder.items():
                if key.startswith(folder):
                    found += watchers
            return found
        for folder in folders(key):
            found += self._by_folder.get(folder, ())
        return found

    def _all(self) -> list[_Watcher]:
        return [*self._other, *(watcher for each in self._by_folder.values() for watcher in each)]

    def _join(self, prefix: str) -> _Watcher:
        watcher = _Watcher(prefix)
        if prefix.endswith("/"):
            self._by_folder.setdefault(prefix, []).append(watcher)
        else:
            self._other.append(watcher)
        if self._ticker is None:
            self._ticker = asyncio.get_running_loop().create_task(self._tick(), name="store.progress")
        return watcher

    def _leave(self, watcher: _Watcher) -> None:
        if watcher.prefix.endswith("/"):
            same = self._by_folder[watcher.prefix]
            same.remove(watcher)
            if not same:
                del self._by_folder[watcher.prefix]
        else:
            self._other.remove(watcher)
        if not self._by_folder and not self._other and self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(PROGRESS_S)
            self.progress()


class _Watcher:
    """What one watch has not read yet."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.buffer: deque[tuple[Batch, int]] = deque()
        self.overflowed = False
        self._bytes = 0
        self._told = 0
        self._waiting: asyncio.Future[None] | None = None

    def restart(self, revision: int) -> int:
        """Forget the buffer; the caller reads history up to the returned revision, the buffer has what follows."""
        self.buffer.clear()
        self._bytes = 0
        self.overflowed = False
        self._told = revision
        return revision

    def offer(self, batch: Batch, size: int) -> None:
        if self.overflowed:
            return
        if len(self.buffer) >= BUFFER_BATCHES_MAX or self._bytes > BUFFER_BYTES_MAX:
            self.fall_behind()
            return
        self.buffer.append((batch, size))
        self._bytes += size
        self._told = batch.revision
        self.wake()

    def fall_behind(self) -> None:
        """What is in the buffer, and what follows, is read from history."""
        self.buffer.clear()
        self.overflowed = True
        self.wake()

    def tell(self, progress: Batch) -> None:
        if not self.overflowed and not self.buffer and self._told < progress.revision:
            self.offer(progress, 0)

    def take(self) -> Batch:
        batch, size = self.buffer.popleft()
        self._bytes -= size
        return batch

    def wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def wait(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None


def _size(event: Event) -> int:
    return len(event.value or b"") + len(event.previous or b"")
