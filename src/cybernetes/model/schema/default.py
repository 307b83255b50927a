"""Default values of a whole object: the functions of `model.defaults`, wherever their structs are embedded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cybernetes.model import quantity
from cybernetes.model.defaults import registry
from cybernetes.model.schema.node import ListNode, MapNode, Node, StructNode

Fill = Callable[[Any], None]
# Kubernetes rounds resource lists up to thousandths; other maps of quantities keep what was written.
_RESOURCE_LISTS = ("io.k8s.api.core.v1.", "io.k8s.api.node.v1.")
_compiled: dict[str, Fill | None] = {}


def default(node: StructNode, obj: dict[str, Any]) -> None:
    """Fill an object of the kind `node` in place."""
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

    def fill(obj: Any) -> None:
        if own is not None:
            own(obj)
        for name, step in steps:
            if name in obj:
                found = obj[name]
                if found or (found is not None and type(found) is dict):
                    step(found)

    return fill


def _fill(node: Node, owner: str) -> Fill | None:
    if isinstance(node, StructNode):
        return _struct_fill(node)
    if isinstance(node, ListNode):
        return _each(_fill(node.item, owner))
    if isinstance(node, MapNode):
        if node.value.type == "quantity":
            return _round_up if owner.startswith(_RESOURCE_LISTS) else None
        inner = _fill(node.value, owner)
        return None if inner is None else lambda found: [inner(each) for each in found.values()] and None
    return None


def _each(inner: Fill | None) -> Fill | None:
    if inner is None:
        return None

    def fill(items: Any) -> None:
        for each in items:
            inner(each)

    return fill


def _round_up(resources: dict[str, str]) -> None:
    for name, text in resources.items():
        if text[-1] in "nu" or "e" in text:
            resources[name] = quantity.round_up_milli(text)
