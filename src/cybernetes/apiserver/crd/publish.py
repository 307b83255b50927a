"""Keeps the registry in step with the definitions in the cache, synchronously at each change."""

from __future__ import annotations

from typing import Any

from cybernetes.apiserver.cache.lister import Lister
from cybernetes.apiserver.crd.names import is_established
from cybernetes.apiserver.openapi import custom as openapi
from cybernetes.apiserver.registry import Registry, ScalePaths, Served
from cybernetes.base.log import Log
from cybernetes.model.schema.custom.rows import CustomVersion, versions

Object = dict[str, Any]
Place = tuple[str, str, str]
GROUP, PLURAL = "apiextensions.k8s.io", "customresourcedefinitions"

log = Log("apiserver.crd")


class Publisher:
    """start() serves what is there and follows the cache from then on."""

    def __init__(self, lister: Lister, registry: Registry) -> None:
        self._lister = lister
        self._registry = registry
        # What each definition serves: name -> places in the registry.
        self._places: dict[str, set[Place]] = {}

    def start(self) -> None:
        self._lister.subscribe(GROUP, PLURAL, self._changed)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _essence(old) == _essence(new):
            return
        name = (new or old or {})["metadata"]["name"]
        wanted = served_rows(new) if new is not None and is_established(new) else {}
        for place in self._places.pop(name, set()) - wanted.keys():
            self._registry.remove(*place)
        for served in wanted.values():
            self._registry.add(served)
        if wanted:
            self._places[name] = set(wanted)
        log.info("crd.published", crd=name, versions=len(wanted))


def _essence(definition: Object) -> tuple[Any, ...]:
    """What of a definition decides what is served."""
    names = (definition.get("status") or {}).get("acceptedNames")
    deleting = bool(definition["metadata"].get("deletionTimestamp"))
    return definition["spec"], names, is_established(definition), deleting


def served_rows(definition: Object) -> dict[Place, Served]:
    """The served versions of an established definition."""
    found = versions(definition)
    kept = next(each for each in found if each.is_stored)
    listed = {each["name"] for each in definition["spec"]["versions"] if each["served"]}
    if (definition["spec"].get("conversion") or {}).get("strategy") == "Webhook":
        # Objects are not sent to conversion webhooks: only the version in which they are stored is served.
        listed &= {kept.resource.version}
    list_kind = definition["status"]["acceptedNames"].get("listKind") or kept.resource.kind + "List"
    return {
        (each.resource.group, each.resource.version, each.resource.plural): _served(each, kept, list_kind)
        for each in found
        if each.resource.version in listed
    }


def _served(each: CustomVersion, kept: CustomVersion, list_kind: str) -> Served:
    row = each.resource
    other = not each.is_stored
    return Served(
        row,
        kept.resource,
        node=lambda: each.node,
        custom=True,
        scale_paths=_scale_paths(each.scale),
        to_stored=_version_setter(kept.resource.api_version) if other else None,
        from_stored=_version_setter(row.api_version) if other else None,
        definitions=openapi.definitions(row.group, row.version, row.kind, list_kind, each.schema),
    )


def _version_setter(api_version: str) -> Any:
    """The conversion named None: versions differ in nothing but their name."""
    return lambda obj: {**obj, "apiVersion": api_version}


def _scale_paths(paths: tuple[str, str, str] | None) -> ScalePaths:
    if paths is None:
        return ScalePaths()
    wanted, seen, selector = (tuple(part for part in path.split(".") if part) for path in paths)
    return ScalePaths(wanted, seen, selector)
