"""Deployments: roll-outs of each strategy, adoption of replica sets, scaling, status, life."""

from __future__ import annotations

from typing import Any

from tests.e2e.rows.image import WEB
from tests.e2e.rows.lab import Lab, Object, condition, names_of
from tests.e2e.rows.test_rows_replicasets import owner

from cybernetes.client.api import PatchType
from cybernetes.client.target import DEPLOYMENTS, PODS, REPLICA_SETS

MISSING = "test.cybernetes/missing:404"
REVISION = "deployment.kubernetes.io/revision"


def deployment(name: str, replicas: int, strategy: Object | None = None, **more: Any) -> Object:
    made = owner(REPLICA_SETS, name, replicas)
    made["spec"] |= more | ({"strategy": strategy} if strategy else {})
    return made


def rolling(surge: int, unavailable: int) -> Object:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def with_image(image: str) -> Object:
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}}


def is_complete(live: Object) -> bool:
    status, wanted = live.get("status", {}), live["spec"]["replicas"]
    counts = {status.get(each) for each in ("replicas", "updatedReplicas", "availableReplicas")}
    return counts == {wanted} and status["observedGeneration"] >= live["metadata"]["generation"]


async def sets_by_image(lab: Lab, selector: str) -> dict[str, Object]:
    return {
        each["spec"]["template"]["spec"]["containers"][0]["image"]: each
        for each in await lab.list(REPLICA_SETS, selector)
    }


