"""StorageVersionMigrations against the real API server, under the controller's own rights."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from test_with_real_api import Cluster, cluster

from cybernetes.base.errors import ApiError
from cybernetes.client.target import CONFIG_MAPS, Target
from cybernetes.controllers.storageversionmigrator.loop import DEFINITIONS, MIGRATIONS

Object = dict[str, Any]
GROUP = "tabs.example.test"
TABS = Target(GROUP, "v1", "tabs", "Tab")
OBJECTS = 40


def version(name: str, *, storage: bool) -> Object:
    spec = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    return {"name": name, "served": True, "storage": storage, "schema": schema}


def definition() -> Object:
    names = {"plural": "tabs", "singular": "tab", "kind": "Tab", "listKind": "TabList"}
    versions = [version("v1", storage=True), version("v2", storage=False)]
    spec = {"group": GROUP, "scope": "Namespaced", "names": names, "versions": versions}
    return {"metadata": {"name": f"tabs.{GROUP}"}, "spec": spec}


async def migrated(c: Cluster, name: str, group: str, resource: str) -> dict[str, str]:
    """Condition types with their status, once the migration is over."""
    spec = {"resource": {"group": group, "resource": resource}}
    await c.admin.create(MIGRATIONS, {"metadata": {"name": name}, "spec": spec})
    found: dict[str, str] = {}

    async def over() -> bool:
        status = (await c.admin.get(MIGRATIONS, name)).get("status") or {}
        found.update({each["type"]: each["status"] for each in status.get("conditions") or ()})
        return "True" in (found.get("Succeeded"), found.get("Failed"))

    await c.until(over)
    return found


async def served(c: Cluster) -> bool:
    try:
        await c.admin.list(TABS)
    except ApiError:
        return False
    return True


def test_objects_are_rewritten_in_the_storage_version_and_older_ones_forgotten(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as c:
            await c.admin.create(DEFINITIONS, definition())
            await c.until(lambda: served(c))
            made = [
                await c.admin.create(TABS, {"metadata": {"name": f"t{n}"}, "spec": {"n": n}}, namespace="default")
                for n in range(OBJECTS)
            ]
            live = await c.admin.get(DEFINITIONS, f"tabs.{GROUP}")
            live["spec"]["versions"] = [version("v1", storage=False), version("v2", storage=True)]
            await c.admin.update(DEFINITIONS, live)
            assert (await c.admin.get(DEFINITIONS, f"tabs.{GROUP}"))["status"]["storedVersions"] == ["v1", "v2"]
            assert await migrated(c, "tabs", GROUP, "tabs") == {"Running": "False", "Succeeded": "True"}
            assert (await c.admin.get(DEFINITIONS, f"tabs.{GROUP}"))["status"]["storedVersions"] == ["v2"]
            after = {each["metadata"]["name"]: each for each in await c.all(TABS)}
            for each in made:
                now = after[each["metadata"]["name"]]
                # Written anew, and nobody's but its writer's.
                assert now["metadata"].pop("resourceVersion") != each["metadata"].pop("resourceVersion")
                assert now["metadata"] == each["metadata"]
                assert now["spec"] == each["spec"]
            # Once they are all there, nothing is written any more.
            before = [each["metadata"]["resourceVersion"] for each in await c.all(TABS)]
            assert (await migrated(c, "again", GROUP, "tabs"))["Succeeded"] == "True"
            assert [each["metadata"]["resourceVersion"] for each in await c.all(TABS)] == before
            # The old version can go now.
            live = await c.admin.get(DEFINITIONS, f"tabs.{GROUP}")
            live["spec"]["versions"] = [version("v2", storage=True)]
            await c.admin.update(DEFINITIONS, live)

    asyncio.run(main())


def test_built_in_resources_migrate_and_others_fail(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as c:
            nameless = {"metadata": {"name": "x"}, "spec": {"resource": {"group": "apps", "resource": ""}}}
            with pytest.raises(ApiError, match=r"spec.resource.resource: Required value"):
                await c.admin.create(MIGRATIONS, nameless)
            await c.admin.create(CONFIG_MAPS, {"metadata": {"name": "c"}}, namespace="default")
            assert (await migrated(c, "maps", "", "configmaps"))["Succeeded"] == "True"
            assert await migrated(c, "none", "none.test", "nothings") == {"Failed": "True"}
            assert await migrated(c, "reviews", "authorization.k8s.io", "subjectaccessreviews") == {"Failed": "True"}

    asyncio.run(main())
