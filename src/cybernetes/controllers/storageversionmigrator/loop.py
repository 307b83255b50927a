"""Follows StorageVersionMigrations, and carries one out at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from cybernetes.base.errors import ApiError
from cybernetes.client.api import METADATA_LIST_ONLY, is_reason
from cybernetes.client.target import Target
from cybernetes.controllers.discovery import Found, discover
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, work
from cybernetes.controllers.storageversionmigrator import plan
from cybernetes.controllers.storageversionmigrator.plan import Migration, Resource

Object = dict[str, Any]

MIGRATIONS = Target(
    "storagemigration.k8s.io", "v1", "storageversionmigrations", "StorageVersionMigration", namespaced=False
)
DEFINITIONS = Target(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
MANAGER = "storage-version-migrator-controller"
# Objects that are rewritten at a time: the store commits what comes together at once, and others are to have their turn.
PARALLEL = 16
_NEEDED = frozenset(("list", "patch"))
# Answers that another try may change; of the client's other errors the next try hears the same.
_PASSING = frozenset((408, 410, 429))


class StorageVersionMigrator:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._client = edges.client
        self._migrations = edges.informers.make(MIGRATIONS, decoder(Migration))
        self._queue = edges.queue()
        self._migrations.on_change(lambda name, old, new: self._queue.add(name))

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("storageversionmigrator", self._queue, self.sync, workers=1)

    async def sync(self, name: str) -> float | None:
        migration = self._migrations.items.get(name)
        if migration is None or migration.is_over or await self._is_over(name):
            return None
        found = await self._find(migration.spec.resource)
        if found is None or not found.verbs >= _NEEDED:
            why = "is not served" if found is None else "can not be listed and patched"
            await self._tell(name, plan.FAILED, f"the resource {migration.spec.resource.shown} {why}")
            return None
        try:
            await self._migrate(name, found.target)
        except ApiError as error:
            if error.code >= 500 or error.code in _PASSING:
                raise
            await self._tell(name, plan.FAILED, f"migration encountered unhandled error: {error.message}")
        return None

    async def _is_over(self, name: str) -> bool:
        """Asked of the server: what was seen may be older than what this controller wrote itself."""
        try:
            live = await self._client.get(MIGRATIONS, name)
        except ApiError as error:
            if is_reason(error, "NotFound"):
                return True
            raise
        return plan.is_over((live.get("status") or {}).get("conditions") or ())

    async def _migrate(self, name: str, target: Target) -> None:
        definition = await self._definition(target)
        # As of when objects are rewritten: what is written later is in the storage version by itself.
        first = await self._client.list(target, limit=1, accept=METADATA_LIST_ONLY)
        await self._tell(name, plan.RUNNING, "", first.resource_version)
        async for page in self._client.pages(target, accept=METADATA_LIST_ONLY):
            await self._rewrite_all(target, page.objects())
        if definition is not None:
            await self._forget_versions(target, definition)
        await self._tell(name, plan.SUCCEEDED, "")

    async def _find(self, wanted: Resource) -> Found | None:
        """The resource under the version that its group prefers."""
        for each in (await discover(self._client)).resources:
            if (each.target.group, each.target.plural) == (wanted.group, wanted.resource):
                return each
        return None

    async def _rewrite_all(self, target: Target, objects: Sequence[Object]) -> None:
        for at in range(0, len(objects), PARALLEL):
            some = objects[at : at + PARALLEL]
            results = await asyncio.gather(*(self._rewrite(target, each) for each in some), return_exceptions=True)
            for each in results:
                if each is not None:
                    raise each

    async def _rewrite(self, target: Target, obj: Object) -> None:
        """Write the object as it is. One that is gone, or was changed, needs it no more."""
        metadata = obj["metadata"]
        kept = {key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion") if metadata.get(key)}
        try:
            await self._client.apply(target, {"metadata": kept}, field_manager=MANAGER)
        except ApiError as error:
            if not is_reason(error, "NotFound") and not is_reason(error, "Conflict"):
                raise

    async def _definition(self, target: Target) -> Object | None:
        """Of a custom resource, before its objects are rewritten."""
        try:
            return await self._client.get(DEFINITIONS, f"{target.plural}.{target.group}")
        except ApiError as error:
            if is_reason(error, "NotFound"):
                return None
            raise

    async def _forget_versions(self, target: Target, before: Object) -> None:
        """No object is in another version than the storage version any more, if that is still the same."""
        now = await self._definition(target)
        if now is None or now["spec"] != before["spec"] or now["metadata"]["uid"] != before["metadata"]["uid"]:
            return
        storage = [each["name"] for each in now["spec"]["versions"] if each["storage"]]
        if now["status"].get("storedVersions") != storage:
            status = {**now["status"], "storedVersions": storage}
            await self._client.update(DEFINITIONS, {**now, "status": status}, subresource="status")

    async def _tell(self, name: str, kind: str, message: str, revision: str = "") -> None:
        live = await self._client.get(MIGRATIONS, name)
        status = live.setdefault("status", {})
        status["conditions"] = plan.conditions(status.get("conditions") or (), kind, message, self._edges.clock.now())
        if revision:
            status["resourceVersion"] = revision
        await self._client.update(MIGRATIONS, live, subresource="status")
