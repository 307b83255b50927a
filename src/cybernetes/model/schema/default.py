"""Default values of a whole object: the functions of `model.defaults`, wherever their structs are embedded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cybernetes.model import quantity
from cybernetes.model.defaults import registry
from cybernetes.model.schema.custom import read as custom
from cybernetes.model.schema.custom.structural import CustomNode
from cybernetes.model.schema.node import ListNode, MapNode, Node, StructNode
from cybernetes.model.schema.remembered import STRUCTS, remembered_fill

Fill = Callable[[Any], None]
# Kubernetes rounds resource lists up to thousandths; other maps of quantities keep what was written.
_RESOURCE_LISTS = ("io.k8s.api.core.v1.", "io.k8s.api.node.v1.")
# Sequences of fields of one struct that are remembered as being in order.
MAX_KNOWN_ORDERS = 256
_compiled: dict[str, Fill | None] = {}


def default(node: StructNode, obj: dict[str, Any]) -> None:
    """Fill an object of the kind `node` in place."""
    if isinstance(node, CustomNode):
        custom.fill(node, obj)
        return
    fill = _struct_fill(node)
    if fill is not None:
        fill(obj)


def _struct_fill(node: StructNode) -> Fill | None:
    """The compiled function of a struct, None when nothing in it has a default; compiled once per definition."""
    if node.name not in _compiled:
        # A struct that contains itself finds None here: none of those has defaults inside.
        _compiled[node.name] = None
        _compiled[node.name] = _compile(node)
    return _compiled[node.name]


def _compile(node: StructNode) -> Fill | None:
    own = registry().get(node.name)
    inner: list[tuple[str, Fill]] = []
    for name, field in node.fields.items():
        step = _fill(field.node, node.name)
        if step is not None:
            inner.append((name, step))
    if own is None and not inner:
        return None
    steps = tuple(inner)
    rank = {name: i for i, name in enumerate(node.fields)}
    ordered: set[tuple[str, ...]] = set()

    def fill(obj: Any) -> None:
        if own is not None:
            own(obj)
        for name, step in steps:
            if name in obj:
                found = obj[name]
                if found is not None:
                    step(found)
        names = tuple(obj)
        if names not in ordered:
            _order(obj, names, rank, ordered)

    return remembered_fill(fill) if node.name in STRUCTS else fill


def _order(obj: dict[str, Any], names: tuple[str, ...], rank: dict[str, int], known: set[tuple[str, ...]]) -> None:
    """Bring fields into the order of the struct: equal objects must have equal bytes."""
    right = tuple(sorted(names, key=rank.__getitem__))
    if right == names:
        if len(known) < MAX_KNOWN_ORDERS:
            known.add(names)
        return
    found = dict(obj)
    obj.clear()
    obj.update((name, found[name]) for name in right)


def _fill(node: Node, owner: str) -> Fill | None:
    if isinstance(node, StructNode):
        return _struct_fill(node)
    if isinstance(node, ListNode):
        return _each(_fill(node.item, owner))
    if isinstance(node, MapNode):
        if node.value.type == "quantity":
            return _round_up if owner.startswith(_RESOURCE_LISTS) else None
        inner = _fill(node.value, owner)
        return _each_value(inner)
    return None


def _each(inner: Fill | None) -> Fill | None:
    if inner is None:
        return None

    def fill(items: Any) -> None:
        for each in items:
            inner(each)

    return fill


def _each_value(inner: Fill | None) -> Fill | None:
    each = _each(inner)
    return None if each is None else lambda found: each(found.values())


def _round_up(resources: dict[str, str]) -> None:
    for name, text in resources.items():
        if text[-1] in "nu" or "e" in text:
            resources[name] = quantity.round_up_milli(text)
