"""Items to protobuf answers: whole objects, and their metadata alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cybernetes.apiserver.cache.state import Item
from cybernetes.apiserver.registry import Served
from cybernetes.apiserver.render import INITIAL_END, ListMeta
from cybernetes.base.errors import Bug
from cybernetes.model.schema import compile as schema_compile
from cybernetes.wire import negotiate, protobuf

Object = dict[str, Any]

STREAM = f"{negotiate.PROTOBUF};stream=watch"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1"


def encode(obj: Object) -> bytes:
    """Any object of a built-in kind, in its envelope: Statuses, reviews, Scales."""
    node = schema_compile.kind_node(obj["apiVersion"], obj["kind"])
    if node is None and obj["kind"] == "Status":
        node = schema_compile.node(f"{_META}.Status")
    if node is None:
        raise Bug(f"{obj['apiVersion']} {obj['kind']} has no protobuf message")
    return protobuf.seal(obj["apiVersion"], obj["kind"], protobuf.encode(node, obj))


class ProtobufRenderer:
    """Whole objects."""

    content_type = negotiate.PROTOBUF
    stream_type = STREAM
    cheap = False

    def __init__(self, served: Served) -> None:
        self._served = served
        self._node = served.schema_node()
        self._kind = served.resource.kind
        self._api_version = served.resource.api_version

    def one(self, item: bytes) -> bytes:
        return self._seal(self._raw(item))

    def parts(self, items: Sequence[Item]) -> list[bytes]:
        return [self._raw(item.json) for item in items]

    def pieces(self, parts: Sequence[bytes], meta: ListMeta) -> list[bytes]:
        raw = protobuf.encode_list(_list_meta(), meta.build(), parts)
        return [protobuf.seal(self._api_version, f"{self._kind}List", raw)]

    def frame(self, kind: str, item: bytes) -> bytes:
        return protobuf.watch_frame(kind, self.one(item))

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        obj = {"metadata": _bookmark_meta(revision, initial_end=initial_end)}
        return protobuf.watch_frame("BOOKMARK", self._seal(protobuf.encode(self._node, obj)))

    def error(self, status: Object) -> bytes:
        return protobuf.watch_frame("ERROR", encode(status))

    def _raw(self, item: bytes) -> bytes:
        return protobuf.encode(self._node, self._served.decode(item))

    def _seal(self, raw: bytes) -> bytes:
        return protobuf.seal(self._api_version, self._kind, raw)


class ProtobufMetadataRenderer:
    """PartialObjectMetadata and its list; both have metadata as their first field."""

    content_type = negotiate.PROTOBUF
    stream_type = STREAM
    cheap = False

    def __init__(self, served: Served, version: str) -> None:
        self._served = served
        self._api_version = f"meta.k8s.io/{version}"

    def one(self, item: bytes) -> bytes:
        return self._seal(self._raw(item))

    def parts(self, items: Sequence[Item]) -> list[bytes]:
        return [self._raw(item.json) for item in items]

    def pieces(self, parts: Sequence[bytes], meta: ListMeta) -> list[bytes]:
        raw = protobuf.encode_list(_list_meta(), meta.build(), parts)
        return [protobuf.seal(self._api_version, negotiate.METADATA_LIST, raw)]

    def frame(self, kind: str, item: bytes) -> bytes:
        return protobuf.watch_frame(kind, self.one(item))

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        metadata = _bookmark_meta(revision, initial_end=initial_end)
        return protobuf.watch_frame("BOOKMARK", self._seal(_only_metadata(metadata)))

    def error(self, status: Object) -> bytes:
        return protobuf.watch_frame("ERROR", encode(status))

    def _raw(self, item: bytes) -> bytes:
        return _only_metadata(self._served.decode(item)["metadata"])

    def _seal(self, raw: bytes) -> bytes:
        return protobuf.seal(self._api_version, negotiate.METADATA, raw)


def _only_metadata(metadata: Object) -> bytes:
    """A message whose only field is ObjectMeta as number 1: as every object begins."""
    return protobuf.encode_list(schema_compile.node(f"{_META}.ObjectMeta"), metadata, ())


def _bookmark_meta(revision: int, *, initial_end: bool) -> Object:
    metadata: Object = {"resourceVersion": str(revision)}
    if initial_end:
        metadata["annotations"] = INITIAL_END
    return metadata


def _list_meta() -> Any:
    return schema_compile.node(f"{_META}.ListMeta")
