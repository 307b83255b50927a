"""What an empty object of a kind is written as: the fields that Go's encoder never leaves out."""

from __future__ import annotations

from typing import Any

from cybernetes.model.schema.node import Node, StructNode

_SCALARS = {"string": "", "bool": False, "int32": 0, "int64": 0, "double": 0}
# Structs held by value in every kind that has them.
_BY_VALUE = ("metadata", "spec", "status")


def zero(node: StructNode) -> dict[str, Any]:
    """A fresh value of a struct, as it is when nothing was set."""
    out: dict[str, Any] = {}
    for name, field in node.fields.items():
        if isinstance(field.node, StructNode):
            # Custom resources, whose structs have no names, know no values but those that were written.
            if field.form == "zero" or (node.name and name in _BY_VALUE):
                out[name] = zero(field.node)
        elif field.form == "null":
            out[name] = None
        elif field.form == "zero":
            out[name] = _scalar(field.node)
    return out


def _scalar(node: Node) -> Any:
    return _SCALARS.get(node.type)
