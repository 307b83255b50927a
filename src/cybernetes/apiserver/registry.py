"""Which resources are served, and where each is stored; built-in ones at first, custom ones come and go.

enters   Resource rows
leaves   `find(group, version, plural)`: the served resource
holds    one Kept per stored resource, shared by all versions that serve it
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from cybernetes.apiserver import stored
from cybernetes.model import resources
from cybernetes.model.resource import Resource

if TYPE_CHECKING:
    from cybernetes.apiserver.cache.state import Item
    from cybernetes.apiserver.crd.views import Views

Object = dict[str, Any]


class ScalePaths(msgspec.Struct, frozen=True):
    """Where a workload has what its Scale shows; built-in workloads have it in these places."""

    spec_replicas: tuple[str, ...] = ("spec", "replicas")
    status_replicas: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] = ("spec", "selector")


class Served:
    """One resource in one version.

    node      its compiled schema; None until first used, `schema_node()` compiles it
    keeper    (group, plural) under which objects lie in the store
    stored    the Resource of the version in which they lie there
    definitions  OpenAPI v3 schemas of a custom resource by name (built-in ones are generated)
    to_stored, from_stored  conversions of whole objects, None where served and stored versions are the same
    views     of a custom resource: what is stored as this version shows it; items given to `decode` are views then
    """

    def __init__(
        self,
        resource: Resource,
        kept_as: Resource | None = None,
        *,
        node: Callable[[], Any] | None = None,
        custom: bool = False,
        scale_paths: ScalePaths = ScalePaths(),  # noqa: B008
        to_stored: Callable[[Object], Object] | None = None,
        from_stored: Callable[[Object], Object] | None = None,
        definitions: Mapping[str, bytes] = {},
        views: Views | None = None,
    ) -> None:
        self.resource = resource
        self.stored = kept_as or resource
        self.custom = custom
        self.scale_paths = scale_paths
        self.to_stored = to_stored
        self.from_stored = from_stored
        self.definitions = definitions
        self.views = views
        self.head = stored.head(resource.api_version, resource.kind)
        self.converts = to_stored is not None
        # Renderers by form, so that all requests of a form share one (see `respond.renderer`).
        self.renderers: dict[Any, Any] = {}
        self._compile = node or _definition(resource.schema)
        self._node: Any = None

    @property
    def keeper(self) -> tuple[str, str]:
        return self.stored.group, self.stored.plural

    @property
    def protobuf(self) -> bool:
        return not self.custom

    @property
    def prefix(self) -> str:
        return prefix(*self.keeper)

    def key(self, namespace: str, name: str) -> str:
        return f"{self.prefix}{namespace}/{name}" if self.resource.namespaced else f"{self.prefix}{name}"

    def schema_node(self) -> Any:
        if self._node is None:
            self._node = self._compile()
        return self._node

    def decode(self, item: bytes) -> Object:
        """A cached item as an object of this version, with kind, apiVersion and resourceVersion."""
        obj = stored.decode(item)
        row = self.resource if self.views is not None else self.stored
        kept = {"kind": row.kind, "apiVersion": row.api_version, **obj}
        return self.from_stored(kept) if self.from_stored else kept

    async def shown(self, item: Item) -> Item:
        """The item that `decode` and renderers read. Raises ApiError 500 where it can't be converted."""
        return item if self.views is None else (await self.views.of((item,)))[0]

    async def kept(self, obj: Object) -> tuple[bytes, bytes]:
        """The stored value of an object of this version, and the same as this version shows it. Raises ApiError 500."""
        if self.views is not None:
            return await self.views.kept(obj)
        value = self.encode(obj)
        return value, value

    def encode(self, obj: Object) -> bytes:
        """The stored value of an object of this version."""
        kept = self.to_stored(obj) if self.to_stored else obj
        return stored.encode(kept, self.stored.api_version, self.stored.kind)


def prefix(group: str, plural: str) -> str:
    return f"/{group or 'core'}/{plural}/"


def _definition(name: str) -> Callable[[], Any]:
    def compile_node() -> Any:
        # Late: the definitions of all kinds take a while to load, and most processes use few.
        from cybernetes.model.schema import compile as schema_compile

        return schema_compile.node(name)

    return compile_node


class Registry:
    def __init__(self, rows: Iterable[Resource] | None = None) -> None:
        self._served: dict[tuple[str, str, str], Served] = {}
        # Asked at every event that something in this process follows.
        self._any_version: dict[tuple[str, str], Served | None] = {}
        self._versions: dict[tuple[str, str], tuple[Served, ...]] = {}
        self._listeners: list[Callable[[], None]] = []
        rows = tuple(resources.load() if rows is None else rows)
        by_name = {(each.group, each.version, each.plural): each for each in rows}
        for each in rows:
            self._served[each.group, each.version, each.plural] = _built_in(each, by_name)

    def find(self, group: str, version: str, plural: str) -> Served | None:
        return self._served.get((group, version, plural))

    def find_kind(self, group: str, version: str, kind: str) -> Served | None:
        for each in self._served.values():
            row = each.resource
            if row.kind == kind and row.group == group and row.version == version:
                return each
        return None

    def any_version(self, group: str, plural: str) -> Served | None:
        """Some version of a resource, its stored one if that is served."""
        if (group, plural) not in self._any_version:
            same = [each for key, each in self._served.items() if key[0] == group and key[2] == plural]
            kept = next((each for each in same if each.stored is each.resource), None)
            self._any_version[group, plural] = kept or next(iter(same), None)
        return self._any_version[group, plural]

    def versions(self, group: str, plural: str) -> tuple[Served, ...]:
        """What serves the objects that lie in the store under this group and plural."""
        found = self._versions.get((group, plural))
        if found is None:
            found = tuple(each for each in self._served.values() if each.keeper == (group, plural))
            self._versions[group, plural] = found
        return found

    def knows_version(self, group: str, version: str) -> bool:
        return any(key[0] == group and key[1] == version for key in self._served)

    def __iter__(self) -> Iterator[Served]:
        return iter(list(self._served.values()))

    def add(self, served: Served) -> None:
        """Serve it from now on; replaces what had its name."""
        row = served.resource
        self._served[row.group, row.version, row.plural] = served
        self._changed()

    def remove(self, group: str, version: str, plural: str) -> None:
        if self._served.pop((group, version, plural), None) is not None:
            self._changed()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Discovery and OpenAPI documents are built anew after a change."""
        self._listeners.append(listener)

    def _changed(self) -> None:
        self._any_version.clear()
        self._versions.clear()
        for listener in self._listeners:
            listener()


def _built_in(row: Resource, rows: dict[tuple[str, str, str], Resource]) -> Served:
    if row.stored_as is None or row.stored_as == (row.group, row.version, row.plural):
        return Served(row)
    kept_as = rows[row.stored_as]
    from cybernetes.model import convert

    return Served(
        row,
        kept_as,
        to_stored=convert.between(row.api_version, kept_as.api_version, row.kind),
        from_stored=convert.between(kept_as.api_version, row.api_version, row.kind),
    )
