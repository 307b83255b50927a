"""StatefulSets: order, halts, updates by revision, failed pods, scale, status."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.e2e.rows.image import WEB
from tests.e2e.rows.lab import SLEEP, Lab, Object, condition, is_ready, name_of, names_of, pod_spec

from cybernetes.client.api import PatchType
from cybernetes.client.target import CONTROLLER_REVISIONS, PODS, SERVICES, STATEFUL_SETS

# Healthy while a file is there: tests make pods unhealthy and healthy again.
_PROBE = {
    "exec": {"command": ["test", "-e", "/healthy"]},
    "periodSeconds": 1,
    "successThreshold": 1,
    "failureThreshold": 1,
}
_PROBED = ("sh", "-c", "touch /healthy; exec sleep 100000")


def stateful_set(name: str, replicas: int, *, command: tuple[str, ...] = _PROBED, **more: Any) -> Object:
    labels = {"app": name}
    container = {"readinessProbe": _PROBE} if command is not SLEEP else {}
    template = {"metadata": {"labels": labels}, "spec": pod_spec(*command, container=container)}
    spec = {"replicas": replicas, "serviceName": "test", "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name, "labels": labels}, "spec": {**spec, **more}}


async def make(lab: Lab, found: Object) -> None:
    if not await lab.exists(SERVICES, "test"):
        selector = {"clusterIP": "None", "selector": found["spec"]["selector"]["matchLabels"], "ports": [{"port": 80}]}
        await lab.make(SERVICES, {"metadata": {"name": "test"}, "spec": selector})
    await lab.make(STATEFUL_SETS, found)


async def until_ready(lab: Lab, name: str, count: int) -> Object:
    return await lab.until_object(
        STATEFUL_SETS,
        name,
        lambda s: s.get("status", {}).get("readyReplicas", 0) == count == s["status"]["replicas"],
        f"{count} are ready",
    )


async def scale(lab: Lab, name: str, replicas: int) -> None:
    await lab.patch(STATEFUL_SETS, name, {"spec": {"replicas": replicas}})


async def health(lab: Lab, pod_name: str, healthy: bool) -> None:
    await lab.run(pod_name, "sh", "-c", "touch /healthy" if healthy else "rm -f /healthy")
    await lab.until_object(PODS, pod_name, lambda p: is_ready(p) == healthy, f"{pod_name} ready={healthy}")


def new_template(version: str) -> Object:
    return {"spec": {"template": {"metadata": {"annotations": {"version": version}}}}}


async def versions(lab: Lab) -> dict[str, str]:
    """Ordinal -> version of the template that the pod was made of, of the ready ones."""
    return {
        name_of(each)[-1]: each["metadata"].get("annotations", {}).get("version", "")
        for each in await lab.pods()
        if is_ready(each)
    }


async def until_versions(lab: Lab, *wanted: str) -> None:
    async def all_have() -> bool:
        return await versions(lab) == {str(n): each for n, each in enumerate(wanted)}

    await lab.until(all_have, f"versions {wanted}")


def revisions(live: Object) -> tuple[str, str]:
    return live["status"]["currentRevision"], live["status"]["updateRevision"]


async def test_scaling_keeps_the_order_and_halts_at_an_unhealthy_pod(lab: Lab) -> None:
    async with lab.watching(PODS, "app=ordered") as events:
        await make(lab, stateful_set("ordered", 1))
        await until_ready(lab, "ordered", 1)
        await health(lab, "ordered-0", False)
        await scale(lab, "ordered", 3)
        await lab.until_object(
            STATEFUL_SETS,
            "ordered",
            lambda s: s["status"]["observedGeneration"] == s["metadata"]["generation"],
            "scaling is seen",
        )
        assert names_of(await lab.list(PODS)) == ["ordered-0"]
        await health(lab, "ordered-0", True)
        for ordinal in range(3):
            assert name_of(await events.until("ADDED")) == f"ordered-{ordinal}"
        await until_ready(lab, "ordered", 3)
    async with lab.watching(PODS, "app=ordered") as events:
        for ordinal in range(3):
            await health(lab, f"ordered-{ordinal}", False)
        await scale(lab, "ordered", 0)
        await lab.until_object(
            STATEFUL_SETS,
            "ordered",
            lambda s: s["status"]["observedGeneration"] == s["metadata"]["generation"],
            "scaling is seen",
        )
        assert len(await lab.pods()) == 3
        await asyncio.gather(*(lab.run(f"ordered-{ordinal}", "touch", "/healthy") for ordinal in range(3)))
        for ordinal in (2, 1, 0):
            assert name_of(await events.until("DELETED")) == f"ordered-{ordinal}"


async def test_burst_scaling_does_not_wait_for_health(lab: Lab) -> None:
    await make(lab, stateful_set("burst", 1, podManagementPolicy="Parallel"))
    await until_ready(lab, "burst", 1)
    await health(lab, "burst-0", False)
    await scale(lab, "burst", 3)

    async def count(number: int) -> bool:
        return len(await lab.list(PODS)) == number

    await lab.until(lambda: count(3), "three pods")
    await lab.until_object(PODS, "burst-2", is_ready, "the last is ready")
    await health(lab, "burst-2", False)
    await scale(lab, "burst", 0)
    await lab.until(lambda: count(0), "no pods")


async def test_updates_roll_from_the_last_and_back(lab: Lab) -> None:
    await make(lab, stateful_set("rolled", 3))
    live = await until_ready(lab, "rolled", 3)
    first, update = revisions(live)
    assert first == update
    assert {each["metadata"]["labels"]["controller-revision-hash"] for each in await lab.pods()} == {first}
    await health(lab, "rolled-1", False)
    async with lab.watching(PODS, "app=rolled") as events:
        await lab.patch(STATEFUL_SETS, "rolled", new_template("2"))
        live = await lab.until_object(
            STATEFUL_SETS, "rolled", lambda s: s["status"]["updateRevision"] != first, "a new revision"
        )
        await health(lab, "rolled-1", True)
        for ordinal in (2, 1, 0):
            assert name_of(await events.until("DELETED")) == f"rolled-{ordinal}"
    await until_versions(lab, "2", "2", "2")
    live = await lab.until_object(
        STATEFUL_SETS,
        "rolled",
        lambda s: len(set(revisions(s))) == 1 and s["status"].get("updatedReplicas") == 3,
        "complete",
    )
    second = revisions(live)[0]
    assert second != first
    await lab.patch(STATEFUL_SETS, "rolled", {"spec": {"template": {"metadata": {"annotations": None}}}})
    live = await lab.until_object(
        STATEFUL_SETS, "rolled", lambda s: revisions(s) == (first, first), "back at the first revision"
    )
    await until_versions(lab, "", "", "")
    assert sorted(each["revision"] for each in await lab.list(CONTROLLER_REVISIONS)) == [2, 3]


async def test_canary_and_phased_updates_by_partition(lab: Lab) -> None:
    def partition(number: int) -> Object:
        return {"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": number}}}}

    strategy = partition(3)["spec"]
    await make(lab, stateful_set("phased", 3, **strategy))
    first, _ = revisions(await until_ready(lab, "phased", 3))
    await lab.patch(STATEFUL_SETS, "phased", new_template("2"))
    live = await lab.until_object(
        STATEFUL_SETS, "phased", lambda s: s["status"]["updateRevision"] != first, "a new revision"
    )
    assert await versions(lab) == {"0": "", "1": "", "2": ""}
    await lab.patch(STATEFUL_SETS, "phased", partition(2))
    await until_versions(lab, "", "", "2")
    for each in ("phased-0", "phased-2"):
        await lab.delete(PODS, each)
    await lab.until_object(
        STATEFUL_SETS, "phased", lambda s: s["status"].get("readyReplicas") != 3, "their loss is seen"
    )
    await until_versions(lab, "", "", "2")
    for number, wanted in ((1, ("", "2", "2")), (0, ("2", "2", "2"))):
        await lab.patch(STATEFUL_SETS, "phased", partition(number))
        await until_versions(lab, *wanted)
    live = await lab.until_object(STATEFUL_SETS, "phased", lambda s: len(set(revisions(s))) == 1, "complete")
    assert live["status"]["currentReplicas"] == 3


async def test_a_pod_that_its_node_refuses_is_made_again(lab: Lab) -> None:
    node = names_of(await lab.nodes())[0]
    port = {"containerPort": 21017, "hostPort": 21017, "name": "conflict"}
    await lab.run_pod("blocker", command=SLEEP, nodeName=node, ports=(port,))
    pinned = stateful_set("pinned", 1, command=SLEEP)
    pinned["spec"]["template"]["spec"]["nodeName"] = node
    pinned["spec"]["template"]["spec"]["containers"][0]["ports"] = [port]
    async with lab.watching(PODS, "app=pinned") as events:
        await make(lab, pinned)
        first = await events.until("ADDED")
        failed = await events.until("MODIFIED", lambda p: p["status"]["phase"] == "Failed")
        assert failed["status"]["reason"] == "NodePorts"
        await events.until("DELETED", lambda p: p["metadata"]["uid"] == first["metadata"]["uid"])
        await lab.delete(PODS, "blocker", grace_s=0)
        await lab.until_object(STATEFUL_SETS, "pinned", lambda s: s["status"].get("readyReplicas") == 1, "it runs")


async def test_scale_of_a_stateful_set(lab: Lab) -> None:
    await make(lab, stateful_set("scaled", 1))
    await until_ready(lab, "scaled", 1)
    found = await lab.get(STATEFUL_SETS, "scaled", "scale")
    assert (found["spec"]["replicas"], found["status"]["replicas"]) == (1, 1)
    found["metadata"]["resourceVersion"], found["spec"]["replicas"] = "", 2
    assert (await lab.client.update(STATEFUL_SETS, found, subresource="scale"))["spec"]["replicas"] == 2
    assert (await lab.get(STATEFUL_SETS, "scaled"))["spec"]["replicas"] == 2
    await lab.patch(STATEFUL_SETS, "scaled", {"spec": {"replicas": 4}}, PatchType.STRATEGIC, "scale")
    assert (await lab.get(STATEFUL_SETS, "scaled"))["spec"]["replicas"] == 4


async def test_a_collection_of_stateful_sets_is_listed_patched_and_deleted(lab: Lab) -> None:
    await make(lab, stateful_set("many", 1))
    await until_ready(lab, "many", 1)
    patch = {
        "metadata": {"labels": {"test-ss": "patched"}},
        "spec": {
            "replicas": 2,
            "template": {"spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "web", "image": WEB}]}},
        },
    }
    await lab.patch(STATEFUL_SETS, "many", patch, PatchType.STRATEGIC)
    await until_ready(lab, "many", 2)
    assert names_of(await lab.list(STATEFUL_SETS, "test-ss=patched", everywhere=True)) == ["many"]
    await lab.delete_all(STATEFUL_SETS, "test-ss=patched")
    assert await lab.list(STATEFUL_SETS) == []


async def test_status_of_a_stateful_set(lab: Lab) -> None:
    await make(lab, stateful_set("told", 1))
    await until_ready(lab, "told", 1)
    wrote = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}
    async with lab.watching(STATEFUL_SETS, "app=told") as events:
        assert (await lab.get(STATEFUL_SETS, "told", "status"))["status"]["replicas"] == 1
        await lab.edit(
            STATEFUL_SETS, "told", lambda s: s["status"].setdefault("conditions", []).append(wrote), "status"
        )
        await events.until("MODIFIED", lambda s: condition(s, "StatusUpdate"))
        patch = {"status": {"conditions": [{"type": "StatusPatched", "status": "True"}]}}
        await lab.patch(STATEFUL_SETS, "told", patch, PatchType.MERGE, "status")
        await events.until("MODIFIED", lambda s: condition(s, "StatusPatched"))


async def test_a_pod_counts_only_after_its_minimum_of_readiness(lab: Lab) -> None:
    await make(lab, stateful_set("patient", 2, minReadySeconds=10, podManagementPolicy="Parallel"))
    live = await until_ready(lab, "patient", 2)
    assert live["status"].get("availableReplicas", 0) == 0
    await lab.until_object(STATEFUL_SETS, "patient", lambda s: s["status"]["availableReplicas"] == 2, "both count")
