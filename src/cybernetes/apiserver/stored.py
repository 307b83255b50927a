"""The format of stored values, and the bytes that answers are spliced from. Pure.

A stored value is `APIVERSION KIND\\n` and canonical JSON that begins with `{"metadata":{"name":`.
Its *item* has the revision in it, `{"metadata":{"resourceVersion":"7","name":...`: what lists hold.
A whole object is an item with kind and apiVersion before it.
"""

from __future__ import annotations

import sys
from typing import Any

import orjson

Object = dict[str, Any]

_START = b'{"metadata":{'
_ITEM_START = b'{"metadata":{"resourceVersion":"'


def encode(obj: Object, api_version: str, kind: str) -> bytes:
    """The stored value of an object: without kind, apiVersion, resourceVersion; keys sorted below `metadata.name`."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in ("name", "resourceVersion")}
    rest = {key: value for key, value in obj.items() if key not in ("metadata", "kind", "apiVersion")}
    tail = _dumps(metadata)[1:]
    return b"".join(
        (
            f"{api_version} {kind}\n".encode(),
            b'{"metadata":{"name":',
            orjson.dumps(obj["metadata"]["name"]),
            b"," + tail if metadata else tail,
            b"," + _dumps(rest)[1:] if rest else b"}",
        )
    )


def _dumps(value: Object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def version(value: bytes) -> str:
    """The API version in which a stored value is; one string for all values of a version."""
    return sys.intern(value[: value.index(b" ")].decode())


def item(value: bytes, revision: int) -> bytes:
    """The item of a stored value."""
    start = value.index(b"\n") + 1
    return b'{"metadata":{"resourceVersion":"%d",%b' % (revision, value[start + len(_START) :])


def at_revision(item: bytes, revision: int) -> bytes:
    """The item with another revision: what a deletion event shows."""
    return b"%b%d%b" % (_ITEM_START, revision, item[item.index(b'"', len(_ITEM_START)) :])


def revision_of(item: bytes) -> int:
    """0 where it has none: the item of a dry run."""
    if not item.startswith(_ITEM_START):
        return 0
    return int(item[len(_ITEM_START) : item.index(b'"', len(_ITEM_START))])


def whole(item: bytes, head: bytes) -> bytes:
    """The object of an item. head: `{"kind":"Pod","apiVersion":"v1",`."""
    return head + item[1:]


def head(api_version: str, kind: str) -> bytes:
    return b'{"kind":%b,"apiVersion":%b,' % (orjson.dumps(kind), orjson.dumps(api_version))


def decode(item: bytes) -> Object:
    """The object of an item, without kind and apiVersion; with metadata.resourceVersion."""
    obj: Object = orjson.loads(item)
    return obj
