"""Which fields a new object's maker owns: what `apply.record_update` finds for it, in one pass and as FieldsV1.

Creation is the commonest write, and nobody owns anything yet: no sets have to be compared or taken from each other.
`record_creation` leaves the same managedFields as the general road does; a property test holds both equal.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from cybernetes.model import fieldset
from cybernetes.model.apply import NEVER_OWNED, Writing
from cybernetes.model.schema.node import ListNode, MapNode, Node, StructNode, UnionNode
from cybernetes.model.schema.remembered import STRUCTS, remembered
from cybernetes.model.schema.zero import zero

Object = dict[str, Any]
Fields = dict[str, Any]
# FieldsV1 of a value that was not there before; `.` marks the value itself where there is more below.
Fresh = Callable[[Any], Fields]

# Of metadata nobody owns these.
_UNOWNED = frozenset(path[-1] for path in NEVER_OWNED if len(path) > 1)
_compiled: dict[tuple[str, str], Fresh] = {}
_zeros: dict[str, Object] = {}
_remembered: dict[str, Fresh] = {}


def record_creation(node: StructNode, new: Object, writing: Writing) -> None:
    """Set managedFields of an object that is new and whose client sent none."""
    if node.name not in _zeros:
        _zeros[node.name] = zero(node)
    metadata = new["metadata"]
    fields = {key: value for key, value in new.items() if key not in ("kind", "apiVersion")}
    fields["metadata"] = {key: value for key, value in metadata.items() if key not in _UNOWNED}
    owned = _changed(node, _zeros[node.name], fields)
    for path in writing.reset_fields:
        owned = fieldset.without(owned, path)
    metadata.pop("managedFields", None)
    if not owned:
        return
    entry: Object = {"manager": writing.manager, "operation": "Update", "apiVersion": writing.api_version}
    entry |= {"time": writing.now, "fieldsType": "FieldsV1", "fieldsV1": owned}
    if writing.subresource:
        entry["subresource"] = writing.subresource
    metadata["managedFields"] = [entry]


def _changed(node: StructNode, old: Object, new: Object) -> Fields:
    """FieldsV1 of what differs from an object that nobody has written to yet."""
    table = _table(node)
    found: Fields = {}
    for key, value in new.items():
        name, fresh, inner = table.get(key) or (f"f:{key}", _fresh_free, None)
        if key not in old:
            found[name] = fresh(value)
        elif old[key] != value:
            if isinstance(inner, StructNode) and _descends(inner, old[key], value):
                below = _changed_struct(inner, old[key], value)
                if below:
                    found[name] = below
            else:
                found[name] = _without_mark(fresh(value))
    return found


def _changed_struct(node: StructNode, old: Object, new: Object) -> Fields:
    if node.name not in STRUCTS:
        return _changed(node, old, new)
    if node.name not in _remembered:
        # What nobody has written to yet is the same for all values of a struct.
        _remembered[node.name] = remembered(partial(_changed, node, old))
    found: Fields = _remembered[node.name](new)
    return found


def _descends(inner: StructNode, old: Any, value: Any) -> bool:
    return inner.map_type != "atomic" and isinstance(old, dict) and bool(value)


def _without_mark(fields: Fields) -> Fields:
    """Where an empty value stood before, only what is below is new."""
    return {key: below for key, below in fields.items() if key != "."}


_tables: dict[str, dict[str, tuple[str, Fresh, Any]]] = {}


def _table(node: StructNode) -> dict[str, tuple[str, Fresh, Any]]:
    """Of each field: its path element, its compiled function, its node."""
    table = _tables.get(node.name) if node.name else None
    if table is None:
        table = {each.name: (f"f:{each.name}", _fresh(each.node), each.node) for each in node.fields.values()}
        if node.name:
            _tables[node.name] = table
    return table


def _leaf(value: Any) -> Fields:
    return {}


def _fresh(node: Node) -> Fresh:
    if isinstance(node, StructNode):
        return _leaf if node.map_type == "atomic" else _fresh_struct(node)
    if isinstance(node, MapNode):
        return _leaf if node.map_type == "atomic" else _fresh_map(_fresh(node.value))
    if isinstance(node, ListNode):
        return _leaf if node.list_type == "atomic" else _fresh_list(node)
    if isinstance(node, UnionNode):
        return _fresh_union(node)
    return _fresh_free if node.type == "free" else _leaf


def _fresh_struct(node: StructNode) -> Fresh:
    key = node.name, node.map_type
    if node.name and key in _compiled:
        return _compiled[key]
    # Made on first use, since a definition may contain itself.
    table: dict[str, tuple[str, Fresh]] = {}

    def fresh(value: Any) -> Fields:
        if not value or type(value) is not dict:
            return {}
        if not table:
            table.update({each.name: (f"f:{each.name}", _fresh(each.node)) for each in node.fields.values()})
        found: Fields = {".": {}}
        for name, part in value.items():
            step = table.get(name)
            if step is None:
                found[f"f:{name}"] = _fresh_free(part)
            else:
                found[step[0]] = step[1](part)
        return found

    if node.name:
        _compiled[key] = fresh
    return fresh


def _fresh_map(inner: Fresh) -> Fresh:
    def fresh(value: Any) -> Fields:
        if not value or type(value) is not dict:
            return {}
        found: Fields = {f"f:{name}": inner(part) for name, part in value.items()}
        found["."] = {}
        return found

    return fresh


def _fresh_list(node: ListNode) -> Fresh:
    inner = _fresh(node.item)

    def fresh(value: Any) -> Fields:
        if not value or type(value) is not list:
            return {}
        found: Fields = {".": {}}
        for item in value:
            found[fieldset.element(node, item)] = inner(item)
        return found

    return fresh


def _fresh_union(node: UnionNode) -> Fresh:
    members = [(_type_of(each), _fresh(each)) for each in node.members]

    def fresh(value: Any) -> Fields:
        return next((step(value) for kind, step in members if type(value) is kind), {})

    return fresh


def _type_of(node: Node) -> type | None:
    """The Python type of a union member's values, None for scalars."""
    if isinstance(node, StructNode | MapNode):
        return dict
    return list if isinstance(node, ListNode) else None


def _fresh_free(value: Any) -> Fields:
    if not value or type(value) is not dict:
        return {}
    found: Fields = {f"f:{name}": _fresh_free(part) for name, part in value.items()}
    found["."] = {}
    return found
