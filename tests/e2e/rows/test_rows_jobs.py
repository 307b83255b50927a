"""Jobs: completion, indexes, the three policies, adoption, status, life."""

from __future__ import annotations

from typing import Any

import pytest
from tests.e2e.rows.lab import SLEEP, Lab, Object, condition, name_of, names_of, pod_spec

from cybernetes.base.clock import SystemClock, rfc3339
from cybernetes.client.api import PatchType
from cybernetes.client.target import JOBS, PODS

INDEX = "batch.kubernetes.io/job-completion-index"
_FAIL_ODD = ("sh", "-c", "exit $((JOB_COMPLETION_INDEX % 2))")


def job(name: str, *command: str, restart: str = "Never", template: Object | None = None, **more: Any) -> Object:
    spec = pod_spec(*command, restartPolicy=restart, **(template or {}))
    return {
        "metadata": {"name": name},
        "spec": {"template": {"metadata": {"labels": {"job": name}}, "spec": spec}, **more},
    }


def indexed(name: str, *command: str, **more: Any) -> Object:
    return job(name, *command, completionMode="Indexed", **more)


async def until_ended(lab: Lab, name: str, how: str = "Complete") -> Object:
    ended = await lab.until_object(
        JOBS, name, lambda j: condition(j, "Complete") or condition(j, "Failed"), "it ends", 120
    )
    assert condition(ended, how), ended["status"]
    status: Object = ended["status"]
    return status


async def until_active(lab: Lab, name: str, count: int) -> list[Object]:
    def running(live: Object) -> bool:
        return live.get("status", {}).get("active") == count == live["status"].get("ready")

    await lab.until_object(JOBS, name, running, f"{count} active pods")
    return await lab.pods(f"job={name}")


async def test_tasks_that_fail_are_restarted_where_they_are(lab: Lab) -> None:
    once = ("sh", "-c", "test -e /data/tried && exit 0; touch /data/tried; exit 1")
    template = {
        "volumes": [{"name": "data", "emptyDir": {}}],
        "container": {"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
    }
    await lab.make(JOBS, job("local", *once, restart="OnFailure", parallelism=2, completions=4, template=template))
    status = await until_ended(lab, "local")
    assert status["succeeded"] == 4 == len(await lab.list(PODS, "job=local"))


async def test_pods_of_an_indexed_job_have_each_their_index(lab: Lab) -> None:
    command = ("sh", "-c", "test $(hostname) = named-$JOB_COMPLETION_INDEX")
    await lab.make(JOBS, indexed("named", *command, parallelism=2, completions=4))
    status = await until_ended(lab, "named")
    assert status["completedIndexes"] == "0-3"
    found = await lab.list(PODS, "job=named")
    assert sorted(each["metadata"]["annotations"][INDEX] for each in found) == ["0", "1", "2", "3"]
    assert all(each["spec"]["hostname"] == f"named-{each['metadata']['annotations'][INDEX]}" for each in found)


async def test_a_deleted_job_takes_its_pods_along(lab: Lab) -> None:
    await lab.make(JOBS, job("gone", *SLEEP, parallelism=2, completions=4))
    await until_active(lab, "gone", 2)
    await lab.delete(JOBS, "gone", propagation="Foreground")
    await lab.until_gone(JOBS, "gone")
    assert await lab.list(PODS) == []


async def test_orphans_are_adopted_again_and_strangers_released(lab: Lab) -> None:
    made = await lab.make(JOBS, job("adopter", *SLEEP, parallelism=2, completions=4))
    first, _ = await until_active(lab, "adopter", 2)

    def owned(live: Object) -> bool:
        return made["metadata"]["uid"] in [each["uid"] for each in live["metadata"].get("ownerReferences", [])]

    await lab.edit(PODS, name_of(first), lambda p: p["metadata"].pop("ownerReferences"))
    await lab.until_object(PODS, name_of(first), owned, "the orphan is adopted again")
    await lab.edit(PODS, name_of(first), lambda p: p["metadata"].pop("labels"))
    await lab.until_object(PODS, name_of(first), lambda p: not owned(p), "it is released")
    await until_active(lab, "adopter", 2)


async def test_status_of_a_job_is_patched_and_updated(lab: Lab) -> None:
    await lab.make(JOBS, job("told", *SLEEP, parallelism=2, completions=4))
    await until_active(lab, "told", 2)
    custom = {"type": "Custom", "status": "True", "lastTransitionTime": rfc3339(SystemClock().now())}
    patch = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"conditions": [custom]}}
    patched = await lab.patch(JOBS, "told", patch, PatchType.MERGE, "status")
    assert (
        condition(patched, "Custom")["status"] == "True"
        and patched["metadata"]["annotations"]["patchedstatus"] == "true"
    )
    custom["status"] = "False"
    updated = await lab.edit(JOBS, "told", lambda j: j["status"].update(conditions=[custom]), "status")
    assert condition(updated, "Custom")["status"] == "False"
    assert condition(await lab.get(JOBS, "told", "status"), "Custom")["status"] == "False"


