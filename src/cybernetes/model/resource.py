"""The description of one API resource: everything that the API server needs to serve it, as data.

One file in `resources/` holds one `RESOURCE`. Handlers have no code for single kinds: what is
special about a kind is a function named here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cybernetes.base.random import Random
from cybernetes.model.field import FieldError

Object = dict[str, Any]

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
GET_PATCH_UPDATE = ("get", "patch", "update")


class WriteContext(msgspec.Struct, frozen=True):
    """What a strategy may know besides the objects: who writes, when, from which randomness.

    warnings  texts of Warning headers; rules that are not held against an object are told there
    """

    now: float
    random: Random
    user: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, list[str]] = {}
    namespace: str = ""
    dry_run: bool = False
    warnings: list[str] = []


def _nothing_to_prepare(obj: Object, ctx: WriteContext) -> None:
    """Nothing but the common metadata is set by the server."""


def _nothing_to_prepare_on_update(obj: Object, old: Object, ctx: WriteContext) -> None:
    """The whole object is the client's to change."""


def _no_errors(obj: Object, ctx: WriteContext) -> list[FieldError]:
    return []


def _no_update_errors(obj: Object, old: Object, ctx: WriteContext) -> list[FieldError]:
    return []


def _nothing_to_complete(obj: Object) -> None:
    """What was found right is complete."""


def _no_warnings(obj: Object, old: Object | None, ctx: WriteContext) -> list[str]:
    return []


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """What create and update of a resource (or of a subresource) may set, and what they must satisfy.

    prepare_create(obj, ctx)       drops what the client may not set, fills what the server sets; in place
    prepare_update(obj, old, ctx)  the same against the stored object: status, generation, immutable parts
    validate_create(obj, ctx)      all errors, metadata included, in Kubernetes' order
    validate_update(obj, old, ctx)
    canonicalize(obj)              completes an object that was found right; in place
    warnings(obj, old, ctx)        texts of Warning headers; old is None on create
    source  Kubernetes, pkg/registry/*/strategy.go. Objects given are the caller's own and may be changed in place, `old` not
    """

    prepare_create: Callable[[Object, WriteContext], None] = _nothing_to_prepare
    prepare_update: Callable[[Object, Object, WriteContext], None] = _nothing_to_prepare_on_update
    validate_create: Callable[[Object, WriteContext], list[FieldError]] = _no_errors
    validate_update: Callable[[Object, Object, WriteContext], list[FieldError]] = _no_update_errors
    canonicalize: Callable[[Object], None] = _nothing_to_complete
    warnings: Callable[[Object, Object | None, WriteContext], list[str]] = _no_warnings
    allow_create_on_update: bool = False
    allow_unconditional_update: bool = True
    returns_deleted_object: bool = False
    # None: dependents are deleted in the background; otherwise "Orphan" or "Unsupported".
    default_propagation: str | None = None
    # Seconds of grace that a delete without options gets; None: the object goes at once.
    grace: Callable[[Object, Mapping[str, Any]], int | None] | None = None
    # Paths that server-side apply leaves out on this endpoint (upstream's resetFields).
    reset_fields: tuple[tuple[str, ...], ...] = ()


class Subresource(msgspec.Struct, frozen=True, kw_only=True):
    """group and version are "" where they are the resource's own."""

    name: str
    kind: str
    group: str = ""
    version: str = ""
    verbs: tuple[str, ...] = GET_PATCH_UPDATE
    strategy: Strategy | None = None


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One printed column. priority 0 is always shown, 1 with -o wide. `cell(obj, now)` gives its value."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0
    cell: Callable[[Object, float], Any]


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[Subresource, ...] = ()
    storage_version_hash: str = ""
    # (group, version, plural) under which the object is stored, where that is another resource's.
    stored_as: tuple[str, str, str] | None = None
    # Name of the schema definition, io.k8s.api.core.v1.Pod.
    schema: str = ""
    strategy: Strategy = Strategy()
    columns: tuple[Column, ...] = ()
    # Field selectors beyond metadata.name and metadata.namespace: label -> value of the object.
    fields: Mapping[str, Callable[[Object], str]] = {}
    # Those of `fields` that are the path of a text by which single objects are often looked for; never converted.
    indexed: tuple[str, ...] = ()
    # The warning with which every use is answered; "" where the version is not deprecated.
    deprecation: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def path(self) -> str:
        """`/api/v1` or `/apis/GROUP/VERSION`."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def subresource(self, name: str) -> Subresource | None:
        return next((each for each in self.subresources if each.name == name), None)
