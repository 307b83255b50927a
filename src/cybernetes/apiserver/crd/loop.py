"""Gives definitions their status, and empties them before they go; as a client of the server it runs in."""

from __future__ import annotations

from typing import Any

from cybernetes.apiserver.cache.lister import Lister
from cybernetes.apiserver.crd.names import is_established, status_of
from cybernetes.apiserver.crd.publish import GROUP, PLURAL
from cybernetes.apiserver.handlers.delete import CRD_CLEANUP as CLEANUP
from cybernetes.apiserver.tending import tend
from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.client.api import ApiClient
from cybernetes.client.queue import WorkQueue
from cybernetes.client.target import Target

Object = dict[str, Any]
DEFINITIONS = Target(GROUP, "v1", PLURAL, "CustomResourceDefinition", namespaced=False)
# How often a definition looks whether its last objects, which may have finalizers, are gone.
EMPTYING_EVERY_S = 1.0
RETRY_LIMIT_S = 30.0

log = Log("apiserver.crd")


class DefinitionLoop:
    """One worker is enough: definitions change seldom, and their names depend on each other."""

    def __init__(self, client: ApiClient, lister: Lister, clock: Clock, random: Random) -> None:
        self._client = client
        self._lister = lister
        self._clock = clock
        self._queue: WorkQueue[str] = WorkQueue(clock, random, wait_limit_s=RETRY_LIMIT_S)

    async def run(self) -> None:
        self._lister.subscribe(GROUP, PLURAL, self._changed)
        await tend(self._queue, self._sync, log, "crd.failed")

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            self._queue.add(new["metadata"]["name"])
        if old is not None and (new is None or _accepted(old) != _accepted(new)):
            # Names that became free may be what others of the group wait for.
            for each in self._of_group(old["spec"]["group"]):
                self._queue.add(each["metadata"]["name"])

    def _of_group(self, group: str) -> list[Object]:
        return [each for each in self._lister.list(GROUP, PLURAL) if each["spec"]["group"] == group]

    async def _sync(self, name: str) -> None:
        definition = self._lister.get(GROUP, PLURAL, "", name)
        if definition is None:
            return
        if definition["metadata"].get("deletionTimestamp"):
            await self._empty(definition)
            return
        others = [each for each in self._of_group(definition["spec"]["group"]) if each["metadata"]["name"] != name]
        status = status_of(definition, others, self._clock.now())
        if status != definition.get("status"):
            await self._client.update(DEFINITIONS, {**definition, "status": status}, subresource="status")

    async def _empty(self, definition: Object) -> None:
        """Delete the objects; let the definition go when none is left."""
        metadata = definition["metadata"]
        if CLEANUP not in (metadata.get("finalizers") or ()):
            return
        target = _target(definition)
        left = self._lister.list(target.group, target.plural) if is_established(definition) else []
        for each in left:
            if not each["metadata"].get("deletionTimestamp"):
                await self._delete(target, each["metadata"])
        if left:
            self._queue.add_after(metadata["name"], EMPTYING_EVERY_S)
            return
        finalizers = [each for each in metadata["finalizers"] if each != CLEANUP]
        await self._client.update(DEFINITIONS, {**definition, "metadata": {**metadata, "finalizers": finalizers}})

    async def _delete(self, target: Target, metadata: Object) -> None:
        try:
            await self._client.delete(target, metadata["name"], namespace=metadata.get("namespace", ""))
        except ApiError as error:
            if error.code != 404:
                raise


def _accepted(definition: Object) -> Any:
    return (definition.get("status") or {}).get("acceptedNames")


def _target(definition: Object) -> Target:
    """Where its objects are served: any served version does."""
    spec, names = definition["spec"], definition["status"]["acceptedNames"]
    listed = [each for each in spec["versions"] if each["served"]]
    version = next((each for each in listed if each["storage"]), (listed or spec["versions"])[0])["name"]
    return Target(spec["group"], version, names["plural"], names["kind"], namespaced=spec["scope"] == "Namespaced")
