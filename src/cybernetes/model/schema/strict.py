"""The slow road from parsed JSON to an object: exact errors, unknown fields, nulls in odd places.

Go's decoder goes on after a value of a wrong type and reports the first one, in the order of the document; unknown
fields count only when there is none. Walk does the same over a parsed value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cybernetes.model import quantity
from cybernetes.model.schema import scalar
from cybernetes.model.schema.node import ListNode, MapNode, Node, StructNode, UnionNode
from cybernetes.model.schema.reader import DROPPED, KEPT, ZEROS, converter, when_empty, zero_of

_ABSENT = object()
_GO_NAMES = {
    "string": "string",
    "int32": "int32",
    "int64": "int64",
    "bool": "bool",
    "double": "float64",
    "bytes": "[]uint8",
    "quantity": "resource.Quantity",
    "int-or-string": "intstr.IntOrString",
    "time": "v1.Time",
    "micro-time": "v1.MicroTime",
    "raw": "runtime.RawExtension",
}


def go_type(node: Node) -> str:
    """`[]v1.Container`, `map[string]string`, `int64`."""
    if isinstance(node, StructNode):
        return ".".join(node.name.rsplit(".", 2)[1:])
    if isinstance(node, ListNode):
        return "[]" + go_type(node.item)
    if isinstance(node, MapNode):
        return "v1.ResourceList" if node.value.type == "quantity" else "map[string]" + go_type(node.value)
    return _GO_NAMES.get(node.type, node.type)


def json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return {str: "string", list: "array", dict: "object", type(None): "null"}[type(value)]


class Walk:
    """One reading of one body. `error` is the first wrong value, `unknown` the paths of unknown fields, in order."""

    def __init__(self) -> None:
        self.error: str | None = None
        self.unknown: list[str] = []
        # Where Go says that a value was wrong: the struct and the names of fields, without indexes and keys.
        self._struct = ""
        self._names: list[str] = []

    def read(self, node: Node, value: Any, path: str = "") -> Any:
        """The value as an object; after an error only good for finding more of them."""
        if isinstance(node, StructNode):
            return self._read_struct(node, value, path)
        if isinstance(node, ListNode):
            return self._read_list(node, value, path)
        if isinstance(node, MapNode):
            return self._read_map(node, value, path)
        if isinstance(node, UnionNode):
            return self._read_union(node, value, path)
        if value is None:
            return ZEROS[node.type]
        return self._read_scalar(node, value)

    def fail(self, message: str) -> None:
        if self.error is None:
            self.error = message

    def _wrong(self, wanted: str, shown: str) -> None:
        where = f"Go struct field {self._struct}.{'.'.join(self._names)}" if self._names else "Go value"
        self.fail(f"json: cannot unmarshal {shown} into {where} of type {wanted}")

    def _read_struct(self, node: StructNode, value: Any, path: str) -> Any:
        if value is None:
            value = {}
        if not isinstance(value, dict):
            self._wrong(go_type(node), json_type(value))
            return {}
        outer, self._struct = self._struct, node.name.rpartition(".")[2]
        read: dict[str, Any] = {}
        for name, each in value.items():
            here = f"{path}.{name}" if path else name
            field = node.fields.get(name)
            if field is None:
                self.unknown.append(here)
            elif each is not None and field.form != "gated":
                depth = len(self._names)
                self._names += (*field.embedded, name)
                read[name] = self.read(field.node, each, here)
                del self._names[depth:]
        self._struct = outer
        out = {}
        for name, field in node.fields.items():
            found = read.get(name, _ABSENT)
            if found is _ABSENT:
                if (zero := zero_of(field)) is not None:
                    out[name] = zero(None)
            elif found:
                out[name] = found
            elif (empty := when_empty(node, field)) != DROPPED:
                out[name] = found if empty == KEPT else None
        return out

    def _read_list(self, node: ListNode, value: Any, path: str) -> Any:
        if value is None:
            return None
        if not isinstance(value, list):
            self._wrong(go_type(node), json_type(value))
            return None
        return [self.read(node.item, each, f"{path}[{i}]") for i, each in enumerate(value)]

    def _read_map(self, node: MapNode, value: Any, path: str) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            self._wrong(go_type(node), json_type(value))
            return None
        read = {key: self.read(node.value, each, f"{path}.{key}" if path else key) for key, each in value.items()}
        if node.value.type == "bytes":
            read = {key: each or "" for key, each in read.items()}
        return {key: read[key] for key in sorted(read)}

    def _read_union(self, node: UnionNode, value: Any, path: str) -> Any:
        for each in node.members:
            if json_type(value) == {"struct": "object", "list": "array", "bool": "bool"}[each.type]:
                # These types have a decoder of their own in Go, which never complains of unknown fields.
                seen = len(self.unknown)
                read = self.read(each, value, path)
                del self.unknown[seen:]
                return read
        if any(each.type == "bool" for each in node.members) and value is not None:
            self.fail("boolean or JSON schema expected")
        return None

    def _read_scalar(self, node: Node, value: Any) -> Any:
        special: Callable[[Any], Any] | None = getattr(self, "_read_" + node.type.replace("-", "_"), None)
        if special is not None:
            return special(value)
        kind = json_type(value)
        wanted = {"string": "string", "bool": "bool", "int32": "number", "int64": "number", "double": "number"}[
            node.type
        ]
        if kind != wanted:
            self._wrong(go_type(node), kind)
        elif node.type in ("int32", "int64"):
            limit = 2**31 if node.type == "int32" else 2**63
            if not isinstance(value, int) or not -limit <= value < limit:
                self._wrong(go_type(node), f"number {_number(value)}")
        elif node.type == "double":
            return converter(node)(value)
        return value

    def _read_raw(self, value: Any) -> Any:
        return value

    def _read_bytes(self, value: Any) -> Any:
        if not isinstance(value, str):
            self._wrong("[]uint8", json_type(value))
            return None
        return self._worded(scalar.base64, value)

    def _read_quantity(self, value: Any) -> Any:
        text = value.strip() if isinstance(value, str) else _number(value)
        return self._worded(quantity.canonical, text)

    def _read_int_or_string(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._wrong("int32", json_type(value))
        elif not isinstance(value, int) or not -(2**31) <= value < 2**31:
            self._wrong("int32", f"number {_number(value)}")
        return value

    def _read_time(self, value: Any) -> Any:
        return self._moment(scalar.time, value)

    def _read_micro_time(self, value: Any) -> Any:
        return self._moment(scalar.micro_time, value)

    def _read_duration(self, value: Any) -> Any:
        return self._moment(str, value)

    def _moment(self, parse: Callable[[str], Any], value: Any) -> Any:
        if not isinstance(value, str):
            self._wrong("string", json_type(value))
            return None
        return self._worded(parse, value)

    def _worded(self, parse: Callable[[str], Any], text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            self.fail(str(error))
            return None


def _number(value: Any) -> str:
    return str(value).replace("e+", "e") if isinstance(value, float) else str(value)
