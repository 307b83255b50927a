"""CronJobs: when Jobs are due, concurrency, history; and Jobs that go after their time."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
import virtual
from world import World, template, view_of

from cybernetes.base.clock import parse_rfc3339, rfc3339
from cybernetes.controllers.cronjob import plan
from cybernetes.controllers.cronjob.loop import CronJobController
from cybernetes.controllers.cronjob.plan import CronJob
from cybernetes.controllers.job.loop import JobController
from cybernetes.controllers.ttlafterfinished.loop import TtlAfterFinishedController
from cybernetes.model import cron

Object = dict[str, Any]


def cron_job(schedule: str = "* * * * *", **spec: Any) -> Object:
    pods = template(app="tick")
    pods["spec"]["restartPolicy"] = "Never"
    job = {"metadata": {"labels": {"a": "b"}}, "spec": {"completions": 1, "backoffLimit": 0, "template": pods}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "tick", "namespace": "default", "uid": "tick-uid"},
        "spec": {"schedule": schedule, "jobTemplate": job, **spec},
    }


@pytest.mark.parametrize(
    ("schedule", "created", "last", "now", "at", "too_many"),
    [
        ("0 * * * *", "2026-01-01T10:30:00Z", None, "2026-01-01T10:59:00Z", None, False),
        ("0 * * * *", "2026-01-01T10:30:00Z", None, "2026-01-01T11:00:00Z", "2026-01-01T11:00:00Z", False),
        ("0 * * * *", "2026-01-01T10:30:00Z", "2026-01-01T11:00:00Z", "2026-01-01T11:30:00Z", None, False),
        ("0 * * * *", "2026-01-01T10:30:00Z", None, "2026-01-01T14:30:00Z", "2026-01-01T14:00:00Z", False),
        ("* * * * *", "2026-01-01T00:00:00Z", None, "2026-03-01T00:00:30Z", "2026-03-01T00:00:00Z", True),
        ("@every 90s", "2026-01-01T00:00:00Z", None, "2026-01-01T00:04:00Z", "2026-01-01T00:03:00Z", False),
    ],
)
def test_the_latest_time_that_has_come(
    schedule: str, created: str, last: str | None, now: str, at: str | None, too_many: bool
) -> None:
    found = view_of(
        {"metadata": {"name": "a", "creationTimestamp": created}, "status": {"lastScheduleTime": last}}, CronJob
    )
    due = plan.due(found, cron.parse(schedule), datetime.UTC, parse_rfc3339(now))
    assert (due.at.isoformat().replace("+00:00", "Z") if due.at else None, due.too_many) == (at, too_many)


def test_a_time_zone_moves_the_schedule() -> None:
    found = view_of(
        {"metadata": {"creationTimestamp": "2026-07-01T00:00:00Z"}, "spec": {"timeZone": "Europe/Berlin"}}, CronJob
    )
    due = plan.due(found, cron.parse("0 6 * * *"), plan.zone_of(found), parse_rfc3339("2026-07-01T04:00:00Z"))
    assert due.at is not None and due.at.isoformat() == "2026-07-01T06:00:00+02:00"


def world(phase: str = "Succeeded") -> World:
    w = World(CronJobController, JobController)

    def end(pod: Object) -> None:
        pod["status"] = {"phase": phase}

    w.becomes = end
    return w


def jobs(w: World) -> list[str]:
    return [each["metadata"]["name"] for each in w.api.all("jobs")]


def test_a_job_each_minute_and_a_short_history() -> None:
    async def main() -> None:
        w = world()
        w.api.put("cronjobs", cron_job())
        async with w.running():
            await w.settle(5 * 60)
            minute = int(virtual.EPOCH) // 60
            assert jobs(w) == [f"tick-{minute + n}" for n in (3, 4, 5)], "the last three of five"
            [live] = w.api.all("cronjobs")
            assert live["status"]["lastScheduleTime"] == "2023-11-14T22:18:00Z"
            assert "lastSuccessfulTime" in live["status"] and not live["status"].get("active")
            made = w.api.all("jobs")[-1]["metadata"]
            assert made["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"] == "2023-11-14T22:18:00Z"
            assert made["labels"] == {"a": "b"} and made["ownerReferences"][0]["kind"] == "CronJob"
            reasons = {reason for reason, _ in w.events()}
            assert {"SuccessfulCreate", "SawCompletedJob", "SuccessfulDelete"} <= reasons

    virtual.run(main())


@pytest.mark.parametrize(("policy", "running"), [("Forbid", 1), ("Replace", 1), ("Allow", 3)])
def test_what_happens_while_a_job_still_runs(policy: str, running: int) -> None:
    async def main() -> None:
        w = World(CronJobController, JobController)
        w.api.put("cronjobs", cron_job(concurrencyPolicy=policy))
        async with w.running():
            await w.settle(185)
            assert len(jobs(w)) == running
            first = int(virtual.EPOCH) // 60 + 1
            assert (f"tick-{first}" in jobs(w)) == (policy != "Replace")
            assert len(w.api.all("cronjobs")[0]["status"]["active"]) == running

    virtual.run(main())


def test_suspended_and_unreadable_ones_do_nothing() -> None:
    async def main() -> None:
        w = world()
        w.api.put("cronjobs", cron_job(suspend=True))
        async with w.running():
            await w.settle(150)
            assert jobs(w) == []
            w.api.edit("cronjobs", "tick", lambda c: c["spec"].update(suspend=False, timeZone="Mars/Olympus"))
            await w.settle(150)
            assert jobs(w) == [] and any(reason == "UnknownTimeZone" for reason, _ in w.events())

    virtual.run(main())


def test_a_time_missed_for_too_long_is_told_and_left_out() -> None:
    async def main() -> None:
        w = world()
        w.api.down = True
        late = cron_job("*/10 * * * *", startingDeadlineSeconds=30)
        late["metadata"]["creationTimestamp"] = "2023-11-14T22:00:00Z"
        w.api.put("cronjobs", late)
        async with w.running():
            await w.settle(10)
            w.api.down = False
            await w.settle(60)
            assert jobs(w) == []

    virtual.run(main())


def test_finished_jobs_go_after_their_time() -> None:
    async def main() -> None:
        w = World(JobController, TtlAfterFinishedController)
        w.becomes = lambda pod: pod.update(status={"phase": "Succeeded"})
        job = cron_job()["spec"]["jobTemplate"]["spec"]
        job = {**job, "ttlSecondsAfterFinished": 60, "selector": {"matchLabels": {"app": "tick"}}}
        metadata = {"name": "once", "namespace": "default"}
        w.api.put("jobs", {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": job})
        async with w.running():
            await w.settle(30)
            assert jobs(w) == ["once"]
            await w.settle(60)
            deleted = w.api.all("jobs")
            assert all("foregroundDeletion" in each["metadata"].get("finalizers", []) for each in deleted)
            assert all("deletionTimestamp" in each["metadata"] for each in deleted)

    virtual.run(main())


@pytest.mark.parametrize(
    ("policy", "left"), [("Forbid", ["tick-1"]), ("Replace", ["tick-2"]), ("Allow", ["tick-1", "tick-2"])]
)
def test_a_job_made_just_before_an_end_is_known_after_it(policy: str, left: list[str]) -> None:
    """Its maker ended before the status said so, and came back after the next time."""

    async def main() -> None:
        w = World(CronJobController, JobController)
        minute = int(virtual.EPOCH) // 60
        w.api.put("cronjobs", cron_job(concurrencyPolicy=policy))
        w.api.put("jobs", job_of_schedule(minute))
        async with w.running():
            await w.settle(65)
            names = {f"tick-{minute}": "tick-1", f"tick-{minute + 1}": "tick-2"}
            assert [names[each] for each in jobs(w)] == left
            [live] = w.api.all("cronjobs")
            assert [names[each["name"]] for each in live["status"]["active"]] == left
            assert not any(reason == "UnexpectedJob" for reason, _ in w.events())

    virtual.run(main())


def test_a_job_that_is_not_seen_yet_is_not_missing() -> None:
    """News of Jobs may come after those of the CronJob that names them; one of them at a time it stays."""

    async def main() -> None:
        w = World(CronJobController)
        w.api.put("cronjobs", cron_job(concurrencyPolicy="Forbid"))
        async with w.running():
            await w.settle(1)
            w.api.late["jobs"] = 5.0
            await w.settle(64)
            [first] = jobs(w)
            await w.settle(60)
            assert jobs(w) == [first]
            [live] = w.api.all("cronjobs")
            assert [each["name"] for each in live["status"]["active"]] == [first]
            assert not {"MissingJob", "UnexpectedJob"} & {reason for reason, _ in w.events()}

    virtual.run(main())


def job_of_schedule(minute: int, **annotations: str) -> Object:
    """As the controller would have made it for that minute."""
    owner = cron_job()
    template = owner["spec"]["jobTemplate"]
    metadata = {
        "name": f"tick-{minute}",
        "namespace": "default",
        "annotations": annotations or {plan.SCHEDULED: rfc3339(minute * 60)},
        "ownerReferences": [
            {"apiVersion": "batch/v1", "kind": "CronJob", "name": "tick", "uid": "tick-uid", "controller": True}
        ],
    }
    spec = {**template["spec"], "selector": {"matchLabels": {"app": "tick"}}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(
    "annotations",
    [{"cronjob.kubernetes.io/instantiate": "manual"}, {plan.SCHEDULED: "soon"}],
)
def test_a_job_that_no_schedule_made_stops_nothing(annotations: dict[str, str]) -> None:
    async def main() -> None:
        w = World(CronJobController, JobController)
        w.api.put("cronjobs", cron_job(concurrencyPolicy="Forbid"))
        w.api.put("jobs", job_of_schedule(1, **annotations))
        async with w.running():
            await w.settle(65)
            assert len(jobs(w)) == 2
            assert any(reason == "UnexpectedJob" for reason, _ in w.events())

    virtual.run(main())
