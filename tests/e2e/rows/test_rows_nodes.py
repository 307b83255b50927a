"""What nodes do to and for pods that needs a whole cluster: taints, services' variables, volumes under a node's own rights."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.e2e.cluster.running import CYBERNETES, REPOSITORY
from tests.e2e.rows.lab import SLEEP, Lab, Object, condition, is_ready, name_of, pod

from cybernetes.client.api import PatchType
from cybernetes.client.target import (
    CONFIG_MAPS,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    REPLICATION_CONTROLLERS,
    SECRETS,
    SERVICES,
    Target,
)

RUNTIME_CLASSES = Target("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", namespaced=False)
TAINT = {"key": "example.com/evict", "value": "now", "effect": "NoExecute"}


def _until_term(*lines: str) -> tuple[str, ...]:
    return "sh", "-c", "; ".join((*lines, "trap 'exit 0' TERM; sleep 3600 & wait"))


@asynccontextmanager
async def tainted(lab: Lab, node: str) -> AsyncIterator[None]:
    """The node while it has the taint."""

    async def put(taints: list[Object] | None) -> None:
        await lab.client.patch(NODES, node, {"spec": {"taints": taints}}, PatchType.MERGE)

    await put([TAINT])
    try:
        yield
    finally:
        await put(None)


def _on(node: str, name: str, tolerates_s: int | None = None, *, tolerates: bool = True) -> Object:
    toleration = {**TAINT, "operator": "Equal"} | ({"tolerationSeconds": tolerates_s} if tolerates_s else {})
    chosen = {"tolerations": [toleration]} if tolerates else {}
    return pod(name, command=_until_term(), nodeName=node, grace_s=1, **chosen)


@pytest.mark.alone
async def test_pods_leave_a_tainted_node_when_they_bear_it_no_longer(lab: Lab) -> None:
    """Pod Eviction, Toleration limits; Taint, Pod Eviction on taint removal."""
    node = name_of((await lab.nodes())[0])
    rows = [("at-once", None, False), ("soon", 2, True), ("kept", 600, True), ("always", None, True)]
    for name, seconds, tolerates in rows:
        await lab.make(PODS, _on(node, name, seconds, tolerates=tolerates))
    held = _on(node, "held", tolerates=False)
    held["metadata"]["finalizers"] = ["example.com/t"]
    await lab.make(PODS, held)
    for name in ("at-once", "soon", "kept", "always", "held"):
        await lab.until_object(PODS, name, is_ready, f"{name} is ready")
    async with tainted(lab, node):
        await lab.until_gone(PODS, "at-once")
        await lab.until_gone(PODS, "soon")
        seen = await lab.until_object(PODS, "held", lambda p: condition(p, "DisruptionTarget"), "its end is explained")
        assert condition(seen, "DisruptionTarget")["reason"] == "DeletionByTaintManager"
    await lab.until(lambda: lab.events("TaintManagerEviction"), "evictions are told")
    for name in ("kept", "always"):
        assert "deletionTimestamp" not in (await lab.get(PODS, name))["metadata"]
    await lab.patch(PODS, "held", {"metadata": {"finalizers": None}})


async def test_services_are_in_the_environment_of_later_pods(lab: Lab) -> None:
    ports = [{"port": 8765, "targetPort": 8080}]
    service = await lab.make(
        SERVICES, {"metadata": {"name": "fooservice"}, "spec": {"ports": ports, "selector": {"a": "b"}}}
    )
    await lab.run_pod("reads", command=_until_term())
    address = service["spec"]["clusterIP"]
    printed = (await lab.run("reads", "env")).splitlines()
    for wanted in (
        f"FOOSERVICE_SERVICE_HOST={address}",
        "FOOSERVICE_SERVICE_PORT=8765",
        f"FOOSERVICE_PORT=tcp://{address}:8765",
        f"FOOSERVICE_PORT_8765_TCP=tcp://{address}:8765",
        "FOOSERVICE_PORT_8765_TCP_PROTO=tcp",
        "FOOSERVICE_PORT_8765_TCP_PORT=8765",
        f"FOOSERVICE_PORT_8765_TCP_ADDR={address}",
    ):
        assert wanted in printed


async def test_pods_of_many_volumes_start_together(lab: Lab) -> None:
    """EmptyDir Wrapper Volume, ConfigMap volumes, no race."""
    names = [f"racey-{i}" for i in range(30)]
    for name in names:
        await lab.make(CONFIG_MAPS, {"metadata": {"name": name}, "data": {"data-1": "value-1"}})
    volumes = [{"name": each, "configMap": {"name": each}} for each in names]
    mounts = [{"name": each, "mountPath": f"/etc/{each}"} for each in names]
    template = pod("race", command=_until_term(), volumes=volumes, container={"volumeMounts": mounts})
    spec = {"replicas": 3, "selector": {"app": "race"}, "template": template}
    await lab.make(REPLICATION_CONTROLLERS, {"metadata": {"name": "race"}, "spec": spec})
    await lab.until_ready("app=race", 3)


async def test_volumes_follow_their_objects_by_the_rights_of_a_node(lab: Lab) -> None:
    """ConfigMap, Secrets and Projected Volume, update; create, update and delete."""
    for target, data in ((CONFIG_MAPS, "data"), (SECRETS, "stringData")):
        for name in ("del", "upd"):
            await lab.make(target, {"metadata": {"name": name}, data: {"k": "v1"}})
    volumes: list[Object] = []
    for name in ("del", "upd", "new"):
        volumes.append({"name": f"c-{name}", "configMap": {"name": name, "optional": True}})
        source = {"secret": {"name": name, "optional": True}}
        volumes.append({"name": f"s-{name}", "projected": {"sources": [source]}})
    mounts = [{"name": each["name"], "mountPath": f"/v/{each['name']}"} for each in volumes]
    await lab.run_pod("reads", command=_until_term(), volumes=volumes, container={"volumeMounts": mounts})
    for target, data in ((CONFIG_MAPS, "data"), (SECRETS, "stringData")):
        await lab.delete(target, "del")
        await lab.patch(target, "upd", {data: {"k": "v2"}})
        await lab.make(target, {"metadata": {"name": "new"}, data: {"k": "v3"}})
    wanted = {"/v/c-new/k v3", "/v/c-upd/k v2", "/v/s-new/k v3", "/v/s-upd/k v2"}

    async def shown() -> bool:
        script = 'for f in /v/*/k; do echo "$f $(cat $f)"; done'
        return set((await lab.run("reads", "sh", "-c", script)).splitlines()) == wanted

    await lab.until(shown, "the volumes hold what the objects hold", 20)


async def test_a_claim_in_use_outlives_its_deletion(lab: Lab) -> None:
    """PersistentVolumes(Claims), lifecycle, by the controllers and a pod."""
    volume, kind = lab.unique("pv"), lab.unique("class")
    spec = {
        "capacity": {"storage": "2Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": str(lab.folder / volume)},
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": kind,
    }
    await lab.client.create(PERSISTENT_VOLUMES, {"metadata": {"name": volume}, "spec": spec})
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": kind}
    await lab.make(PERSISTENT_VOLUME_CLAIMS, {"metadata": {"name": "claim"}, "spec": asked})
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "claim"}}]
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    await lab.run_pod("uses", command=_until_term("echo kept > /v/f"), grace_s=1, volumes=volumes, container=mounts)
    claim = await lab.get(PERSISTENT_VOLUME_CLAIMS, "claim")
    assert claim["status"] == {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "2Gi"}}
    await lab.delete(PERSISTENT_VOLUME_CLAIMS, "claim")
    assert (await lab.get(PERSISTENT_VOLUME_CLAIMS, "claim"))["metadata"]["deletionTimestamp"]
    await lab.delete(PODS, "uses")
    await lab.until_gone(PERSISTENT_VOLUME_CLAIMS, "claim")
    await lab.until_object(PERSISTENT_VOLUMES, volume, lambda v: v["status"]["phase"] == "Released", "it is released")
    await lab.client.delete(PERSISTENT_VOLUMES, volume)
    await lab.until_gone(PERSISTENT_VOLUMES, volume)


async def test_runtime_classes_choose_handler_and_overhead(lab: Lab) -> None:
    """RuntimeClass Overhead field must be respected. Can schedule a pod requesting existing RuntimeClass."""
    heavy, wrong = lab.unique("heavy"), lab.unique("wrong")
    fixed = {"cpu": "10m", "memory": "1Mi"}
    await lab.client.create(
        RUNTIME_CLASSES, {"metadata": {"name": heavy}, "handler": "runc", "overhead": {"podFixed": fixed}}
    )
    await lab.client.create(RUNTIME_CLASSES, {"metadata": {"name": wrong}, "handler": "none"})
    live = await lab.run_pod("heavy", command=_until_term(), runtimeClassName=heavy)
    assert live["spec"]["overhead"] == fixed
    await lab.make(PODS, pod("wrong", command=SLEEP, runtimeClassName=wrong))
    failed = await lab.until(lambda: lab.events("FailedCreatePodSandBox"), "the handler is missed")
    assert 'no runtime for "none" is configured' in failed[0]["message"]
    for name in (heavy, wrong):
        await lab.client.delete(RUNTIME_CLASSES, name)


async def test_an_image_of_the_registry_is_a_volume(lab: Lab) -> None:
    """Image Volume, pulled each time."""
    folder = str(REPOSITORY / "examples" / "hello")
    pushed = await lab.command(str(CYBERNETES), "image", "build", folder, "--push")
    image = {"reference": pushed.split()[0], "pullPolicy": "Always"}
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    volumes = [{"name": "v", "image": image}]
    await asyncio.gather(
        *(lab.run_pod(f"reads-{i}", command=_until_term(), volumes=volumes, container=mounts) for i in (1, 2))
    )
    for i in (1, 2):
        assert (await lab.run(f"reads-{i}", "ls", "/v")).split() == ["hello"]
