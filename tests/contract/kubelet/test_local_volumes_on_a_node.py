"""A node removes the folders of its own released volumes, with a node's rights, and no others'."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apiserver_fixture import serving_apiserver
from cybernetes.apiserver.bootstrap import policy
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError
from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient
from cybernetes.client.target import NODES, PERSISTENT_VOLUMES, Target
from cybernetes.kubelet.local_volumes import LocalVolumes
from cybernetes.kubelet.volumes.local import make_folder

CLOCK = SystemClock()


def volume(name: str, node: str, folder: Path, **spec: Any) -> dict[str, Any]:
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    given = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Delete",
        "storageClassName": "local",
        "local": {"path": str(folder / name)},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}},
        **spec,
    }
    annotations = {"pv.kubernetes.io/provisioned-by": "cybernetes.io/local"}
    labels = {"cybernetes.io/node": node}
    return {"metadata": {"name": name, "labels": labels, "annotations": annotations}, "spec": given}


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 -- asked as anybody would
            await asyncio.sleep(0.02)


def test_released_volumes_of_this_node_go_with_their_folders(tmp_path: Path) -> None:
    asyncio.run(_released_volumes(tmp_path))


async def _released_volumes(tmp_path: Path) -> None:
    folder = tmp_path / "volumes"
    async with serving_apiserver(tmp_path) as api:
        admin = ApiClient(api.transport(), user_agent="admin", clock=CLOCK)
        node = ApiClient(api.transport_as("system:node:n1", "system:nodes"), user_agent="kubelet", clock=CLOCK)
        for each in policy.load("own.yaml"):
            group, _, version = each["apiVersion"].partition("/")
            target = Target(group, version, f"{each['kind'].lower()}s", each["kind"], "Cluster" not in each["kind"])
            await admin.create(target, each, namespace=each["metadata"].get("namespace", ""))
        for name in ("n1", "n2"):
            await admin.create(NODES, {"metadata": {"name": name}})

        async def make(name: str, on: str, phase: str, **spec: Any) -> None:
            made = await admin.create(PERSISTENT_VOLUMES, volume(name, on, folder, **spec))
            await admin.update(PERSISTENT_VOLUMES, made | {"status": {"phase": phase}}, subresource="status")
            make_folder(folder / name)
            (folder / name / "file").write_text("data")

        await make("done", "n1", "Released")
        await make("kept", "n1", "Released", persistentVolumeReclaimPolicy="Retain")
        await make("used", "n1", "Bound")
        await make("theirs", "n2", "Released")
        await make("outside", "n1", "Released", local={"path": str(tmp_path / "elsewhere")})
        (tmp_path / "elsewhere").mkdir()
        task = asyncio.ensure_future(LocalVolumes(node, CLOCK, SeededRandom(1), "n1", folder).run())
        try:
            await until(lambda: not (folder / "done").exists())
            left = {"kept", "used", "theirs", "outside"}

            async def listed() -> set[str]:
                """Those that nobody has deleted: who takes the protection's finalizer off is not here."""
                objects = (await admin.list(PERSISTENT_VOLUMES)).objects()
                return {each["metadata"]["name"] for each in objects if "deletionTimestamp" not in each["metadata"]}

            async with asyncio.timeout(60):
                while await listed() != left:  # noqa: ASYNC110 -- asked as anybody would
                    await asyncio.sleep(0.02)
            assert {each.name for each in folder.iterdir()} == left
            assert (tmp_path / "elsewhere").exists()
            for name, why in (
                ("theirs", "can only delete local volumes that were made on it"),
                ("used", "can only delete volumes that were released"),
            ):
                with pytest.raises(ApiError, match=why):
                    await node.delete(PERSISTENT_VOLUMES, name)
            with pytest.raises(ApiError, match="forbidden"):
                await node.delete_collection(PERSISTENT_VOLUMES)
            with pytest.raises(ApiError, match="forbidden"):
                await node.create(PERSISTENT_VOLUMES, volume("new", "n1", folder))
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await admin.close()
            await node.close()
