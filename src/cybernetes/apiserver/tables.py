"""Tables of a resource's items: column definitions, rows, and frames of Table watches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from cybernetes.apiserver import stored
from cybernetes.apiserver.cache.state import Item
from cybernetes.apiserver.registry import Served
from cybernetes.apiserver.render import INITIAL_END, ListMeta, enclosed, raw_metadata, whole
from cybernetes.base.clock import Clock
from cybernetes.model.printing.descriptions import described
from cybernetes.model.printing.formats import PLAIN
from cybernetes.model.printing.rows import CONDITIONS, EXTRA_CELLS
from cybernetes.model.resource import Column
from cybernetes.wire import negotiate
from cybernetes.wire.table import definition

Object = dict[str, Any]


def table_of(obj: Object, columns: Sequence[Column], version: str, now: float) -> Object:
    """A Table of one object that is not stored; its row has the object's metadata."""
    api_version = f"meta.k8s.io/{version}"
    partial = {"kind": negotiate.METADATA, "apiVersion": api_version, "metadata": obj["metadata"]}
    return {
        "kind": negotiate.TABLE,
        "apiVersion": api_version,
        "metadata": {"resourceVersion": obj["metadata"].get("resourceVersion", "")},
        "columnDefinitions": _definitions(columns),
        "rows": [{"cells": [each.cell(obj, now) for each in columns], "object": partial}],
    }


def _definitions(columns: Sequence[Column]) -> list[Object]:
    return [definition(c.name, c.type, c.format, described(c.description), c.priority) for c in columns]


class TableRenderer:
    """include: Metadata, Object or None: what each row carries besides its cells."""

    content_type = negotiate.JSON
    stream_type = negotiate.JSON
    cheap = False

    def __init__(self, served: Served, version: str, include: str, clock: Clock) -> None:
        self._served = served
        self._version = f"meta.k8s.io/{version}"
        self._partial_head = stored.head(self._version, negotiate.METADATA)
        self._include = include
        self._clock = clock
        self._columns = (served.resource if served.custom else served.stored).columns or PLAIN
        self._cells = (*self._columns, *EXTRA_CELLS.get(served.keeper, ()))
        self._conditions = CONDITIONS.get(served.keeper)

    def one(self, item: bytes) -> bytes:
        return self._table(self._row(item), {"resourceVersion": str(stored.revision_of(item))}, self._definitions())

    def parts(self, items: Sequence[Item]) -> list[bytes]:
        return [self._row(item.json) for item in items]

    def pieces(self, parts: Sequence[bytes], meta: ListMeta) -> list[bytes]:
        return enclosed(self._table_head(meta.build(), self._definitions()), parts, b"]}")

    def frame(self, kind: str, item: bytes) -> bytes:
        """Without column definitions: the first frame of a watch gets them by `with_columns`."""
        table = self._table(self._row(item), {"resourceVersion": str(stored.revision_of(item))}, None)
        return b'{"type":"%b","object":%b}\n' % (kind.encode(), table)

    def with_columns(self, frame: bytes) -> bytes:
        columns = orjson.dumps(self._definitions())
        return frame.replace(b'"columnDefinitions":null', b'"columnDefinitions":' + columns, 1)

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        metadata: Object = {"resourceVersion": str(revision)}
        if initial_end:
            metadata["annotations"] = INITIAL_END
        partial = {"kind": negotiate.METADATA, "apiVersion": self._version, "metadata": metadata}
        row = orjson.dumps({"cells": [""] * len(self._columns), "object": partial})
        return b'{"type":"BOOKMARK","object":%b}\n' % self._table(row, {"resourceVersion": str(revision)}, None)

    def error(self, status: Object) -> bytes:
        return orjson.dumps({"type": "ERROR", "object": status}) + b"\n"

    def _table(self, rows: bytes, meta: Object, definitions: list[Object] | None) -> bytes:
        return b"%b%b]}" % (self._table_head(meta, definitions), rows)

    def _table_head(self, meta: Object, definitions: list[Object] | None) -> bytes:
        return b'%b"metadata":%b,"columnDefinitions":%b,"rows":[' % (
            stored.head(self._version, negotiate.TABLE),
            orjson.dumps(meta),
            orjson.dumps(definitions),
        )

    def _definitions(self) -> list[Object]:
        return _definitions(self._columns)

    def _row(self, item: bytes) -> bytes:
        now, kept = self._clock.now(), stored.decode(item)
        row: Object = {"cells": [column.cell(kept, now) for column in self._cells]}
        conditions = self._conditions(kept) if self._conditions is not None else []
        if conditions:
            row["conditions"] = conditions
        return b'%b,"object":%b}' % (orjson.dumps(row)[:-1], self._included(item))

    def _included(self, item: bytes) -> bytes:
        if self._include == "None":
            return b"null"
        if self._include == "Object":
            return whole(self._served, item)
        return b'%b"metadata":%b}' % (self._partial_head, raw_metadata(item))
