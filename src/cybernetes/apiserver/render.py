"""Items to answers, in the form that the client asked for: joined bytes where the form is the stored one.

A renderer belongs to a resource and a form; equal requests share one, so that watchers share frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
import orjson

from cybernetes.apiserver import stored
from cybernetes.apiserver.cache.state import Item
from cybernetes.apiserver.registry import Served
from cybernetes.base.clock import Clock
from cybernetes.wire import negotiate

Object = dict[str, Any]

INITIAL_END = {"k8s.io/initial-events-end": "true"}


class ListMeta(msgspec.Struct, frozen=True):
    """revision: 0 where nothing of what is listed is stored."""

    revision: int = 0
    continued: str = ""
    remaining: int | None = None

    def build(self) -> Object:
        meta: Object = {"resourceVersion": str(self.revision)} if self.revision else {}
        if self.continued:
            meta["continue"] = self.continued
        if self.remaining is not None:
            meta["remainingItemCount"] = self.remaining
        return meta


class Renderer(Protocol):
    content_type: str
    stream_type: str
    # Whether parts cost nothing, because they are what is cached.
    cheap: bool

    def one(self, item: bytes) -> bytes:
        """The answer with a single object, from its item."""
        ...

    def parts(self, items: Sequence[Item]) -> list[bytes]:
        """Each item as it stands in a list."""
        ...

    def pieces(self, parts: Sequence[bytes], meta: ListMeta) -> list[bytes]:
        """The list of these parts, with what stands around and between them; not joined."""
        ...

    def frame(self, kind: str, item: bytes) -> bytes:
        """One event of a watch; kind is ADDED, MODIFIED or DELETED."""
        ...

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes: ...

    def error(self, status: Object) -> bytes:
        """The ERROR event that ends a watch."""
        ...


# Items whose parts are made in one go: some milliseconds where items must be decoded for it.
PARTS_MAX = 500


async def render_list(renderer: Renderer, items: Sequence[Item], meta: ListMeta, clock: Clock) -> list[bytes]:
    """A whole list, in parts that are not joined; other requests get their turn in between."""
    if len(items) <= PARTS_MAX or renderer.cheap:
        return renderer.pieces(renderer.parts(items), meta)
    parts: list[bytes] = []
    for at in range(0, len(items), PARTS_MAX):
        parts += renderer.parts(items[at : at + PARTS_MAX])
        await clock.sleep(0)
    return renderer.pieces(parts, meta)


def enclosed(head: bytes, parts: Sequence[bytes], tail: bytes) -> list[bytes]:
    """A JSON list with what stands around it, and commas between its parts."""
    out = [b","] * (2 * len(parts) + 1)
    out[1::2] = parts
    out[0] = head
    out[-1] = tail if parts else head + tail
    return out


class _Metadata(msgspec.Struct):
    metadata: msgspec.Raw


_METADATA = msgspec.json.Decoder(_Metadata)


def raw_metadata(item: bytes) -> bytes:
    """The JSON of an item's metadata, not decoded."""
    return bytes(_METADATA.decode(item).metadata)


def whole(served: Served, item: bytes) -> bytes:
    """The object of an item, in the version that is served."""
    return orjson.dumps(served.decode(item)) if served.converts else stored.whole(item, served.head)


class JsonRenderer:
    """Whole objects in JSON. Where the stored version is the served one, bytes are only joined."""

    content_type = negotiate.JSON
    stream_type = negotiate.JSON

    def __init__(self, served: Served) -> None:
        self._served = served
        row = served.resource
        self.cheap = not served.converts
        self._list_head = stored.head(row.api_version, f"{row.kind}List")

    def one(self, item: bytes) -> bytes:
        return whole(self._served, item)

    def parts(self, items: Sequence[Item]) -> list[bytes]:
        if self._served.converts:
            return [orjson.dumps(_untyped(self._served.decode(item.json))) for item in items]
        if self._served.custom:
            # Readers of custom resources decode items without knowing their kind.
            return [stored.whole(item.json, self._served.head) for item in items]
        return [item.json for item in items]

    def pieces(self, parts: Sequence[bytes], meta: ListMeta) -> list[bytes]:
        # Lists of custom resources say that nothing continues them, too.
        built = {"continue": "", **meta.build()} if self._served.custom else meta.build()
        return enclosed(b'%b"metadata":%b,"items":[' % (self._list_head, orjson.dumps(built)), parts, b"]}\n")

    def frame(self, kind: str, item: bytes) -> bytes:
        return b'{"type":"%b","object":%b}\n' % (kind.encode(), self.one(item))

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        metadata: Object = {"resourceVersion": str(revision)}
        if initial_end:
            metadata["annotations"] = INITIAL_END
        obj = b'%b"metadata":%b}' % (self._served.head, orjson.dumps(metadata))
        return b'{"type":"BOOKMARK","object":%b}\n' % obj

    def error(self, status: Object) -> bytes:
        return b'{"type":"ERROR","object":%b}\n' % orjson.dumps(status)


class MetadataRenderer:
    """PartialObjectMetadata and its list, in JSON."""

    content_type = negotiate.JSON
    stream_type = negotiate.JSON
    cheap = False

    def __init__(self, served: Served, version: str) -> None:
        self._served = served
        self._head = stored.head(f"meta.k8s.io/{version}", negotiate.METADATA)
        self._list_head = stored.head(f"meta.k8s.io/{version}", negotiate.METADATA_LIST)

    def one(self, item: bytes) -> bytes:
        if self._served.converts:
            return self._partial(orjson.dumps(self._served.decode(item)["metadata"]))
        return self._partial(raw_metadata(item))

    def parts(self, items: Sequence[Item]) -> list[bytes]:
        return [self.one(item.json) for item in items]

    def pieces(self, parts: Sequence[bytes], meta: ListMeta) -> list[bytes]:
        head = b'%b"metadata":%b,"items":[' % (self._list_head, orjson.dumps(meta.build()))
        return enclosed(head, parts, b"]}\n")

    def frame(self, kind: str, item: bytes) -> bytes:
        return b'{"type":"%b","object":%b}\n' % (kind.encode(), self.one(item))

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        metadata: Object = {"resourceVersion": str(revision)}
        if initial_end:
            metadata["annotations"] = INITIAL_END
        return b'{"type":"BOOKMARK","object":%b}\n' % self._partial(orjson.dumps(metadata))

    def error(self, status: Object) -> bytes:
        return b'{"type":"ERROR","object":%b}\n' % orjson.dumps(status)

    def _partial(self, metadata: bytes) -> bytes:
        return b'%b"metadata":%b}' % (self._head, metadata)


def _untyped(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}
