"""ReplicaSets and ReplicationControllers: adoption, release, scale, status, life."""

from __future__ import annotations

import pytest
from tests.e2e.rows.lab import Lab, Object, condition, name_of, names_of, pod_spec

from cybernetes.base.errors import ApiError
from cybernetes.client.api import PatchType
from cybernetes.client.target import PODS, REPLICA_SETS, REPLICATION_CONTROLLERS, RESOURCE_QUOTAS, Target

BOTH = pytest.mark.parametrize("target", [REPLICA_SETS, REPLICATION_CONTROLLERS], ids=lambda each: each.plural)


def owner(target: Target, name: str, replicas: int, labels: dict[str, str] | None = None, **how: object) -> Object:
    labels = labels or {"app": name}
    selector: Object = {"matchLabels": labels} if target is REPLICA_SETS else dict(labels)
    template = {"metadata": {"labels": labels}, "spec": pod_spec(**how)}
    spec = {"replicas": replicas, "selector": selector, "template": template}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


@BOTH
async def test_each_replica_answers_with_its_name(lab: Lab, target: Target) -> None:
    await lab.make(target, owner(target, "basic", 2))
    for each in await lab.until_ready("app=basic", 2):
        assert await lab.raw(f"pods/{name_of(each)}:80/proxy/hostname") == name_of(each)


@BOTH
async def test_an_orphan_is_adopted_and_what_no_longer_matches_released(lab: Lab, target: Target) -> None:
    await lab.run_pod("adoptee", labels={"name": "adoptee"})
    made = await lab.make(target, owner(target, "adopter", 1, {"name": "adoptee"}))

    def owned(live: Object) -> bool:
        return [each["uid"] for each in live["metadata"].get("ownerReferences", [])] == [made["metadata"]["uid"]]

    await lab.until_object(PODS, "adoptee", owned, "the pod is adopted")
    await lab.edit(PODS, "adoptee", lambda live: live["metadata"]["labels"].update(name="other"))
    await lab.until_object(PODS, "adoptee", lambda live: not owned(live), "the pod is released")
    await lab.until_ready("name=adoptee", 1)


@BOTH
async def test_an_exceeded_quota_is_a_condition_until_the_set_fits(lab: Lab, target: Target) -> None:
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "2"}}}
    await lab.make(RESOURCE_QUOTAS, quota)
    await lab.until_object(RESOURCE_QUOTAS, "few", lambda q: q.get("status", {}).get("hard"), "quota has a status")
    await lab.make(target, owner(target, "many", 3))
    failed = await lab.until_object(target, "many", lambda o: condition(o, "ReplicaFailure"), "failure is told")
    assert condition(failed, "ReplicaFailure")["reason"] == "FailedCreate"
    await lab.edit(target, "many", lambda o: o["spec"].update(replicas=2))
    await lab.until_object(target, "many", lambda o: not condition(o, "ReplicaFailure"), "failure is gone")


@BOTH
async def test_scale_is_read_updated_and_patched(lab: Lab, target: Target) -> None:
    await lab.make(target, owner(target, "scaled", 1))
    await lab.until_ready("app=scaled", 1)
    scale = await lab.get(target, "scaled", "scale")
    assert (scale["kind"], scale["spec"]["replicas"], scale["status"]["replicas"]) == ("Scale", 1, 1)
    scale["metadata"]["resourceVersion"] = ""
    scale["spec"]["replicas"] = 2
    scaled = await lab.client.update(target, scale, subresource="scale")
    assert scaled["spec"]["replicas"] == 2
    assert (await lab.get(target, "scaled"))["spec"]["replicas"] == 2
    patched = await lab.patch(target, "scaled", {"spec": {"replicas": 3}}, PatchType.MERGE, "scale")
    assert patched["spec"]["replicas"] == 3
    await lab.until_object(target, "scaled", lambda o: o["status"].get("readyReplicas") == 3, "three are ready")


@BOTH
async def test_status_is_read_updated_patched_and_watched(lab: Lab, target: Target) -> None:
    await lab.make(target, owner(target, "told", 1))
    await lab.until_ready("app=told", 1)
    wrote = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}
    async with lab.watching(target, "app=told") as events:
        status = await lab.get(target, "told", "status")
        assert status["kind"] == target.kind
        await lab.edit(target, "told", lambda o: o["status"].setdefault("conditions", []).append(wrote), "status")
        await events.until("MODIFIED", lambda o: condition(o, "StatusUpdate"))
        patch = {"status": {"conditions": [{"type": "StatusPatched", "status": "True"}]}}
        await lab.patch(target, "told", patch, PatchType.MERGE, "status")
        await events.until("MODIFIED", lambda o: condition(o, "StatusPatched"))


