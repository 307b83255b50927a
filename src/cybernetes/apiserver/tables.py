"""Tables of a resource's items: column definitions, rows, and frames of Table watches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from cybernetes.apiserver.cache.state import Item
from cybernetes.apiserver.registry import Served
from cybernetes.apiserver.render import INITIAL_END, ListMeta
from cybernetes.base.clock import Clock
from cybernetes.model.resource import Column
from cybernetes.wire import negotiate
from cybernetes.wire.table import definition

Object = dict[str, Any]


def _name(obj: Object, now: float) -> str:
    return str(obj["metadata"].get("name", ""))


def _created(obj: Object, now: float) -> str:
    return str(obj["metadata"].get("creationTimestamp", ""))


NAME_DESCRIPTION = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a "
    "client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
CREATED_DESCRIPTION = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed "
    "to be set in happens-before order across separate operations. Clients may not set this value. It is represented "
    "in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)

# Kinds without columns of their own.
DEFAULT_COLUMNS = (
    Column(name="Name", format="name", description=NAME_DESCRIPTION, cell=_name),
    Column(name="Created At", type="date", description=CREATED_DESCRIPTION, cell=_created),
)


class TableRenderer:
    """include: Metadata, Object or None: what each row carries besides its cells."""

    content_type = negotiate.JSON
    stream_type = negotiate.JSON

    def __init__(self, served: Served, version: str, include: str, clock: Clock) -> None:
        self._served = served
        self._version = f"meta.k8s.io/{version}"
        self._include = include
        self._clock = clock
        self._columns = served.resource.columns or DEFAULT_COLUMNS

    def one(self, item: bytes) -> bytes:
        obj = self._served.decode(item)
        meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        return orjson.dumps(self._table([self._row(obj)], meta)) + b"\n"

    def many(self, items: Sequence[Item], meta: ListMeta) -> bytes:
        rows = [self._row(self._served.decode(item.json)) for item in items]
        return orjson.dumps(self._table(rows, meta.build())) + b"\n"

    def frame(self, kind: str, item: bytes) -> bytes:
        """Without column definitions: the first frame of a watch gets them by `with_columns`."""
        obj = self._served.decode(item)
        meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        table = {**self._table([self._row(obj)], meta), "columnDefinitions": None}
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
        return [definition(c.name, c.type, c.format, c.description, c.priority) for c in self._columns]

    def _row(self, obj: Object) -> Object:
        now = self._clock.now()
        row: Object = {"cells": [column.cell(obj, now) for column in self._columns]}
        row["object"] = self._included(obj)
        return row

    def _included(self, obj: Object) -> Object | None:
        match self._include:
            case "None":
                return None
            case "Object":
                return obj
        return {"kind": negotiate.METADATA, "apiVersion": self._version, "metadata": obj["metadata"]}
