"""Whether a configuration fits its schema: what server-side apply checks before it merges anything.

source  sigs.k8s.io/structured-merge-diff, typed values
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.fieldset import element, resolved, shown_element
from cybernetes.model.schema.node import ListNode, MapNode, Node, StructNode

_EXPECTED = {
    "string": (str, "string"),
    "bytes": (str, "string"),
    "time": (str, "string"),
    "micro-time": (str, "string"),
    "bool": (bool, "boolean"),
    "int32": (int, "numeric (int or float)"),
    "int64": (int, "numeric (int or float)"),
    "double": (int | float, "numeric (int or float)"),
}


class UnfitValue(Exception):
    """A value that its schema does not allow; each text begins with the path."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__("; ".join(texts))
        self.texts = texts


def check(node: Node, value: Any) -> None:
    """Raises UnfitValue when the value has fields, types or keys that the schema does not know."""
    texts: list[str] = []
    _check(node, value, "", texts)
    if texts:
        raise UnfitValue(texts)


def _check(node: Node, value: Any, path: str, texts: list[str]) -> None:
    if value is None:
        return
    node = resolved(node, value)
    if isinstance(node, StructNode):
        if not isinstance(value, dict):
            texts.append(f"{path}: expected map, got {_go_form(value)}")
            return
        for key, child in value.items():
            field = node.fields.get(key)
            if field is None and node.open:
                continue
            if field is None:
                texts.append(f"{path}.{key}: field not declared in schema")
            else:
                _check(field.node, child, f"{path}.{key}", texts)
    elif isinstance(node, MapNode):
        if not isinstance(value, dict):
            texts.append(f"{path}: expected map, got {_go_form(value)}")
            return
        for key, child in value.items():
            _check(node.value, child, f"{path}.{key}", texts)
    elif isinstance(node, ListNode):
        _check_list(node, value, path, texts)
    elif node.type in _EXPECTED:
        kind, name = _EXPECTED[node.type]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            texts.append(f"{path}: expected {name}, got {_go_form(value)}")


def _check_list(node: ListNode, value: Any, path: str, texts: list[str]) -> None:
    if not isinstance(value, list):
        texts.append(f"{path}: expected list, got {_go_form(value)}")
        return
    seen: set[str] = set()
    for i, item in enumerate(value):
        where = f"{path}[{i}]"
        if node.list_type != "atomic":
            try:
                key = element(node, item)
            except KeyError as missing:
                texts.append(
                    f"{path}: element {i}: associative list with keys has an element that omits key field "
                    f'"{missing.args[0]}" (and doesn\'t have default value)'
                )
                continue
            if key in seen:
                texts.append(f"{path}: duplicate entries for key {shown_element(key)}")
                continue
            seen.add(key)
            where = path + shown_element(key)
        _check(node.item, item, where, texts)


def _go_form(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int | float):
        return "number"
    return "list" if isinstance(value, list) else "map"
