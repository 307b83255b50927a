"""DaemonSets and their revisions."""

from __future__ import annotations

from typing import Any

from tests.e2e.rows.image import WEB
from tests.e2e.rows.lab import Lab, Object, condition, is_ready, name_of, names_of, pod_spec
from tests.e2e.rows.test_rows_deployments import MISSING, with_image

from cybernetes.client.api import PatchType
from cybernetes.client.target import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS


def daemon_set(name: str, selector: Object | None = None, **more: Any) -> Object:
    labels = {"daemonset-name": name}
    spec = pod_spec(**({"nodeSelector": selector} if selector else {}))
    template = {"metadata": {"labels": labels}, "spec": spec}
    whole = {"selector": {"matchLabels": labels}, "template": template, **more}
    return {"metadata": {"name": name, "labels": labels}, "spec": whole}


async def until_on_all_nodes(lab: Lab, name: str) -> list[Object]:
    nodes = names_of(await lab.nodes())

    async def on_all() -> list[Object] | None:
        found = await lab.pods(f"daemonset-name={name}")
        ready = sorted(each["spec"]["nodeName"] for each in found if is_ready(each))
        return found if ready == nodes and len(found) == len(nodes) else None

    found: list[Object] = await lab.until(on_all, f"a pod of {name} on every node")
    return found


async def started(lab: Lab, name: str, **more: Any) -> list[Object]:
    await lab.make(DAEMON_SETS, daemon_set(name, **more))
    return await until_on_all_nodes(lab, name)


async def test_a_daemon_runs_on_every_node_and_is_revived(lab: Lab) -> None:
    first = await started(lab, "simple")
    await lab.delete(PODS, name_of(first[0]))
    await lab.until_gone(PODS, name_of(first[0]))
    again = await until_on_all_nodes(lab, "simple")
    assert name_of(first[1]) in names_of(again)
    await lab.delete(DAEMON_SETS, "simple")

    async def none() -> bool:
        return not await lab.list(PODS)

    await lab.until(none, "its pods go with it")


async def test_a_daemon_follows_the_labels_of_nodes(lab: Lab) -> None:
    color = lab.unique("color")
    node = names_of(await lab.nodes())[0]

    async def paint(value: str | None) -> None:
        await lab.client.patch(NODES, node, {"metadata": {"labels": {color: value}}}, PatchType.MERGE)

    async def runs_on() -> list[str]:
        return sorted(
            each["spec"]["nodeName"]
            for each in await lab.list(PODS)
            if is_ready(each) or "deletionTimestamp" in each["metadata"]
        )

    async def only(wanted: list[str]) -> bool:
        return await runs_on() == wanted

    await lab.make(DAEMON_SETS, daemon_set("complex", {color: "blue"}))
    await lab.until_object(
        DAEMON_SETS, "complex", lambda d: d.get("status", {}).get("observedGeneration") == 1, "it is observed"
    )
    assert await lab.list(PODS) == []
    await paint("blue")
    await lab.until(lambda: only([node]), "it runs on the blue node")
    await lab.until_object(DAEMON_SETS, "complex", lambda d: d["status"]["numberReady"] == 1, "one is ready")
    await paint("green")
    await lab.until(lambda: only([]), "it left the green node")
    patch = {
        "spec": {"template": {"spec": {"nodeSelector": {color: "green"}}}, "updateStrategy": {"type": "RollingUpdate"}}
    }
    await lab.patch(DAEMON_SETS, "complex", patch, PatchType.STRATEGIC)
    await lab.until(lambda: only([node]), "it runs on the green node")
    await paint(None)


async def test_a_failed_daemon_is_tried_again(lab: Lab) -> None:
    first, *_ = await started(lab, "failing")
    await lab.edit(PODS, name_of(first), lambda p: p["status"].update(phase="Failed"), "status")
    await lab.until_gone(PODS, name_of(first))
    await until_on_all_nodes(lab, "failing")


async def test_an_update_rolls_over_the_nodes(lab: Lab) -> None:
    await started(lab, "rolled", updateStrategy={"type": "RollingUpdate"})
    (first,) = await lab.list(CONTROLLER_REVISIONS)
    hashed = first["metadata"]["labels"]["controller-revision-hash"]
    assert {each["metadata"]["labels"]["controller-revision-hash"] for each in await lab.pods()} == {hashed}
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "web", "env": [{"name": "V", "value": "2"}]}]}}}}
    await lab.patch(DAEMON_SETS, "rolled", patch, PatchType.STRATEGIC)

    async def updated() -> bool:
        found = await lab.pods()
        return len(found) == 2 and all("env" in each["spec"]["containers"][0] and is_ready(each) for each in found)

    await lab.until(updated, "all pods are new")
    revisions = {
        each["revision"]: each["metadata"]["labels"]["controller-revision-hash"]
        for each in await lab.list(CONTROLLER_REVISIONS)
    }
    assert sorted(revisions) == [1, 2]
    assert {each["metadata"]["labels"]["controller-revision-hash"] for each in await lab.pods()} == {revisions[2]}


