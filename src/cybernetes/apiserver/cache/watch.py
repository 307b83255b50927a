"""Fan-out: every event goes to the watchers that it concerns, found by index, encoded once a form."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from cybernetes.apiserver.cache.due import Due
from cybernetes.apiserver.cache.selection import Selection
from cybernetes.apiserver.cache.state import Event, Item

# Events that a watcher may be behind; one that is further back is closed, relists, and is quicker that way.
QUEUE_MAX = 4096
# Watchers that are sent to in one turn of the loop: the first of many hear sooner, and other requests come between.
# What is written leaves at the end of a turn; a turn itself costs a microsecond or two.
TURN_WATCHERS = 32

# How often deadlines and bookmarks of watches are looked at; bookmarks themselves come once a minute.
TICK_S = 0.5

Entry = tuple[str, Event] | int


class Watcher:
    """Events of one watch that were not sent yet.

    wait    returns once there is something to take, or the watch is over
    over    no more events will come
    direct  sends what is queued while somebody waits, without waking him; False when he has to see to it
    """

    __slots__ = (
        "_waiting",
        "bookmarks",
        "deadline",
        "direct",
        "next_bookmark",
        "over",
        "overflowed",
        "queue",
        "selection",
    )

    def __init__(self, selection: Selection, *, deadline: float, bookmarks: bool) -> None:
        self.selection = selection
        self.deadline = deadline
        self.bookmarks = bookmarks
        self.direct: Callable[[], bool] | None = None
        self.next_bookmark = 0.0
        self.queue: deque[Entry] = deque()
        self.over = False
        self.overflowed = False
        self._waiting: asyncio.Future[None] | None = None

    def offer(self, event: Event) -> bool:
        """Whether `flush` has to follow: the first of a queue that may be sent directly."""
        kind = self.selection.transition(event)
        if kind is None or self.over:
            return False
        queue = self.queue
        if self.direct is None or len(queue) >= QUEUE_MAX:
            self._push((kind, event))
            return False
        queue.append((kind, event))
        return len(queue) == 1

    def flush(self) -> None:
        """Send what is queued, if somebody waits for it; who does not wait takes it when he comes back."""
        waiting = self._waiting
        if waiting is None or waiting.done() or not self.queue:
            return
        try:
            sent = self.direct is not None and self.direct()
        except Exception as error:
            waiting.set_exception(error)
            return
        if not sent or self.over:
            waiting.set_result(None)

    def bookmark(self, revision: int) -> None:
        if not self.over and not self.queue:
            self._push(revision)

    def end(self) -> None:
        self.over = True
        self._wake()

    def _push(self, entry: Entry) -> None:
        if len(self.queue) >= QUEUE_MAX:
            self.queue.clear()
            self.overflowed = self.over = True
        else:
            self.queue.append(entry)
        self._wake()

    def take(self) -> list[Entry]:
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
        # Those whose deadline or bookmark comes.
        self._due: Due[Watcher] = Due(TICK_S)
        # Those whose queues are to be sent, in the order in which they heard.
        self._stirred: deque[Watcher] = deque()
        self._flushing = False
        self.count = 0

    def join(self, watcher: Watcher) -> None:
        self._bucket(watcher)[watcher] = None
        self.count += 1
        self.remind(watcher)

    def remind(self, watcher: Watcher) -> None:
        """Let `due` name it at its deadline, or at its next bookmark before."""
        self._due.put(watcher, min(watcher.deadline, watcher.next_bookmark if watcher.bookmarks else watcher.deadline))

    def due(self, now: float) -> list[Watcher]:
        """Once each; who is to be named again has to be reminded."""
        return self._due.take(now)

    def leave(self, watcher: Watcher) -> None:
        self._due.drop(watcher)
        self._bucket(watcher).pop(watcher, None)
        self.count -= 1
        self._drop_empty(watcher)

    def publish(self, event: Event) -> None:
        if not self.count:
            return
        stirred = self._stirred
        for watcher in self._all:
            if watcher.offer(event):
                stirred.append(watcher)
        if self._by_place:
            stirred.extend(each for each in self._by_place.get(event.place, ()) if each.offer(event))
        for field, by_value in self._by_field.items():
            stirred.extend(each for each in _of_values(by_value, field, event) if each.offer(event))
        if stirred and not self._flushing:
            # Later: what is published in the same turn of the loop is sent together.
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        stirred = self._stirred
        for _ in range(min(TURN_WATCHERS, len(stirred))):
            stirred.popleft().flush()
        self._flushing = bool(stirred)
        if stirred:
            asyncio.get_running_loop().call_soon(self._flush)

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