async def test_life_of_a_job(lab: Lab) -> None:
    made = job("life", "true", parallelism=2, completions=4, backoffLimit=6, suspend=True)
    made["metadata"]["labels"] = {"e2e-job": "life"}
    async with lab.watching(JOBS, "e2e-job=life") as events:
        await lab.make(JOBS, made)
        await events.until("ADDED")
        await lab.patch(JOBS, "life", {"metadata": {"labels": {"step": "patched"}}}, PatchType.STRATEGIC)
        await events.until("MODIFIED", lambda j: j["metadata"]["labels"].get("step") == "patched")
        suspended = await lab.until_object(JOBS, "life", lambda j: condition(j, "Suspended"), "it is suspended")
        assert condition(suspended, "Suspended")["reason"] == "JobSuspended"

        def resume(live: Object) -> None:
            live["spec"]["suspend"] = False
            live["metadata"]["annotations"] = {"updated": "true"}

        await lab.edit(JOBS, "life", resume)
        await events.until("MODIFIED", lambda j: j["metadata"].get("annotations", {}).get("updated") == "true")
        await until_ended(lab, "life")
        assert names_of(await lab.list(JOBS, "e2e-job=life", everywhere=True)) == ["life"]
        await lab.delete_all(JOBS, "e2e-job=life")
        await events.until("DELETED")


async def test_every_index_is_run_although_some_fail(lab: Lab) -> None:
    await lab.make(JOBS, indexed("odd", *_FAIL_ODD, parallelism=2, completions=4, backoffLimitPerIndex=0))
    status = await until_ended(lab, "odd", "Failed")
    assert (status["failedIndexes"], status["completedIndexes"]) == ("1,3", "0,2")
    assert (status["failed"], status["succeeded"]) == (2, 2)
    assert condition({"status": status}, "Failed")["reason"] == "FailedIndexes"


async def test_a_failing_index_is_tried_as_often_as_its_limit_says(lab: Lab) -> None:
    await lab.make(JOBS, indexed("twice", *_FAIL_ODD, parallelism=2, completions=2, backoffLimitPerIndex=1))
    status = await until_ended(lab, "twice", "Failed")
    assert (status["failedIndexes"], status["completedIndexes"], status["failed"]) == ("1", "0", 2)


async def test_too_many_failed_indexes_end_the_job(lab: Lab) -> None:
    await lab.make(
        JOBS, indexed("many", "false", parallelism=2, completions=4, backoffLimitPerIndex=0, maxFailedIndexes=0)
    )
    status = await until_ended(lab, "many", "Failed")
    assert condition({"status": status}, "Failed")["reason"] == "MaxFailedIndexesExceeded"
    assert (
        status["failedIndexes"],
        status.get("completedIndexes", ""),
        status["failed"],
        status.get("succeeded", 0),
    ) == ("0,1", "", 2, 0)


