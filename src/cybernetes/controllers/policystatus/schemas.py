"""Types of kinds: built-in ones are known, others are described by the API server's OpenAPI documents."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from cybernetes.base.errors import ApiError
from cybernetes.cel.types import ObjectType, Type
from cybernetes.client.answer import whole_body
from cybernetes.client.api import ApiClient
from cybernetes.model import resources
from cybernetes.model.expressions.kind_types import kind_type
from cybernetes.model.expressions.schema_types import declared
from cybernetes.model.expressions.type_checking import Kind
from cybernetes.model.schema.compile import OBJECT_META, kind_node, node
from cybernetes.model.schema.custom.structural import Structural

Object = dict[str, Any]


class _Resource(msgspec.Struct, frozen=True):
    name: str
    kind: str


class _Listing(msgspec.Struct, frozen=True):
    """Of /apis/GROUP/VERSION."""

    resources: list[_Resource] | None = None


class _Components(msgspec.Struct, frozen=True):
    schemas: dict[str, Object] | None = None


class _Document(msgspec.Struct, frozen=True):
    """Of /openapi/v3/apis/GROUP/VERSION."""

    components: _Components = _Components()


T = TypeVar("T", bound=msgspec.Struct)


class Schemas:
    """Of one round of checks: documents are read once."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._documents: dict[tuple[str, str], _Document] = {}
        self._kinds = {(row.group, row.version, row.plural): row.kind for row in resources.load()}

    async def kind_of(self, group: str, version: str, plural: str) -> Kind | None:
        """None for what is not served. Raises ApiError, EdgeError."""
        built_in = self._kinds.get((group, version, plural))
        if built_in is not None:
            return Kind(group, version, built_in)
        listed = await self._read(f"/apis/{group}/{version}", _Listing)
        found = next((each for each in listed.resources or () if each.name == plural), None)
        return None if found is None else Kind(group, version, found.kind)

    async def type_of(self, kind: Kind) -> Type | None:
        """None for a kind without a schema. Raises ApiError, EdgeError."""
        node = kind_node(f"{kind.group}/{kind.version}" if kind.group else kind.version, kind.kind)
        if node is not None:
            return kind_type(node, kind.kind)
        key = kind.group, kind.version
        if key not in self._documents:
            self._documents[key] = await self._read(f"/openapi/v3/apis/{kind.group}/{kind.version}", _Document)
        wanted = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        for each in (self._documents[key].components.schemas or {}).values():
            if wanted in (each.get("x-kubernetes-group-version-kind") or ()):
                return _custom(each, kind.kind)
        return None

    async def _read(self, path: str, shape: type[T]) -> T:
        """Empty where there is nothing. Another server may answer, so also where it has not this shape."""
        try:
            return msgspec.json.decode(await whole_body(await self._client.raw("GET", path)), type=shape)
        except msgspec.MsgspecError:
            return shape()
        except ApiError as missing:
            if missing.code == 404:
                return shape()
            raise


def _custom(schema: Object, name: str) -> Type | None:
    """Of a custom resource; its metadata is that of all objects."""
    found = declared(Structural(schema, root=True), name, root=True)
    if not isinstance(found, ObjectType):
        return found
    fields = {**found.fields, "metadata": kind_type(node(OBJECT_META), f"{name}.metadata")}
    return ObjectType(name, fields, source_names=found.source_names)