async def old_set(lab: Lab, name: str, replicas: int = 1, **metadata: Any) -> None:
    """A replica set without a deployment, whose pods run."""
    found = owner(REPLICA_SETS, name, replicas, {"name": "sample", "pod": "web"})
    found["metadata"] |= metadata
    found["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "OLD", "value": "yes"}]
    await lab.make(REPLICA_SETS, found)
    await lab.until_ready("name=sample", replicas)


def over_old_set(name: str, replicas: int, strategy: Object | None = None, **more: Any) -> Object:
    found = deployment(name, replicas, strategy, **more)
    found["spec"]["selector"] = {"matchLabels": {"name": "sample"}}
    found["spec"]["template"]["metadata"]["labels"] = {"name": "sample"}
    return found


async def test_a_rolling_update_takes_over_an_older_replica_set(lab: Lab) -> None:
    await old_set(lab, "older", annotations={REVISION: "3546343826724305832"})
    await lab.make(DEPLOYMENTS, over_old_set("rolled", 1))
    live = await lab.until_object(DEPLOYMENTS, "rolled", is_complete, "the roll-out is complete")
    assert live["metadata"]["annotations"][REVISION] == "3546343826724305833"
    older = await lab.get(REPLICA_SETS, "older")
    assert (older["spec"]["replicas"], older["metadata"]["ownerReferences"][0]["name"]) == (0, "rolled")


async def test_recreate_never_runs_old_and_new_together(lab: Lab) -> None:
    await lab.make(DEPLOYMENTS, deployment("again", 2, {"type": "Recreate"}))
    await lab.until_object(DEPLOYMENTS, "again", is_complete, "the first roll-out is complete")
    left = set(names_of(await lab.pods("app=again")))
    async with lab.watching(PODS, "app=again") as events, lab.watching(DEPLOYMENTS, "app=again") as told:
        change = {"spec": {"template": {"metadata": {"labels": {"version": "2"}}}}}
        changed = await lab.patch(DEPLOYMENTS, "again", change, PatchType.STRATEGIC)
        while left:
            gone = await events.until("DELETED")
            left.discard(gone["metadata"]["name"])
            assert not await lab.list(PODS, "app=again,version=2") or not left
        live: Object = changed
        while not (is_complete(live) and live["metadata"]["generation"] >= changed["metadata"]["generation"]):
            live = await told.until("MODIFIED")
            updated = live["status"].get("updatedReplicas", 0)
            seen = live["status"].get("observedGeneration", 0) >= changed["metadata"]["generation"]
            assert not (seen and updated and live["status"]["replicas"] != updated), live["status"]


async def test_old_replica_sets_are_deleted_past_the_history_limit(lab: Lab) -> None:
    await old_set(lab, "cleaned")
    async with lab.watching(PODS, "name=sample") as events:
        await lab.make(DEPLOYMENTS, over_old_set("cleaner", 1, revisionHistoryLimit=0))
        await events.until("ADDED")
    await lab.until_gone(REPLICA_SETS, "cleaned")
    assert len(await lab.list(REPLICA_SETS)) == 1


async def test_a_rollover_ends_with_the_last_template_only(lab: Lab) -> None:
    await old_set(lab, "first")
    slow = over_old_set("rollover", 1, rolling(1, 0), minReadySeconds=5)
    slow["spec"]["template"]["spec"]["containers"][0]["image"] = MISSING
    await lab.make(DEPLOYMENTS, slow)

    def revision(number: str) -> Any:
        return lambda live: live["metadata"].get("annotations", {}).get(REVISION) == number

    await lab.until_object(DEPLOYMENTS, "rollover", revision("1"), "the first revision is there")
    assert (await lab.get(REPLICA_SETS, "first"))["spec"]["replicas"] == 1
    await lab.patch(DEPLOYMENTS, "rollover", with_image(WEB), PatchType.STRATEGIC)
    await lab.until_object(DEPLOYMENTS, "rollover", revision("2"), "the second revision is there")
    await lab.until_object(DEPLOYMENTS, "rollover", is_complete, "the roll-out is complete")
    sizes = {name: each["spec"]["replicas"] for name, each in (await sets_by_image(lab, "name=sample")).items()}
    assert sizes[MISSING] == 0
    assert (await lab.get(REPLICA_SETS, "first"))["spec"]["replicas"] == 0


async def test_scaling_during_a_roll_out_is_proportional(lab: Lab) -> None:
    wanted = deployment("parts", 10, rolling(3, 2))
    await lab.make(DEPLOYMENTS, wanted)
    await lab.until_object(
        DEPLOYMENTS, "parts", lambda d: d.get("status", {}).get("availableReplicas") == 10, "ten run", 120
    )
    await lab.patch(DEPLOYMENTS, "parts", with_image(MISSING), PatchType.STRATEGIC)

    async def sizes() -> tuple[int, int] | None:
        found = await sets_by_image(lab, "app=parts")
        return (found[WEB]["spec"]["replicas"], found[MISSING]["spec"]["replicas"]) if len(found) == 2 else None

    async def told(expected: tuple[int, int]) -> bool:
        return await sizes() == expected

    await lab.until(lambda: told((8, 5)), "8 old and 5 new")
    await lab.until_object(
        DEPLOYMENTS, "parts", lambda d: d["status"].get("availableReplicas") == 8, "eight are available"
    )
    await lab.edit(DEPLOYMENTS, "parts", lambda d: d["spec"].update(replicas=30))
    await lab.until(lambda: told((20, 13)), "20 old and 13 new")


async def test_scale_of_a_deployment_is_updated_and_patched(lab: Lab) -> None:
    await lab.make(DEPLOYMENTS, deployment("scaled", 1))
    await lab.until_object(DEPLOYMENTS, "scaled", is_complete, "one runs")
    scale = await lab.get(DEPLOYMENTS, "scaled", "scale")
    assert (scale["spec"]["replicas"], scale["status"]["selector"]) == (1, "app=scaled")
    scale["metadata"]["resourceVersion"], scale["spec"]["replicas"] = "", 2
    assert (await lab.client.update(DEPLOYMENTS, scale, subresource="scale"))["spec"]["replicas"] == 2
    assert (await lab.get(DEPLOYMENTS, "scaled"))["spec"]["replicas"] == 2
    await lab.patch(DEPLOYMENTS, "scaled", {"spec": {"replicas": 4}}, PatchType.STRATEGIC, "scale")
    assert (await lab.get(DEPLOYMENTS, "scaled"))["spec"]["replicas"] == 4


async def test_life_of_a_deployment(lab: Lab) -> None:
    made = deployment("life", 2)
    made["metadata"]["labels"]["static"] = "true"
    async with lab.watching(DEPLOYMENTS, "static=true") as events:
        await lab.make(DEPLOYMENTS, made)
        await events.until("ADDED")
        for ready in (0, 2):
            await events.until("MODIFIED", lambda d, ready=ready: d["status"].get("readyReplicas", 0) == ready)  # type: ignore[misc]
        patch = {
            "metadata": {"labels": {"step": "patched"}},
            "spec": {
                "replicas": 1,
                "template": {
                    "spec": {
                        "terminationGracePeriodSeconds": 0,
                        "containers": [{"name": "web", "image": WEB, "args": []}],
                    }
                },
            },
        }
        await lab.patch(DEPLOYMENTS, "life", patch, PatchType.STRATEGIC)
        await events.until("MODIFIED", lambda d: d["metadata"]["labels"].get("step") == "patched")
        await events.until("MODIFIED", lambda d: d["status"].get("readyReplicas") == 1)
        assert names_of(await lab.list(DEPLOYMENTS, "static=true", everywhere=True)) == ["life"]
        none = {"readyReplicas": 0, "availableReplicas": 0}
        patch = {"metadata": {"labels": {"step": "patched-status"}}, "status": none}
        await lab.patch(DEPLOYMENTS, "life", patch, PatchType.STRATEGIC, "status")
        await events.until("MODIFIED", lambda d: d["status"].get("readyReplicas", 0) == 0)
        assert (await lab.get(DEPLOYMENTS, "life", "status"))["metadata"]["uid"]
        await lab.edit(DEPLOYMENTS, "life", lambda d: d["metadata"]["labels"].update(step="updated"))
        await events.until("MODIFIED", lambda d: d["metadata"]["labels"].get("step") == "updated")
        await lab.edit(
            DEPLOYMENTS, "life", lambda d: d["status"].update(readyReplicas=1, availableReplicas=1), "status"
        )
        await lab.delete_all(DEPLOYMENTS, "static=true")
        await events.until("DELETED")


async def test_status_of_a_deployment_takes_conditions(lab: Lab) -> None:
    await lab.make(DEPLOYMENTS, deployment("told", 1))
    await lab.until_object(DEPLOYMENTS, "told", is_complete, "one runs")
    wrote = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}
    async with lab.watching(DEPLOYMENTS, "app=told") as events:
        await lab.edit(DEPLOYMENTS, "told", lambda d: d["status"]["conditions"].append(wrote), "status")
        await events.until("MODIFIED", lambda d: condition(d, "StatusUpdate"))
        patch = {"status": {"conditions": [{"type": "StatusPatched", "status": "True"}]}}
        await lab.patch(DEPLOYMENTS, "told", patch, PatchType.MERGE, "status")
        await events.until("MODIFIED", lambda d: condition(d, "StatusPatched"))


async def test_an_orphaned_replica_set_is_adopted_by_the_next_deployment(lab: Lab) -> None:
    await lab.make(DEPLOYMENTS, deployment("parent", 1))
    await lab.until_object(DEPLOYMENTS, "parent", is_complete, "one runs")
    (before,) = await lab.list(REPLICA_SETS)
    await lab.delete(DEPLOYMENTS, "parent", propagation="Orphan")
    await lab.until_gone(DEPLOYMENTS, "parent")
    assert "ownerReferences" not in (await lab.list(REPLICA_SETS))[0]["metadata"]
    await lab.make(DEPLOYMENTS, deployment("parent", 1))
    live = await lab.until_object(DEPLOYMENTS, "parent", is_complete, "it is complete at once")
    (after,) = await lab.list(REPLICA_SETS)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["ownerReferences"][0]["uid"] == live["metadata"]["uid"]
