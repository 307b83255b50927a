"""Watches: a stream of frames that begins with the current objects, or with what happened since a version.

source  Kubernetes API Concepts, "Efficient detection of changes", "Streaming lists"
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from itertools import groupby

import msgspec

from cybernetes.apiserver import respond, sockets
from cybernetes.apiserver.cache.feed import Cached
from cybernetes.apiserver.cache.past import history, reach_back
from cybernetes.apiserver.cache.selection import ADDED, DELETED, Selection
from cybernetes.apiserver.cache.state import Event, Item, ResourceState
from cybernetes.apiserver.cache.watch import Entry, Watcher
from cybernetes.apiserver.core import Call, Core
from cybernetes.apiserver.handlers.list import selection_of
from cybernetes.apiserver.handlers.revisions import check_not_future, expired
from cybernetes.apiserver.options import ListOptions, list_options
from cybernetes.apiserver.render import Renderer
from cybernetes.apiserver.tables import TableRenderer
from cybernetes.base.errors import ApiError
from cybernetes.model.selector import FieldTerm
from cybernetes.store.api import Compacted
from cybernetes.wire import negotiate
from cybernetes.wire.http.message import Response, Sink

# Without a time-out of its own a watch ends after half an hour to an hour, so that load spreads over servers.
DEFAULT_TIMEOUT_S = 1800
# Initial events that are joined into one chunk: large enough for speed, small enough not to hold the loop.
CHUNK_EVENTS = 200
BOOKMARK_FIRST_S = 60.0


class Start(msgspec.Struct, frozen=True):
    """current: whether the objects of now come first; after: events after this revision follow; end_mark: whether a
    bookmark tells that the initial ones are complete."""

    current: bool
    after: int = 0
    end_mark: bool = False


async def watch(core: Core, call: Call) -> Response:
    options = list_options(call.request, watch=True)
    if call.info.path.split("/")[-1] == call.info.name and call.info.name != "":
        options = _of_name(options, call.info.name)
    selection = selection_of(call, options)
    form = respond.form_of(call, respond.WATCH_SHAPES)
    renderer = respond.renderer(core, call, form)
    start = _start(options)
    await core.consistent()
    if options.number:
        await check_not_future(core, options.number)
    cached = core.caches.of(*call.served.keeper)
    # Of objects that must be converted first, the watcher is offered all; the stream, which can wait, selects.
    offered = selection if call.served.views is None else selection.unseen()
    watcher = _join(core, offered, options)
    frames = _Frames(renderer, selection)
    stream = _stream(core, cached, watcher, frames, start)
    if sockets.asked(call.request):
        if renderer.stream_type.partition(";")[0] != negotiate.JSON:
            raise negotiate.not_acceptable()
        return sockets.answer(call.request, _lines(stream), text=True)
    headers = [respond.CACHE_CONTROL, ("Content-Type", renderer.stream_type)]
    headers += [("Warning", text) for text in respond.warning_headers(call.warnings)]
    attach = _direct(cached, watcher, frames) if call.served.views is None else None
    return Response(200, headers, stream, attach=attach)


def _direct(cached: Cached, watcher: Watcher, frames: _Frames) -> Callable[[Sink], None]:
    """Lets a watcher send by itself what needs no waiting."""

    def attach(sink: Sink) -> None:
        def send() -> bool:
            if not sink.flowing:
                return False
            queued = watcher.queue
            cached.sent += len(queued)
            sink.push(frames.ready(queued))
            queued.clear()
            return True

        watcher.direct = send

    return attach


async def _lines(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Events one by one: over a WebSocket each is a message."""
    async for chunk in stream:
        for line in chunk.splitlines():
            yield line


def _of_name(options: ListOptions, name: str) -> ListOptions:
    """A watch on the path of one object."""
    term = FieldTerm("metadata.name", name, True)
    return msgspec.structs.replace(options, fields=(*options.fields, term))


def _start(options: ListOptions) -> Start:
    if options.initial_events:
        return Start(current=True, end_mark=options.bookmarks)
    if options.number:
        return Start(current=False, after=options.number)
    return Start(current=options.initial_events is None)


def _join(core: Core, selection: Selection, options: ListOptions) -> Watcher:
    now = core.clock.monotonic()
    timeout_s: float = options.timeout_s or core.random.jitter(DEFAULT_TIMEOUT_S, 1.0)
    watcher = Watcher(selection, deadline=now + timeout_s, bookmarks=options.bookmarks)
    watcher.next_bookmark = now + min(BOOKMARK_FIRST_S, max(0.0, timeout_s - 2.0))
    if core.caches.ending:
        watcher.end()
    return watcher


