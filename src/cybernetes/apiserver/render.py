"""Items to answers, in the form that the client asked for: joined bytes where the form is the stored one.

A renderer belongs to a resource and a form; equal requests share one, so that watchers share frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec
import orjson

from cybernetes.apiserver import stored
from cybernetes.apiserver.cache.state import Item
from cybernetes.apiserver.registry import Served
from cybernetes.wire import negotiate

Object = dict[str, Any]

INITIAL_END = {"k8s.io/initial-events-end": "true"}


class ListMeta(msgspec.Struct, frozen=True):
    revision: int
    continued: str = ""
    remaining: int | None = None

    def build(self) -> Object:
        meta: Object = {"resourceVersion": str(self.revision)}
        if self.continued:
            meta["continue"] = self.continued
        if self.remaining is not None:
            meta["remainingItemCount"] = self.remaining
        return meta


class Renderer(Protocol):
    content_type: str
    stream_type: str

    def one(self, item: bytes) -> bytes:
        """The answer with a single object, from its item."""
        ...

    def many(self, items: Sequence[Item], meta: ListMeta) -> bytes: ...

    def frame(self, kind: str, item: bytes) -> bytes:
        """One event of a watch; kind is ADDED, MODIFIED or DELETED."""
        ...

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes: ...

    def error(self, status: Object) -> bytes:
        """The ERROR event that ends a watch."""
        ...


class JsonRenderer:
    """Whole objects in JSON. Where the stored version is the served one, bytes are only joined."""

    content_type = negotiate.JSON
    stream_type = negotiate.JSON

    def __init__(self, served: Served) -> None:
        self._served = served
        row = served.resource
        self._list_head = stored.head(row.api_version, f"{row.kind}List")

    def one(self, item: bytes) -> bytes:
        if self._served.converts:
            return orjson.dumps(self._served.decode(item))
        return stored.whole(item, self._served.head)

    def many(self, items: Sequence[Item], meta: ListMeta) -> bytes:
        return b'%b"metadata":%b,"items":[%b]}\n' % (
            self._list_head,
            orjson.dumps(meta.build()),
            b",".join(self._items(items)),
        )

    def _items(self, items: Sequence[Item]) -> Iterable[bytes]:
        if self._served.converts:
            return [orjson.dumps(_untyped(self._served.decode(item.json))) for item in items]
        if self._served.custom:
            # Readers of custom resources decode items without knowing their kind.
            return [stored.whole(item.json, self._served.head) for item in items]
        return [item.json for item in items]

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

    def __init__(self, served: Served, version: str) -> None:
        self._served = served
        self._version = f"meta.k8s.io/{version}"

    def one(self, item: bytes) -> bytes:
        return orjson.dumps(self._partial(item))

    def many(self, items: Sequence[Item], meta: ListMeta) -> bytes:
        listed = {
            "kind": negotiate.METADATA_LIST,
            "apiVersion": self._version,
            "metadata": meta.build(),
            "items": [self._partial(item.json) for item in items],
        }
        return orjson.dumps(listed) + b"\n"

    def frame(self, kind: str, item: bytes) -> bytes:
        return orjson.dumps({"type": kind, "object": self._partial(item)}) + b"\n"

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        metadata: Object = {"resourceVersion": str(revision)}
        if initial_end:
            metadata["annotations"] = INITIAL_END
        obj = {"kind": negotiate.METADATA, "apiVersion": self._version, "metadata": metadata}
        return orjson.dumps({"type": "BOOKMARK", "object": obj}) + b"\n"

    def error(self, status: Object) -> bytes:
        return orjson.dumps({"type": "ERROR", "object": status}) + b"\n"

    def _partial(self, item: bytes) -> Object:
        metadata = self._served.decode(item)["metadata"]
        return {"kind": negotiate.METADATA, "apiVersion": self._version, "metadata": metadata}


def _untyped(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}
