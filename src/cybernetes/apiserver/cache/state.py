"""One stored resource in memory: items in key order, a window of recent events, the watchers that get them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sortedcontainers import SortedDict

from cybernetes.apiserver import stored
from cybernetes.apiserver.cache.index import Index, by_field, by_label
from cybernetes.store.api import Event as StoreEvent

# Events kept for watches that come back: at 1,000 writes a second a few seconds of absence. Older ones are
# read from the store's history, so this is about speed only.
WINDOW_EVENTS_MAX = 4096
WINDOW_BYTES_MAX = 8 << 20


Reading = Callable[[str], "Callable[[Item], str]"]


class _Labelled(msgspec.Struct, gc=False):
    labels: msgspec.Raw = msgspec.Raw(b"null")


class _Meta(msgspec.Struct, gc=False):
    metadata: _Labelled


_META = msgspec.json.Decoder(_Meta)
_LABELS = msgspec.json.Decoder(dict[str, str] | None)
_NO_LABELS: dict[str, str] = {}
# Sets of labels that are remembered, and how long their text may be: those of some hundred rollouts that go on at once.
SHARED_LABELS_MAX = 1024
SHARED_LABELS_BYTES_MAX = 1024


class Item(msgspec.Struct, gc=False, eq=False):
    """One object. `json` is its item (see `stored`); labels and fields are parsed when first asked for.

    place    "NAMESPACE/NAME", or the name alone for cluster-scoped resources: the order of lists
    version  the API version in which it lies in the store
    views    what versions of a custom resource made of it, as `crd.views` remembers it

    The garbage collector does not look at items: a server holds hundreds of thousands, and none is part of a cycle.
    """

    place: str
    json: bytes
    revision: int
    created: int
    version: str = ""
    views: tuple[tuple[Any, Item | None], ...] = ()
    _labels: dict[str, str] | None = None
    _fields: dict[str, str] | None = None

    @property
    def namespace(self) -> str:
        return self.place.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.place.rpartition("/")[2]

    @property
    def labels(self) -> dict[str, str]:
        if self._labels is None:
            self._labels = _labels_of(_META.decode(self.json).metadata.labels)
        return self._labels

    def fields(self, read: Callable[[bytes], dict[str, str]]) -> dict[str, str]:
        if self._fields is None:
            self._fields = read(self.json)
        return self._fields

    def decode(self) -> dict[str, Any]:
        return stored.decode(self.json)


def _labels_of(text: msgspec.Raw) -> dict[str, str]:
    """Pods of one template have the same labels: they share one dict, a third of a kilobyte each."""
    if len(text) <= SHARED_LABELS_BYTES_MAX:
        return _shared_labels(bytes(text))
    return _LABELS.decode(text) or _NO_LABELS


@lru_cache(maxsize=SHARED_LABELS_MAX)
def _shared_labels(text: bytes) -> dict[str, str]:
    return _LABELS.decode(text) or _NO_LABELS


def item_of(place: str, value: bytes, revision: int, created: int) -> Item:
    """The item of a stored value."""
    if created == revision:
        # One number in memory, not two, for what was never written again.
        created = revision
    return Item(place, stored.item(value, revision), revision, created, stored.version(value))


class Event(msgspec.Struct, gc=False, eq=False):
    """A change of one item: `before` is None when it was created, `after` when it was deleted.

    frames  encoded watch events by renderer and type, so that watchers alike share one
    place   of the item; every watcher asks for it
    """

    before: Item | None
    after: Item | None
    revision: int
    frames: dict[Any, bytes] = {}
    place: str = ""

    def __post_init__(self) -> None:
        item = self.after or self.before
        assert item is not None
        self.place = item.place

    def last(self) -> Item:
        """What a DELETED event shows: the former state at the revision of this event."""
        assert self.before is not None
        json = stored.at_revision(self.before.json, self.revision)
        return Item(self.before.place, json, self.revision, self.before.created, self.before.version)


class ResourceState:
    """The items of one stored resource, folded from the store's events.

    changed     revision of the newest change of this resource
    window_from events after this revision are all in the window
    """

    def __init__(self, prefix: str, revision: int) -> None:
        self.prefix = prefix
        self.items: SortedDict[str, Item] = SortedDict()
        self.changed = 0
        self.window: deque[Event] = deque()
        self.window_from = revision
        self._window_bytes = 0
        # Made when they are first asked, for most are never: (how it is read, path of a field or label) -> index.
        self._indexes: dict[tuple[Reading, str], Index] = {}

    def load(self, key: str, value: bytes, revision: int, created: int) -> None:
        """An entry of the first read of the store."""
        place = key[len(self.prefix) :]
        self.items[place] = item_of(place, value, revision, created)
        self.changed = max(self.changed, revision)

    def reduce(self, event: StoreEvent) -> Event | None:
        """Fold one event of the store in; None when there was nothing to delete."""
        place = event.key[len(self.prefix) :]
        if event.value is None:
            before = self.items.pop(place, None)
            if before is None:
                return None
            change = Event(before, None, event.revision)
        else:
            before = self.items.get(place)
            after = item_of(place, event.value, event.revision, event.created)
            self.items[place] = after
            change = Event(before, after, event.revision)
        for index in self._indexes.values():
            index.change(change.before, change.after)
        self.changed = event.revision
        self._remember(change)
        return change

    def get(self, place: str) -> Item | None:
        return self.items.get(place)

    def range(self, namespace: str = "", start: str = "") -> Iterator[Item]:
        """Items in order, of one namespace or all, from place `start` on."""
        if not namespace and not start:
            yield from self.items.values()
            return
        least, beyond = _bounds(namespace, start)
        items = self.items
        for place in items.irange(least, beyond, inclusive=(True, False)):
            yield items[place]

    def having(self, path: str, value: str, namespace: str = "", start: str = "") -> Iterator[Item]:
        """Items of `range` whose field at `path`, a text, has this value; in order."""
        return self._indexed(by_field, path, value, namespace, start)

    def labelled(self, label: str, value: str, namespace: str = "") -> Iterator[Item]:
        """Items of `range` whose label has this value; in order."""
        return self._indexed(by_label, label, value, namespace)

    def _indexed(self, reading: Reading, path: str, value: str, namespace: str, start: str = "") -> Iterator[Item]:
        index = self._indexes.get((reading, path))
        if index is None:
            index = self._indexes[reading, path] = Index(reading(path))
            for item in self.items.values():
                index.change(None, item)
        least, beyond = _bounds(namespace, start)
        for place in index.places(value):
            if place >= least and (beyond is None or place < beyond):
                yield self.items[place]

    def count(self, namespace: str = "", start: str = "") -> int:
        """How many items `range` gives; it does not look at them."""
        least, beyond = _bounds(namespace, start)
        end = len(self.items) if beyond is None else self.items.bisect_left(beyond)
        return end - self.items.bisect_left(least)

    def since(self, revision: int) -> list[Event]:
        """Events after `revision`, which must not be before `window_from`."""
        found: list[Event] = []
        for event in reversed(self.window):
            if event.revision <= revision:
                break
            found.append(event)
        found.reverse()
        return found

    def past(self, changes: Iterable[StoreEvent]) -> list[Event]:
        """Events of changes from before; nothing here changes. Former states have no revision of their own: 0."""
        found = []
        for each in changes:
            place = each.key[len(self.prefix) :]
            before = None if each.previous is None else item_of(place, each.previous, 0, each.created)
            after = None if each.value is None else item_of(place, each.value, each.revision, each.created)
            if before is not None or after is not None:
                found.append(Event(before, after, each.revision))
        return found

    def has_room(self, events: Sequence[Event]) -> bool:
        """Whether the window may hold these, too."""
        size = self._window_bytes + sum(map(_size, events))
        return len(self.window) + len(events) <= WINDOW_EVENTS_MAX and size <= WINDOW_BYTES_MAX

    def extend(self, after: int, events: Sequence[Event]) -> None:
        """Let the window begin after an earlier revision. events: all between, in order."""
        self.window.extendleft(reversed(events))
        self._window_bytes += sum(map(_size, events))
        self.window_from = after

    def _remember(self, event: Event) -> None:
        self.window.append(event)
        self._window_bytes += _size(event)
        while len(self.window) > WINDOW_EVENTS_MAX or self._window_bytes > WINDOW_BYTES_MAX:
            oldest = self.window.popleft()
            self._window_bytes -= _size(oldest)
            self.window_from = oldest.revision


def _bounds(namespace: str, start: str) -> tuple[str, str | None]:
    """The first place that may be in a range, and the first one behind it."""
    # "0" is the character after "/".
    return max(f"{namespace}/" if namespace else "", start), f"{namespace}0" if namespace else None


def _size(event: Event) -> int:
    # Only the former state counts: the new one is the item that is cached anyway, until it is a former one too.
    return len(event.before.json) if event.before else 64
