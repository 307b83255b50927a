"""Structural schemas as a tree that pruning, defaulting and validation walk, and as nodes for patches and apply."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from cybernetes.model.expressions.rules import RuleExpressions
from cybernetes.model.schema.compile import OBJECT_META, node, scalar
from cybernetes.model.schema.node import Field, ListNode, MapNode, Node, StructNode

JsonSchema = Mapping[str, Any]
_EMPTY: JsonSchema = {}


class Structural:
    """One level of a schema. Sub-schemas are made when they are first looked at."""

    def __init__(self, source: JsonSchema, *, root: bool = False) -> None:
        """root: whether it describes whole resources."""
        self.source = source
        self.root = root
        self.type: str = source.get("type", "")
        self.format: str = source.get("format", "")
        self.nullable: bool = bool(source.get("nullable"))
        self.preserve: bool = bool(source.get("x-kubernetes-preserve-unknown-fields"))
        self.embedded: bool = bool(source.get("x-kubernetes-embedded-resource"))
        self.int_or_string: bool = bool(source.get("x-kubernetes-int-or-string"))
        self.list_type: str = source.get("x-kubernetes-list-type", "")
        self.list_keys: tuple[str, ...] = tuple(source.get("x-kubernetes-list-map-keys") or ())
        self.map_type: str = source.get("x-kubernetes-map-type", "")
        self.rules: list[JsonSchema] = source.get("x-kubernetes-validations") or []
        self.required: list[str] = source.get("required") or []
        self.pattern: str = source.get("pattern") or ""
        self.enum: list[Any] | None = source.get("enum")

    @cached_property
    def properties(self) -> dict[str, Structural]:
        found = self.source.get("properties") or _EMPTY
        return {name: Structural(found[name]) for name in sorted(found)}

    @cached_property
    def items(self) -> Structural | None:
        found = self.source.get("items")
        return Structural(found) if isinstance(found, dict) else None

    @cached_property
    def additional(self) -> Structural | None:
        """The schema of fields that are not named; None where there is none."""
        found = self.source.get("additionalProperties")
        if isinstance(found, dict):
            return Structural(found)
        return Structural(_EMPTY) if found is True else None

    @property
    def has_additional_schema(self) -> bool:
        return isinstance(self.source.get("additionalProperties"), dict)

    @cached_property
    def expressions(self) -> RuleExpressions:
        """The rules of this level, compiled."""
        return RuleExpressions(self)

    @cached_property
    def has_rules(self) -> bool:
        """Whether there are CEL rules here or below."""
        return bool(self.rules) or any(each.has_rules for each in self.inner())

    @cached_property
    def has_defaults(self) -> bool:
        """Whether anything here or below is filled in or must lose its nulls."""
        return (
            "default" in self.source
            or bool(self.properties)
            or self.additional is not None
            or any(each.has_defaults for each in self.inner())
        )

    def inner(self) -> list[Structural]:
        found = list(self.properties.values())
        return found + [each for each in (self.items, self.additional) if each is not None]

    @cached_property
    def node(self) -> Node:
        """The type of a value, for patches and server-side apply."""
        if self.embedded:
            return _embedded(self)
        if self.type == "array":
            item = self.items.node if self.items is not None else scalar("free")
            return ListNode(item, self.list_type or "atomic", self.list_keys, self._key_defaults())
        if self.type == "object":
            return self._object()
        if self.int_or_string:
            return scalar("int-or-string")
        kinds = {"string": "string", "integer": "int64", "number": "double", "boolean": "bool"}
        return scalar(kinds.get(self.type, "free"))

    def _key_defaults(self) -> dict[str, Any]:
        known = self.items.properties if self.items is not None else {}
        sources = {key: known[key].source for key in self.list_keys if key in known}
        return {key: source["default"] for key, source in sources.items() if "default" in source}

    def _object(self) -> Node:
        map_type = self.map_type or "granular"
        if self.properties:
            return StructNode("", lambda: fields(self), map_type, open=self.preserve)
        if self.additional is not None:
            return MapNode(self.additional.node, map_type)
        return MapNode(scalar("free"), map_type)


def fields(schema: Structural) -> dict[str, Field]:
    required = set(schema.required)
    return {
        name: Field(name, each.node, required=name in required, form="pointer")
        for name, each in schema.properties.items()
    }


def _embedded(schema: Structural) -> StructNode:
    map_type = schema.map_type or "granular"
    return StructNode("", lambda: {**_type_meta(), **fields(schema)}, map_type, open=schema.preserve)


def _type_meta() -> dict[str, Field]:
    return {
        "apiVersion": Field("apiVersion", scalar("string")),
        "kind": Field("kind", scalar("string")),
        "metadata": Field("metadata", node(OBJECT_META), form="zero"),
    }


class CustomNode(StructNode):
    """The root of a custom resource: kind, apiVersion, metadata, and what its schema names.

    schema  the whole structural schema
    kind, group, version  as its CustomResourceDefinition names them
    """

    __slots__ = ("group", "kind", "schema", "version")

    def __init__(self, schema: Structural, group: str, version: str, kind: str) -> None:
        super().__init__("", lambda: {**fields(schema), **_type_meta()}, open=schema.preserve)
        self.schema = schema
        self.group = group
        self.version = version
        self.kind = kind


def custom_node(schema: JsonSchema | None, *, group: str, version: str, kind: str) -> CustomNode:
    """The node of one version of a custom resource; without a schema everything is kept."""
    source = schema if schema is not None else {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return CustomNode(Structural(source, root=True), group, version, kind)
