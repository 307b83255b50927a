"""Keeps the registry in step with the definitions in the cache, synchronously at each change."""

from __future__ import annotations

from typing import Any

from cybernetes.apiserver.cache.feed import Caches
from cybernetes.apiserver.cache.lister import Lister
from cybernetes.apiserver.crd.conversion import ByName, ByWebhook, Caller, Converter
from cybernetes.apiserver.crd.names import is_established
from cybernetes.apiserver.crd.views import Views
from cybernetes.apiserver.openapi import custom as openapi
from cybernetes.apiserver.registry import Registry, ScalePaths, Served
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.model.schema.custom.rows import CustomVersion, shapes, versions

Object = dict[str, Any]
Place = tuple[str, str, str]
GROUP, PLURAL = "apiextensions.k8s.io", "customresourcedefinitions"

log = Log("apiserver.crd")


class Publisher:
    """start() serves what is there and follows the cache from then on."""

    def __init__(self, lister: Lister, caches: Caches, registry: Registry, caller: Caller, random: Random) -> None:
        self._lister = lister
        self._caches = caches
        self._registry = registry
        self._caller = caller
        self._random = random
        # What each definition serves: name -> places in the registry.
        self._places: dict[str, set[Place]] = {}

    def start(self) -> None:
        self._lister.subscribe(GROUP, PLURAL, self._changed)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _essence(old) == _essence(new):
            return
        name = (new or old or {})["metadata"]["name"]
        established = new is not None and is_established(new)
        wanted = served_rows(new, self._converter(new)) if new is not None and established else {}
        former = self._places.pop(name, set())
        self._end(former, watches=_shape(old) != _shape(new))
        for place in former - wanted.keys():
            self._registry.remove(*place)
        for served in wanted.values():
            self._registry.add(served)
        if wanted:
            self._places[name] = set(wanted)
        log.info("crd.published", crd=name, versions=len(wanted))

    def _end(self, places: set[Place], *, watches: bool) -> None:
        """What was served so far is over; watches too, where clients must see what is served from now on."""
        for place in places:
            served = self._registry.find(*place)
            if served is None or served.views is None:
                continue
            served.views.over = True
            hub = self._caches.of(*served.keeper).hub
            for watcher in [each for each in hub.each() if watches and each.selection.served is served]:
                watcher.end()

    def _converter(self, definition: Object) -> Converter:
        conversion = definition["spec"].get("conversion") or {}
        if conversion.get("strategy") != "Webhook":
            return ByName()
        return ByWebhook(self._caller, self._random, conversion.get("webhook") or {})


def _essence(definition: Object) -> tuple[Any, ...]:
    """What of a definition decides what is served."""
    deleting = bool(definition["metadata"].get("deletionTimestamp"))
    return *_shape(definition), is_established(definition), deleting


def _shape(definition: Object | None) -> tuple[Any, ...]:
    """What decides how objects look."""
    return () if definition is None else (definition["spec"], (definition.get("status") or {}).get("acceptedNames"))


def served_rows(definition: Object, converter: Converter) -> dict[Place, Served]:
    """The served versions of an established definition."""
    found = versions(definition)
    kept = next(each for each in found if each.is_stored)
    listed = {each["name"] for each in definition["spec"]["versions"] if each["served"]}
    list_kind = definition["status"]["acceptedNames"].get("listKind") or kept.resource.kind + "List"
    schemas = shapes(definition)
    return {
        (each.resource.group, each.resource.version, each.resource.plural): _served(
            each,
            kept,
            list_kind,
            Views(
                kept.resource.kind,
                schemas,
                served=each.resource.api_version,
                stored=kept.resource.api_version,
                converter=converter,
            ),
        )
        for each in found
        if each.resource.version in listed
    }


def _served(each: CustomVersion, kept: CustomVersion, list_kind: str, views: Views) -> Served:
    row = each.resource
    return Served(
        row,
        kept.resource,
        node=lambda: each.node,
        custom=True,
        scale_paths=_scale_paths(each.scale),
        views=views,
        definitions=openapi.definitions(
            row.group, row.version, row.kind, list_kind, row.plural, each.schema, row.fields
        ),
    )


def _scale_paths(paths: tuple[str, str, str] | None) -> ScalePaths:
    if paths is None:
        return ScalePaths()
    wanted, seen, selector = (tuple(part for part in path.split(".") if part) for path in paths)
    return ScalePaths(wanted, seen, selector)