async def test_a_rollback_restarts_only_what_was_updated(lab: Lab) -> None:
    before = {each["metadata"]["uid"] for each in await started(lab, "back", updateStrategy={"type": "RollingUpdate"})}
    await lab.patch(DAEMON_SETS, "back", with_image(MISSING), PatchType.STRATEGIC)

    async def one_is_new() -> bool:
        return any(each["spec"]["containers"][0]["image"] == MISSING for each in await lab.pods())

    await lab.until(one_is_new, "one pod has the image that does not exist")
    untouched = {each["metadata"]["uid"] for each in await lab.pods() if each["spec"]["containers"][0]["image"] == WEB}
    assert untouched and untouched < before
    await lab.patch(DAEMON_SETS, "back", with_image(WEB), PatchType.STRATEGIC)
    after = await until_on_all_nodes(lab, "back")
    restarted = {each["metadata"]["uid"] for each in after} - untouched
    assert untouched <= {each["metadata"]["uid"] for each in after} and len(restarted) == 1
    assert all(not each["status"]["containerStatuses"][0]["restartCount"] for each in after)


async def test_a_collection_of_daemon_sets_is_listed_and_deleted(lab: Lab) -> None:
    await started(lab, "collected")
    assert names_of(await lab.list(DAEMON_SETS, "daemonset-name=collected", everywhere=True)) == ["collected"]
    await lab.delete_all(DAEMON_SETS, "daemonset-name=collected")
    assert await lab.list(DAEMON_SETS) == []


async def test_status_of_a_daemon_set_is_updated_and_patched(lab: Lab) -> None:
    await started(lab, "told")
    await lab.until_object(DAEMON_SETS, "told", lambda d: d["status"]["numberReady"] == 2, "the status follows")
    assert (await lab.get(DAEMON_SETS, "told", "status"))["kind"] == "DaemonSet"
    wrote = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}
    async with lab.watching(DAEMON_SETS, "daemonset-name=told") as events:
        await lab.edit(DAEMON_SETS, "told", lambda d: d["status"].setdefault("conditions", []).append(wrote), "status")
        await events.until("MODIFIED", lambda d: condition(d, "StatusUpdate"))
        patch = {"status": {"conditions": [{"type": "StatusPatched", "status": "True"}]}}
        await lab.patch(DAEMON_SETS, "told", patch, PatchType.MERGE, "status")
        await events.until("MODIFIED", lambda d: condition(d, "StatusPatched"))


async def test_life_of_a_controller_revision(lab: Lab) -> None:
    await started(lab, "revised")
    (initial,) = await lab.list(CONTROLLER_REVISIONS, "daemonset-name=revised")
    assert initial["revision"] == 1
    patched = await lab.patch(
        CONTROLLER_REVISIONS, name_of(initial), {"metadata": {"labels": {"step": "patched"}}}, PatchType.STRATEGIC
    )
    assert patched["metadata"]["labels"]["step"] == "patched"
    labels = {"daemonset-name": "revised", "controller-revision-hash": "abc12"}
    second = {
        "metadata": {
            "name": "revised-abc12",
            "labels": labels,
            "ownerReferences": initial["metadata"]["ownerReferences"],
        },
        "data": initial["data"],
        "revision": 2,
    }
    await lab.make(CONTROLLER_REVISIONS, second)

    async def count(number: int) -> bool:
        return len(await lab.list(CONTROLLER_REVISIONS, "daemonset-name=revised")) == number

    await lab.until(lambda: count(2), "two revisions")
    await lab.delete(CONTROLLER_REVISIONS, name_of(initial))
    await lab.until(lambda: count(1), "one revision")
    (left,) = await lab.list(CONTROLLER_REVISIONS, "daemonset-name=revised")
    updated = await lab.edit(
        CONTROLLER_REVISIONS, name_of(left), lambda r: r["metadata"]["labels"].update(step="updated")
    )
    assert updated["metadata"]["labels"]["step"] == "updated"
    patch = {
        "spec": {
            "template": {"spec": {"terminationGracePeriodSeconds": 1}},
            "updateStrategy": {"type": "RollingUpdate"},
        }
    }
    await lab.patch(DAEMON_SETS, "revised", patch, PatchType.STRATEGIC)
    await lab.until(lambda: count(2), "two revisions again")
    await lab.delete_all(CONTROLLER_REVISIONS, "step=updated")
    await lab.until(lambda: count(1), "the last revision")
    (last,) = await lab.list(CONTROLLER_REVISIONS, "daemonset-name=revised")
    assert last["revision"] == 3