async def _stream(core: Core, cached: Cached, watcher: Watcher, encode: _Frames, start: Start) -> AsyncIterator[bytes]:
    """Frames, a chunk for all that is ready. The watcher is joined before anything else can happen to the state."""
    state = cached.state
    cached.hub.join(watcher)
    try:
        at = core.caches.revision
        if start.current:
            for chunk in encode.current(await encode.seen(_snapshot(state, watcher.selection))):
                yield chunk
        elif start.after:
            async for chunk in _missed(core, cached, encode, start.after, at):
                yield chunk
        else:
            yield b""
        if start.end_mark:
            yield encode.end_mark(at)
        while True:
            await watcher.wait()
            if watcher.queue:
                entries = watcher.take()
                cached.sent += len(entries)
                yield await encode.entries(entries)
            elif watcher.over:
                return
    except ApiError as error:
        yield encode.error(error)
    finally:
        cached.hub.leave(watcher)
        # It knows the connection, which knows this stream: so both are freed at once.
        watcher.direct = None


def _snapshot(state: ResourceState, selection: Selection) -> list[Item]:
    return [item for item in selection.candidates(state) if selection.matches(item)]


async def _missed(core: Core, cached: Cached, encode: _Frames, after: int, upto: int) -> AsyncIterator[bytes]:
    """Events after a revision, from the window, or from the store's history. Raises ApiError 410."""
    state = cached.state
    try:
        if after < state.window_from:
            await reach_back(core.store, cached, after)
        if after >= state.window_from:
            events = [event for event in state.since(after) if event.revision <= upto]
            yield await encode.events(events)
            return
        async for some in history(core.store, state, after, upto):
            yield await encode.events(some)
    except Compacted as gone:
        raise expired(f"too old resource version: {after} ({gone.oldest})") from gone


class _Frames:
    """Encodes for one watch; frames of events are shared with others of the same renderer."""

    def __init__(self, renderer: Renderer, selection: Selection) -> None:
        self._renderer = renderer
        self._selection = selection
        self._views = selection.served.views
        # The first Table of a watch has the column definitions.
        self._columns = isinstance(renderer, TableRenderer)

    async def seen(self, items: list[Item]) -> list[Item]:
        """Of the first items those that are selected, as they are shown."""
        if self._views is None:
            return items
        return [each for each in await self._views.of(items) if self._selection.matches(each)]

    def end_mark(self, revision: int) -> bytes:
        return self._renderer.bookmark(revision, initial_end=True)

    def error(self, error: ApiError) -> bytes:
        return self._renderer.error(error.status())

    def current(self, items: list[Item]) -> Iterator[bytes]:
        for at in range(0, len(items), CHUNK_EVENTS):
            chunk = items[at : at + CHUNK_EVENTS]
            yield self._joined(self._renderer.frame(ADDED, item.json) for item in chunk)
        if not items:
            yield b""

    async def events(self, events: list[Event]) -> bytes:
        if self._views is not None:
            events = await self._views.events(events, former=not self._selection.everything)
        frames = []
        for event in events:
            kind = self._selection.transition(event)
            if kind is not None:
                frames.append(self._frame(kind, event))
        return self._joined(frames)

    def ready(self, entries: Sequence[Entry]) -> bytes:
        """Of a resource without views."""
        if len(entries) == 1 and not self._columns:
            return self._entry(entries[0])
        return self._joined([self._entry(each) for each in entries])

    async def entries(self, entries: list[Entry]) -> bytes:
        if self._views is None:
            return self.ready(entries)
        parts = []
        for bookmarks, some in groupby(entries, lambda each: isinstance(each, int)):
            if bookmarks:
                parts += [self._entry(each) for each in some]
            else:
                parts.append(await self.events([each[1] for each in some if not isinstance(each, int)]))
        return b"".join(parts)

    def _entry(self, entry: Entry) -> bytes:
        if isinstance(entry, int):
            return self._renderer.bookmark(entry, initial_end=False)
        return self._frame(*entry)

    def _frame(self, kind: str, event: Event) -> bytes:
        key = (self._renderer, kind)
        frame = event.frames.get(key)
        if frame is None:
            item = event.last() if kind == DELETED else event.after
            assert item is not None
            frame = event.frames[key] = self._renderer.frame(kind, item.json)
        return frame

    def _joined(self, frames: Iterable[bytes]) -> bytes:
        joined = b"".join(frames)
        if self._columns and joined and isinstance(self._renderer, TableRenderer):
            self._columns = False
            return self._renderer.with_columns(joined)
        return joined
