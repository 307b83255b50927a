"""Fan-out: every event goes to the watchers that it concerns, found by index, encoded once a form."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from cybernetes.apiserver.cache.selection import Selection
from cybernetes.apiserver.cache.state import Event, Item

# Events that a watcher may be behind; one that is further back is closed, relists, and is quicker that way.
QUEUE_MAX = 4096


class Watcher:
    """Events of one watch that were not sent yet.

    wait   returns once there is something to take, or the watch is over
    over   no more events will come: `ended` says why ("" after a regular end)
    """

    __slots__ = ("_waiting", "bookmarks", "deadline", "next_bookmark", "over", "overflowed", "queue", "selection")

    def __init__(self, selection: Selection, *, deadline: float, bookmarks: bool) -> None:
        self.selection = selection
        self.deadline = deadline
        self.bookmarks = bookmarks
        self.next_bookmark = 0.0
        self.queue: deque[tuple[str, Event] | int] = deque()
        self.over = False
        self.overflowed = False
        self._waiting: asyncio.Future[None] | None = None

    def offer(self, event: Event) -> None:
        kind = self.selection.transition(event)
        if kind is not None and not self.over:
            self._push((kind, event))

    def bookmark(self, revision: int) -> None:
        if not self.over and not self.queue:
            self._push(revision)

    def end(self) -> None:
        self.over = True
        self._wake()

    def _push(self, entry: tuple[str, Event] | int) -> None:
        if len(self.queue) >= QUEUE_MAX:
            self.queue.clear()
            self.overflowed = self.over = True
        else:
            self.queue.append(entry)
        self._wake()

    def take(self) -> list[tuple[str, Event] | int]:
        taken = list(self.queue)
        self.queue.clear()
        return taken

    async def wait(self) -> None:
        if self.queue or self.over:
            return
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class Hub:
    """The watchers of one stored resource, indexed so that an event meets only those it can concern.

    A watch of one name is found by place; one with an equality on a field (a kubelet's `spec.nodeName`) by
    that field's value; all others see every event. Watchers hear in the order in which they joined.
    """

    def __init__(self) -> None:
        self._all: dict[Watcher, None] = {}
        self._by_place: dict[str, dict[Watcher, None]] = {}
        self._by_field: dict[str, dict[str, dict[Watcher, None]]] = {}
        self.count = 0

    def join(self, watcher: Watcher) -> None:
        self._bucket(watcher)[watcher] = None
        self.count += 1

    def leave(self, watcher: Watcher) -> None:
        self._bucket(watcher).pop(watcher, None)
        self.count -= 1
        self._drop_empty(watcher)

    def publish(self, event: Event) -> None:
        if not self.count:
            return
        for watcher in self._all:
            watcher.offer(event)
        for watcher in self._by_place.get(event.place, ()):
            watcher.offer(event)
        for field, by_value in self._by_field.items():
            for watcher in _of_values(by_value, field, event):
                watcher.offer(event)

    def each(self) -> Iterable[Watcher]:
        yield from self._all
        for same_place in self._by_place.values():
            yield from same_place
        for by_value in self._by_field.values():
            for same_value in by_value.values():
                yield from same_value

    def _bucket(self, watcher: Watcher) -> dict[Watcher, None]:
        selection = watcher.selection
        if selection.place is not None:
            return self._by_place.setdefault(selection.place, {})
        term = _indexable(selection)
        if term is None:
            return self._all
        return self._by_field.setdefault(term[0], {}).setdefault(term[1], {})

    def _drop_empty(self, watcher: Watcher) -> None:
        place = watcher.selection.place
        if place is not None:
            if not self._by_place[place]:
                del self._by_place[place]
            return
        term = _indexable(watcher.selection)
        if term is not None and not self._by_field[term[0]][term[1]]:
            del self._by_field[term[0]][term[1]]
            if not self._by_field[term[0]]:
                del self._by_field[term[0]]


def _indexable(selection: Selection) -> tuple[str, str] | None:
    return next(((term.field, term.value) for term in selection.fields if term.equal), None)


def _of_values(by_value: dict[str, dict[Watcher, None]], field: str, event: Event) -> dict[Watcher, None]:
    """Watchers of the values that the field has before or after the event."""
    some = next(iter(next(iter(by_value.values()))))
    read: Callable[[Item, str], str] = some.selection.value
    found: dict[Watcher, None] = {}
    for item in (event.before, event.after):
        if item is not None:
            found.update(by_value.get(read(item, field), {}))
    return found
