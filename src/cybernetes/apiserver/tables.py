"""Tables of a resource's items: column definitions, rows, and frames of Table watches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from cybernetes.apiserver import stored
from cybernetes.apiserver.cache.state import Item
from cybernetes.apiserver.registry import Served
from cybernetes.apiserver.render import INITIAL_END, ListMeta
from cybernetes.base.clock import Clock
from cybernetes.model.printing.descriptions import described
from cybernetes.model.printing.formats import PLAIN
from cybernetes.model.printing.rows import CONDITIONS, EXTRA_CELLS
from cybernetes.wire import negotiate
from cybernetes.wire.table import definition

Object = dict[str, Any]


class TableRenderer:
    """include: Metadata, Object or None: what each row carries besides its cells."""

    content_type = negotiate.JSON
    stream_type = negotiate.JSON

    def __init__(self, served: Served, version: str, include: str, clock: Clock) -> None:
        self._served = served
        self._version = f"meta.k8s.io/{version}"
        self._include = include
        self._clock = clock
        self._columns = served.stored.columns or PLAIN
        self._cells = (*self._columns, *EXTRA_CELLS.get(served.keeper, ()))
        self._conditions = CONDITIONS.get(served.keeper)

    def one(self, item: bytes) -> bytes:
        meta = {"resourceVersion": str(stored.revision_of(item))}
        return orjson.dumps(self._table([self._row(item)], meta)) + b"\n"

    def many(self, items: Sequence[Item], meta: ListMeta) -> bytes:
        rows = [self._row(item.json) for item in items]
        return orjson.dumps(self._table(rows, meta.build())) + b"\n"

    def frame(self, kind: str, item: bytes) -> bytes:
        """Without column definitions: the first frame of a watch gets them by `with_columns`."""
        meta = {"resourceVersion": str(stored.revision_of(item))}
        table = {**self._table([self._row(item)], meta), "columnDefinitions": None}
        return orjson.dumps({"type": kind, "object": table}) + b"\n"

    def with_columns(self, frame: bytes) -> bytes:
        columns = orjson.dumps(self._definitions())
        return frame.replace(b'"columnDefinitions":null', b'"columnDefinitions":' + columns, 1)

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        metadata: Object = {"resourceVersion": str(revision)}
        if initial_end:
            metadata["annotations"] = INITIAL_END
        partial = {"kind": negotiate.METADATA, "apiVersion": self._version, "metadata": metadata}
        row = {"cells": [""] * len(self._columns), "object": partial}
        table = {**self._table([row], {"resourceVersion": str(revision)}), "columnDefinitions": None}
        return orjson.dumps({"type": "BOOKMARK", "object": table}) + b"\n"

    def error(self, status: Object) -> bytes:
        return orjson.dumps({"type": "ERROR", "object": status}) + b"\n"

    def _table(self, rows: list[Object], meta: Object) -> Object:
        return {
            "kind": negotiate.TABLE,
            "apiVersion": self._version,
            "metadata": meta,
            "columnDefinitions": self._definitions(),
            "rows": rows,
        }

    def _definitions(self) -> list[Object]:
        return [definition(c.name, c.type, c.format, described(c.description), c.priority) for c in self._columns]

    def _row(self, item: bytes) -> Object:
        now, kept = self._clock.now(), stored.decode(item)
        row: Object = {"cells": [column.cell(kept, now) for column in self._cells]}
        conditions = self._conditions(kept) if self._conditions is not None else []
        if conditions:
            row["conditions"] = conditions
        row["object"] = self._included(item)
        return row

    def _included(self, item: bytes) -> Object | None:
        if self._include == "None":
            return None
        obj = self._served.decode(item)
        if self._include == "Object":
            return obj
        return {"kind": negotiate.METADATA, "apiVersion": self._version, "metadata": obj["metadata"]}