async def test_a_replica_set_is_replaced_and_patched(lab: Lab) -> None:
    await lab.make(REPLICA_SETS, owner(REPLICA_SETS, "rs", 1))
    await lab.until_ready("app=rs", 1)
    async with lab.watching(REPLICA_SETS, "app=rs") as events:
        patch = {
            "metadata": {"labels": {"test-rs": "patched"}},
            "spec": {"replicas": 3, "template": {"spec": {"terminationGracePeriodSeconds": 0}}},
        }
        await lab.patch(REPLICA_SETS, "rs", patch, PatchType.STRATEGIC)
        await events.until(
            "MODIFIED",
            lambda o: o["metadata"]["labels"].get("test-rs") == "patched" and o["status"].get("readyReplicas") == 3,
        )


async def test_a_collection_of_replica_sets_is_listed_and_deleted(lab: Lab) -> None:
    for each in ("one", "two", "three"):
        await lab.make(REPLICA_SETS, owner(REPLICA_SETS, each, 1, {"app": each, "e2e": "many"}))
    assert len(await lab.list(REPLICA_SETS, "e2e=many", everywhere=True)) >= 3
    assert names_of(await lab.list(REPLICA_SETS, "e2e=many")) == ["one", "three", "two"]
    await lab.delete_all(REPLICA_SETS, "e2e=many")
    assert await lab.list(REPLICA_SETS, "e2e=many") == []

    async def no_pods() -> bool:
        return not await lab.list(PODS)

    await lab.until(no_pods, "pods are collected")


async def test_life_of_a_replication_controller(lab: Lab) -> None:
    target = REPLICATION_CONTROLLERS
    async with lab.watching(target, "app=life") as events:
        await lab.make(target, owner(target, "life", 1))
        await events.until("ADDED")
        await events.until("MODIFIED", lambda o: o["status"].get("readyReplicas") == 1)
        await lab.patch(target, "life", {"metadata": {"labels": {"test-rc": "patched"}}}, PatchType.STRATEGIC)
        await events.until("MODIFIED", lambda o: o["metadata"]["labels"].get("test-rc") == "patched")
        zero = {"status": {"readyReplicas": 0, "availableReplicas": 0}}
        answered = await lab.patch(target, "life", zero, PatchType.STRATEGIC, "status")
        assert answered["status"].get("readyReplicas", 0) == 0
        await events.until("MODIFIED", lambda o: o["status"].get("readyReplicas", 0) == 0)
        status = await lab.get(target, "life", "status")
        assert status["status"]["replicas"] == 1
        scale = await lab.patch(target, "life", {"spec": {"replicas": 2}}, PatchType.STRATEGIC, "scale")
        assert scale["spec"]["replicas"] == 2
        await events.until("MODIFIED", lambda o: o["spec"]["replicas"] == 2 and o["status"].get("readyReplicas") == 2)
        await lab.edit(target, "life", lambda o: o["metadata"]["labels"].update(updated="yes"))
        await events.until("MODIFIED", lambda o: o["metadata"]["labels"].get("updated") == "yes")
        assert names_of(await lab.list(target, "test-rc=patched", everywhere=True)) == ["life"]
        await lab.delete_all(target, "test-rc=patched")
        await events.until("DELETED")


async def test_a_conflicting_selector_is_refused(lab: Lab) -> None:
    wrong = owner(REPLICA_SETS, "wrong", 1)
    wrong["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    with pytest.raises(ApiError, match="selector"):
        await lab.make(REPLICA_SETS, wrong)


async def test_pods_of_a_deleted_controller_stay_when_orphaned(lab: Lab) -> None:
    for target in (REPLICA_SETS, REPLICATION_CONTROLLERS):
        await lab.make(target, owner(target, target.plural, 1))
        (child,) = await lab.until_ready(f"app={target.plural}", 1)
        await lab.delete(target, target.plural, propagation="Orphan")
        await lab.until_gone(target, target.plural)
        left = await lab.get(PODS, name_of(child))
        assert "ownerReferences" not in left["metadata"]
