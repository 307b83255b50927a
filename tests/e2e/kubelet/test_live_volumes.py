"""Volumes follow the objects that they are made from while their containers run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.e2e.kubelet.cluster import Cluster, cluster, pod
from tests.e2e.kubelet.test_pods import UNTIL_TERM, ready, waits
from tests.e2e.kubelet.testbed import Testbed

from cybernetes.client.api import PatchType
from cybernetes.client.target import CONFIG_MAPS, PODS, SECRETS, Target

Object = dict[str, Any]
_KINDS = {"configMap": CONFIG_MAPS, "secret": SECRETS}


def _volume(kind: str, name: str, *, projected: bool) -> Object:
    named = {"secretName" if kind == "secret" and not projected else "name": name, "optional": True}
    source = {kind: named}
    return {"projected": {"sources": [source]}} if projected else source


def _content(folder: Path) -> dict[str, str]:
    return {each.name: each.read_text() for each in folder.iterdir() if not each.name.startswith("..")}


def test_volumes_follow_their_objects(testbed: Testbed) -> None:
    """Each kind, alone and projected: one object is removed, one changed, one made after the pod started."""

    async def scenario() -> None:
        async with cluster(testbed) as c:
            for target in _KINDS.values():
                for name in ("del", "upd"):
                    await c.admin.create(
                        target, {"metadata": {"name": name}, **_data(target, {"d-1": "v1"})}, namespace="default"
                    )
            volumes = [
                {"name": f"{kind.lower()}-{name}-{int(projected)}", **_volume(kind, name, projected=projected)}
                for kind in _KINDS
                for name in ("del", "upd", "new")
                for projected in (False, True)
            ]
            told = {"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}
            noted = {"path": "a", "fieldRef": {"fieldPath": "metadata.annotations"}}
            volumes.append({"name": "down", "downwardAPI": {"items": [told, noted]}})
            volumes.append({"name": "down-projected", "projected": {"sources": [{"downwardAPI": {"items": [told]}}]}})
            mounts = [{"name": each["name"], "mountPath": f"/v/{each['name']}"} for each in volumes]
            await c.create(pod("reads", UNTIL_TERM, container={"volumeMounts": mounts}, volumes=volumes))
            shown = await c.until("reads", ready)
            inside = _Inside(c, shown)
            assert inside.content("configmap-del-0") == {"d-1": "v1"}
            assert inside.content("secret-new-1") == {}
            for target in _KINDS.values():
                await c.admin.delete(target, "del", namespace="default")
                body = {"metadata": {"name": "upd"}, **_data(target, {"d-3": "v2"})}
                await c.admin.patch(target, "upd", {"data": {"d-1": None}}, PatchType.MERGE, namespace="default")
                await c.admin.patch(target, "upd", body, PatchType.MERGE, namespace="default")
                await c.admin.create(
                    target, {"metadata": {"name": "new"}, **_data(target, {"d-1": "v3"})}, namespace="default"
                )
            meta = {"labels": {"x": "y"}, "annotations": {"b": "c"}}
            await c.admin.patch(PODS, "reads", {"metadata": meta}, PatchType.MERGE, namespace="default")
            await c.until_true(lambda: inside.content("down") == {"l": 'x="y"', "a": 'b="c"'})
            await c.until_true(lambda: inside.content("down-projected") == {"l": 'x="y"'})
            for kind in ("configmap", "secret"):
                for projected in (0, 1):
                    await c.until_true(lambda k=kind, p=projected: inside.content(f"{k}-del-{p}") == {})
                    await c.until_true(lambda k=kind, p=projected: inside.content(f"{k}-upd-{p}") == {"d-3": "v2"})
                    await c.until_true(lambda k=kind, p=projected: inside.content(f"{k}-new-{p}") == {"d-1": "v3"})
            await c.delete("reads", grace_s=1)
            await c.gone("reads")

    asyncio.run(scenario())


def _data(target: Target, texts: dict[str, str]) -> Object:
    return {"stringData": texts} if target is SECRETS else {"data": texts}


class _Inside:
    """What the container sees, looked at from the node."""

    def __init__(self, c: Cluster, shown: Object) -> None:
        self._volumes = c.config.pod_dir(shown["metadata"]["uid"]) / "volumes"

    def content(self, volume: str) -> dict[str, str]:
        return _content(next(self._volumes.glob(f"*/{volume}")))


def test_a_pod_starts_when_what_it_waits_for_is_made(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "k"}}}]
            await c.create(pod("waits", UNTIL_TERM, container={"env": env}))
            await c.until("waits", waits("CreateContainerConfigError"))
            await c.admin.create(CONFIG_MAPS, {"metadata": {"name": "late"}, "data": {"k": "v"}}, namespace="default")
            # Sooner than the ten seconds after which it would try by itself.
            await c.until("waits", ready, 6)
            await c.delete("waits", grace_s=1)
            await c.gone("waits")

    asyncio.run(scenario())


def test_a_pod_goes_on_with_what_is_left_of_a_removed_secret(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            await c.admin.create(SECRETS, {"metadata": {"name": "s"}, "stringData": {"k": "v"}}, namespace="default")
            mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
            script = "cat /v/k > /dev/null && sleep 1.5; exit $?"
            await c.create(
                pod("keeps", script, container=mount, volumes=[{"name": "v", "secret": {"secretName": "s"}}])
            )
            await c.until("keeps", ready)
            await c.admin.delete(SECRETS, "s", namespace="default")
            again = await c.until("keeps", lambda obj: obj["status"]["containerStatuses"][0]["restartCount"] >= 1)
            assert again["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 0
            await c.delete("keeps", grace_s=1)
            await c.gone("keeps")

    asyncio.run(scenario())
