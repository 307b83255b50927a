"""Which items a list or a watch asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cybernetes.apiserver import stored
from cybernetes.apiserver.cache.index import text_at
from cybernetes.apiserver.cache.state import Event, Item, ResourceState
from cybernetes.apiserver.registry import Served
from cybernetes.base.errors import bad_request
from cybernetes.model.field import quoted
from cybernetes.model.selector import FieldTerm, Requirements, fields_match, matcher

ADDED = "ADDED"
MODIFIED = "MODIFIED"
DELETED = "DELETED"


class Selection:
    """A namespace ("" for all), a label selector and a field selector of one served resource."""

    def __init__(
        self, served: Served, namespace: str = "", labels: Requirements = (), fields: tuple[FieldTerm, ...] = ()
    ) -> None:
        _check_fields(served, fields)
        self.namespace = namespace
        self.labels = labels
        self._labels_match = matcher(labels)
        self.fields = fields
        self.served = served
        self._readers = served.resource.fields
        self.everything = not labels and not fields
        self._within = f"{namespace}/" if namespace else ""

    def unseen(self) -> Selection:
        """What can be said before items are converted: their place. Wider than this one, or the same."""
        return Selection(self.served, self.namespace, (), tuple(each for each in self.fields if _is_place(each)))

    @property
    def place(self) -> str | None:
        """The only place that can match, where a name is asked for exactly."""
        name = next((t.value for t in self.fields if t.field in ("metadata.name", "name") and t.equal), None)
        if name is None:
            return None
        if not self.served.resource.namespaced:
            return name
        return f"{self.namespace}/{name}" if self.namespace else None

    def candidates(self, state: ResourceState, start: str = "") -> Iterator[Item]:
        """The items that may match, in order, from place `start` on; few, where a name or an indexed field is asked for."""
        if self.place is not None:
            item = state.get(self.place)
            return iter((item,) if item is not None and item.place >= start else ())
        for term in self.fields:
            if term.equal and term.field in self.served.resource.indexed:
                return state.having(term.field, term.value, self.namespace, start)
        return state.range(self.namespace, start)

    def matches(self, item: Item) -> bool:
        if self.everything:
            return True
        if self.labels and not self._labels_match(item.labels):
            return False
        return not self.fields or fields_match(self.fields, lambda field: self.value(item, field))

    def value(self, item: Item, field: str) -> str:
        if field == "metadata.name" or (field == "name" and field not in self._readers):
            return item.name
        if field == "metadata.namespace":
            return item.namespace
        if field in self.served.resource.indexed:
            return text_at(field)(item.json)
        return self._values(item).get(field, "")

    def transition(self, event: Event) -> str | None:
        """How the event looks to this selection: an object that begins to match is ADDED, one that ceases DELETED."""
        if self._within and not event.place.startswith(self._within):
            return None
        if self.everything:
            return DELETED if event.after is None else ADDED if event.before is None else MODIFIED
        was = event.before is not None and self.matches(event.before)
        does = event.after is not None and self.matches(event.after)
        if does:
            return MODIFIED if was else ADDED
        return DELETED if was else None

    def _values(self, item: Item) -> Mapping[str, str]:
        if self.served.converts:
            return _read(self._readers, self.served.decode(item.json))
        return item.fields(self._read_stored)

    def _read_stored(self, json: bytes) -> dict[str, str]:
        return _read(self._readers, stored.decode(json))


def _is_place(term: FieldTerm) -> bool:
    return term.field == "metadata.name" and term.equal


def _read(readers: Mapping[str, Callable[[dict[str, Any]], str]], obj: dict[str, Any]) -> dict[str, str]:
    return {field: read(obj) for field, read in readers.items()}


def _check_fields(served: Served, fields: tuple[FieldTerm, ...]) -> None:
    row = served.resource
    # Kinds of the cluster without fields of their own know a namespace too: all theirs are in none.
    placed = row.namespaced or not (row.fields or served.custom)
    known = {"metadata.name", *(("metadata.namespace",) if placed else ()), *row.fields}
    if row.kind == "Namespace":
        known.add("name")
    for term in fields:
        if term.field in known:
            continue
        if row.kind == "Job":
            raise bad_request(f"field label {quoted(term.field)} not supported for Job")
        if row.kind == "ResourceSlice":
            raise bad_request(f"field label not supported for {row.api_version}, Kind={row.kind}: {term.field}")
        if row.fields or served.custom:
            raise bad_request(f"field label not supported: {term.field}")
        only = '"metadata.name", "metadata.namespace"'
        raise bad_request(f"{quoted(term.field)} is not a known field selector: only {only}")