async def test_an_index_is_failed_by_the_policy(lab: Lab) -> None:
    rule = {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [1]}}
    policy = {"rules": [rule]}
    await lab.make(
        JOBS,
        indexed("policy", *_FAIL_ODD, parallelism=2, completions=2, backoffLimitPerIndex=1, podFailurePolicy=policy),
    )
    status = await until_ended(lab, "policy", "Failed")
    assert (status["failedIndexes"], status["completedIndexes"], status["failed"]) == ("1", "0", 1)


async def test_an_exit_code_fails_the_job_early(lab: Lab) -> None:
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}
    await lab.make(
        JOBS, job("early", "false", parallelism=2, completions=4, backoffLimit=6, podFailurePolicy={"rules": [rule]})
    )
    status = await until_ended(lab, "early", "Failed")
    assert condition({"status": status}, "Failed")["reason"] == "PodFailurePolicy"
    assert status.get("active", 0) == 0


async def test_a_disruption_does_not_count_where_the_policy_ignores_it(lab: Lab) -> None:
    rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    command = (
        "sh",
        "-c",
        "trap 'exit 1' TERM; test -e /data/go && exit 0; touch /data/go; sleep 3600 & wait",
    )
    volume = {"name": "data", "hostPath": {"path": f"/tmp/cybernetes-{lab.namespace}", "type": "DirectoryOrCreate"}}
    template = {
        "volumes": [volume],
        "container": {"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
        "grace_s": 10,
    }
    template["nodeName"] = names_of(await lab.nodes())[0]
    wanted = job(
        "ignored",
        *command,
        parallelism=1,
        completions=1,
        backoffLimit=0,
        podFailurePolicy={"rules": [rule]},
        template=template,
    )
    wanted["spec"]["template"]["metadata"]["finalizers"] = ["test.cybernetes/kept"]
    await lab.make(JOBS, wanted)
    (victim,) = await until_active(lab, "ignored", 1)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name_of(victim)}}
    await lab.client.create(PODS, eviction, namespace=lab.namespace, name=name_of(victim), subresource="eviction")
    failed = await lab.until_object(
        PODS, name_of(victim), lambda p: p["status"]["phase"] == "Failed", "the evicted pod fails"
    )
    assert condition(failed, "DisruptionTarget")["reason"] == "EvictionByEvictionAPI"
    kept = [{"metadata": {"finalizers": None}}]
    await lab.patch(PODS, name_of(victim), kept[0])
    (second,) = await lab.until(lambda: _others(lab, name_of(victim)), "another pod is made")
    await lab.patch(PODS, name_of(second), kept[0])
    status = await until_ended(lab, "ignored")
    assert status.get("failed", 0) == 0


async def _others(lab: Lab, name: str) -> list[Object]:
    return [each for each in await lab.list(PODS, "job=ignored") if name_of(each) != name]


@pytest.mark.parametrize(
    ("rule", "command", "completed"),
    [
        ({"succeededIndexes": "0-1"}, ("true",), "0,1"),
        ({"succeededCount": 1}, ("sh", "-c", "test $JOB_COMPLETION_INDEX = 0 || sleep 100000"), "0"),
        ({"succeededIndexes": "0"}, ("sh", "-c", "test $JOB_COMPLETION_INDEX = 0 || sleep 100000"), "0"),
    ],
    ids=["all", "count", "indexes"],
)
async def test_a_job_succeeds_by_its_policy(lab: Lab, rule: Object, command: tuple[str, ...], completed: str) -> None:
    await lab.make(JOBS, indexed("policy", *command, parallelism=2, completions=2, successPolicy={"rules": [rule]}))
    status = await until_ended(lab, "policy")
    assert condition({"status": status}, "SuccessCriteriaMet")["reason"] == ("SuccessPolicy")
    assert status["completedIndexes"] == completed
    assert (status.get("active", 0), status.get("ready", 0), status.get("terminating", 0)) == (0, 0, 0)
