"""Jobs beyond upstream's conformance: suspension, time to live, replacement, other managers, deadlines, limits."""

from __future__ import annotations

import orjson
from tests.e2e.rows.lab import SLEEP, Lab, Object, condition, name_of
from tests.e2e.rows.test_rows_jobs import indexed, job, until_active, until_ended

from cybernetes.client.target import JOBS, PODS


async def test_a_job_is_suspended_and_resumed(lab: Lab) -> None:
    await lab.make(JOBS, job("held", *SLEEP, parallelism=2, completions=2))
    await until_active(lab, "held", 2)
    await lab.patch(JOBS, "held", {"spec": {"suspend": True}})

    def is_held(live: Object) -> bool:
        status = live["status"]
        held = condition(live, "Suspended").get("status") == "True" and "startTime" not in status
        return held and not status.get("active") and not status.get("terminating")

    live = await lab.until_object(JOBS, "held", is_held, "no pods run")
    assert condition(live, "Suspended")["message"] == "Job suspended" and not live["status"].get("failed")
    await lab.patch(JOBS, "held", {"spec": {"suspend": False}})
    await until_active(lab, "held", 2)
    live = await lab.get(JOBS, "held")
    assert condition(live, "Suspended")["reason"] == "JobResumed" and live["status"]["startTime"]
    assert [len(await lab.events(each)) > 0 for each in ("Suspended", "Resumed")] == [True, True]


async def test_a_finished_job_is_deleted_after_its_time(lab: Lab) -> None:
    await lab.make(JOBS, job("short", "true", ttlSecondsAfterFinished=3, parallelism=1, completions=2))
    await until_ended(lab, "short")
    await lab.until_gone(JOBS, "short", 20)
    assert await lab.list(PODS, "job=short") == []


async def test_a_job_of_another_manager_is_left_alone(lab: Lab) -> None:
    await lab.make(JOBS, job("theirs", "true", managedBy="example.com/manager"))
    await lab.make(JOBS, job("ours", "true"))
    await until_ended(lab, "ours")
    assert await lab.list(PODS, "job=theirs") == []
    assert not (await lab.get(JOBS, "theirs")).get("status")
    theirs = {"status": {"active": 1, "startTime": "2026-01-01T00:00:00Z"}}
    assert (await lab.patch(JOBS, "theirs", theirs, subresource="status"))["status"]["active"] == 1


async def test_a_pod_is_replaced_when_it_has_ended_if_the_policy_says_so(lab: Lab) -> None:
    slow = ("sh", "-c", "trap 'sleep 4; exit 1' TERM; sleep 3600 & wait")
    wanted = job("replaced", *slow, podReplacementPolicy="Failed", template={"grace_s": 30})
    await lab.make(JOBS, wanted)
    (first,) = await until_active(lab, "replaced", 1)
    await lab.delete(PODS, name_of(first))
    live = await lab.until_object(JOBS, "replaced", lambda j: j["status"].get("terminating") == 1, "it is terminating")
    assert live["status"].get("active", 0) == 0
    assert len(await lab.list(PODS, "job=replaced")) == 1
    await lab.until_object(
        JOBS, "replaced", lambda j: j["status"].get("failed") == 1 and j["status"].get("active") == 1, "another runs"
    )


async def test_a_deadline_ends_a_job(lab: Lab) -> None:
    await lab.make(JOBS, job("late", *SLEEP, parallelism=1, completions=2, activeDeadlineSeconds=2))
    status = await until_ended(lab, "late", "Failed")
    assert condition({"status": status}, "Failed")["reason"] == "DeadlineExceeded"
    assert status.get("active", 0) == 0


async def test_too_many_failures_end_a_job(lab: Lab) -> None:
    await lab.make(JOBS, job("limited", "false", backoffLimit=0, parallelism=1, completions=4))
    status = await until_ended(lab, "limited", "Failed")
    assert (condition({"status": status}, "Failed")["reason"], status["failed"]) == ("BackoffLimitExceeded", 1)
    await lab.make(JOBS, job("inplace", "false", restart="OnFailure", backoffLimit=1, parallelism=1, completions=1))
    status = await until_ended(lab, "inplace", "Failed")
    assert condition({"status": status}, "Failed")["reason"] == "BackoffLimitExceeded"


async def test_an_indexed_job_grows_and_shrinks(lab: Lab) -> None:
    await lab.make(JOBS, indexed("elastic", *SLEEP, parallelism=3, completions=3))
    await until_active(lab, "elastic", 3)
    await lab.patch(JOBS, "elastic", {"spec": {"completions": 1, "parallelism": 1}})
    (left,) = await until_active(lab, "elastic", 1)
    assert left["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] == "0"
    await lab.patch(JOBS, "elastic", {"spec": {"completions": 2, "parallelism": 2}})
    assert len(await until_active(lab, "elastic", 2)) == 2


async def test_logs_of_finished_pods_stay_until_their_job_goes(lab: Lab) -> None:
    await lab.make(JOBS, job("told", "echo", "done"))
    await until_ended(lab, "told")
    (pod,) = await lab.list(PODS, "job=told")
    assert await lab.raw(f"pods/{name_of(pod)}/log") == "done\n"
    assert "batch.kubernetes.io/job-tracking" not in pod["metadata"].get("finalizers", [])
    await lab.delete(JOBS, "told", propagation="Background")

    async def none() -> bool:
        return orjson.loads(await lab.raw("pods"))["items"] == []

    await lab.until(none, "its pods are collected")
