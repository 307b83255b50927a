"""The types of fields: a tree per kind, shared wherever a definition is used.

A definition may contain itself (JSON schemas do), so a struct's fields are read when they are first looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

Scalar = Literal[
    "string",
    "int32",
    "int64",
    "bool",
    "double",
    "bytes",
    "quantity",
    "int-or-string",
    "time",
    "micro-time",
    "duration",
    # JSON that is one value to everybody; JSON of which each part has an owner of its own, in custom resources.
    "raw",
    "free",
]
# How Go's encoder treats a field that holds nothing: see proto/generate_schema.py.
Form = Literal["zero", "null", "value", "pointer", "omit", "gated"]


class Node:
    """One type. `type` is a Scalar, "struct", "list", "map" or "union"."""

    __slots__ = ("convert", "type")

    def __init__(self, kind: str) -> None:
        self.type = kind
        # Filled by decode.converter: the compiled decoder of this node.
        self.convert: Callable[[Any], Any] | None = None

    def __repr__(self) -> str:
        return f"<{self.type}>"


class StructNode(Node):
    """A JSON object with known fields.

    name      of the definition ("" in custom resources)
    map_type  "granular", or "atomic" where server-side apply takes it as one value
    open      whether other fields are kept too, as `free` ones (in custom resources)
    """

    __slots__ = ("_fields", "_load", "map_type", "name", "open")

    def __init__(
        self, name: str, load: Callable[[], dict[str, Field]], map_type: str = "granular", *, open: bool = False
    ) -> None:
        super().__init__("struct")
        self.name = name
        self.map_type = map_type
        self.open = open
        self._load = load
        self._fields: dict[str, Field] | None = None

    @property
    def fields(self) -> dict[str, Field]:
        """Fields by JSON name, in the order of the struct."""
        if self._fields is None:
            self._fields = self._load()
        return self._fields

    def with_map_type(self, map_type: str) -> StructNode:
        return StructNode(self.name, lambda: self.fields, map_type, open=self.open)

    def __repr__(self) -> str:
        return f"<struct {self.name}>"


class MapNode(Node):
    """A JSON object with free keys and values of one type."""

    __slots__ = ("map_type", "value")

    def __init__(self, value: Node, map_type: str = "granular") -> None:
        super().__init__("map")
        self.value = value
        self.map_type = map_type


class ListNode(Node):
    """list_type "atomic", "set" or "map"; list_keys name the fields that identify an item of a "map" list.

    key_defaults  values of list_keys that an item may leave out
    """

    __slots__ = ("item", "key_defaults", "list_keys", "list_type")

    def __init__(
        self,
        item: Node,
        list_type: str = "atomic",
        list_keys: tuple[str, ...] = (),
        key_defaults: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__("list")
        self.item = item
        self.list_type = list_type
        self.list_keys = list_keys
        self.key_defaults: Mapping[str, Any] = key_defaults or {}


class UnionNode(Node):
    """A value of one of several JSON types: at most one struct, one list and "bool" among them."""

    __slots__ = ("members",)

    def __init__(self, members: tuple[Node, ...]) -> None:
        super().__init__("union")
        self.members = members


class Field:
    """A field of a struct.

    form            what is written when the field holds nothing
    patch_strategy  strategic merge: of "merge", "replace", "retainKeys"
    merge_key       identifies items of a merged list of structs
    wire            numbers of the protobuf fields that lead to it; () where it has none
    embedded        Go structs that hold the field without a name of their own; decoding errors tell of them
    """

    __slots__ = ("embedded", "form", "merge_key", "name", "node", "patch_strategy", "required", "wire")

    def __init__(
        self,
        name: str,
        node: Node,
        *,
        required: bool = False,
        form: Form = "value",
        patch_strategy: tuple[str, ...] = (),
        merge_key: str = "",
        wire: tuple[int, ...] = (),
        embedded: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.node = node
        self.required = required
        self.form = form
        self.patch_strategy = patch_strategy
        self.merge_key = merge_key
        self.wire = wire
        self.embedded = embedded

    def __repr__(self) -> str:
        return f"<field {self.name} {self.node!r}>"
