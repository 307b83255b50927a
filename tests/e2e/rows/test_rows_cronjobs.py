"""CronJobs and what limits how many of their jobs run."""

from __future__ import annotations

from typing import Any

from tests.e2e.rows.lab import SLEEP, Lab, Object, name_of, names_of
from tests.e2e.rows.test_rows_jobs import job

from cybernetes.base.clock import SystemClock, rfc3339
from cybernetes.client.api import PatchType
from cybernetes.client.target import CRON_JOBS, JOBS


def cron_job(name: str, schedule: str, policy: str, *command: str, **more: Any) -> Object:
    template = {"spec": job(name, *command, restart="OnFailure", parallelism=1, completions=1)["spec"]}
    spec = {"schedule": schedule, "concurrencyPolicy": policy, "jobTemplate": template, **more}
    return {"metadata": {"name": name, "labels": {"cron": name}}, "spec": spec}


async def until_active(lab: Lab, name: str, count: int, seconds: float = 60) -> list[str]:
    live = await lab.until_object(
        CRON_JOBS, name, lambda c: len(c.get("status", {}).get("active", [])) >= count, f"{count} active jobs", seconds
    )
    return [each["name"] for each in live["status"]["active"]]


async def test_jobs_run_at_the_same_time_where_allowed(lab: Lab) -> None:
    await lab.make(CRON_JOBS, cron_job("allowed", "*/1 * * * ?", "Allow", *SLEEP))
    active = await until_active(lab, "allowed", 2, 150)
    assert len(set(active)) == 2


async def test_a_suspended_cron_job_makes_nothing(lab: Lab) -> None:
    await lab.make(CRON_JOBS, cron_job("still", "*/1 * * * ?", "Allow", *SLEEP, suspend=True))
    await lab.make(CRON_JOBS, cron_job("moving", "*/1 * * * ?", "Allow", *SLEEP))
    await until_active(lab, "moving", 1, 90)
    assert {each["metadata"]["ownerReferences"][0]["name"] for each in await lab.list(JOBS)} == {"moving"}


async def test_no_job_is_added_where_others_are_forbidden(lab: Lab) -> None:
    await lab.make(CRON_JOBS, cron_job("alone", "*/1 * * * ?", "Forbid", *SLEEP))
    await lab.make(CRON_JOBS, cron_job("many", "*/1 * * * ?", "Allow", *SLEEP))
    (active,) = await until_active(lab, "alone", 1, 90)
    await until_active(lab, "many", 2, 90)
    owned = [
        name_of(each) for each in await lab.list(JOBS) if each["metadata"]["ownerReferences"][0]["name"] == "alone"
    ]
    assert owned == [active]


async def test_a_running_job_is_replaced(lab: Lab) -> None:
    await lab.make(CRON_JOBS, cron_job("replaced", "@every 3s", "Replace", *SLEEP))
    (first,) = await until_active(lab, "replaced", 1)

    def another(live: Object) -> bool:
        return [each["name"] for each in live["status"].get("active", [])] not in ([], [first])

    live = await lab.until_object(CRON_JOBS, "replaced", another, "another job runs")
    assert len(live["status"]["active"]) == 1
    await lab.until_gone(JOBS, first)


async def test_cron_jobs_are_read_changed_and_deleted(lab: Lab) -> None:
    for name in ("one", "two", "three"):
        await lab.make(
            CRON_JOBS,
            {
                **cron_job(name, "1 1 1 1 ?", "Allow", "true"),
                "metadata": {"name": name, "labels": {"special": lab.namespace}},
            },
        )
    selector = f"special={lab.namespace}"
    assert (await lab.get(CRON_JOBS, "one"))["spec"]["schedule"] == "1 1 1 1 ?"
    assert len(await lab.list(CRON_JOBS, selector, everywhere=True)) == 3
    async with lab.watching(CRON_JOBS, selector) as events:
        patched = await lab.patch(CRON_JOBS, "one", {"metadata": {"annotations": {"patched": "true"}}})
        assert patched["metadata"]["annotations"]["patched"] == "true"
        await events.until("MODIFIED", lambda c: c["metadata"]["annotations"].get("patched") == "true")
        await lab.edit(CRON_JOBS, "one", lambda c: c["metadata"]["annotations"].update(updated="true"))
        await events.until("MODIFIED", lambda c: c["metadata"]["annotations"].get("updated") == "true")
        now = rfc3339(SystemClock().now())
        patch = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"lastScheduleTime": now}}
        patched = await lab.patch(CRON_JOBS, "one", patch, PatchType.MERGE, "status")
        assert (patched["status"]["lastScheduleTime"], patched["metadata"]["annotations"]["patchedstatus"]) == (
            now,
            "true",
        )
        later = rfc3339(SystemClock().now() + 5)
        updated = await lab.edit(CRON_JOBS, "one", lambda c: c["status"].update(lastScheduleTime=later), "status")
        assert updated["status"]["lastScheduleTime"] == later
        assert (await lab.get(CRON_JOBS, "one", "status"))["metadata"]["uid"] == patched["metadata"]["uid"]
        await lab.delete(CRON_JOBS, "one")
        await lab.until_gone(CRON_JOBS, "one")
        assert names_of(await lab.list(CRON_JOBS, selector)) == ["three", "two"]
        await lab.delete_all(CRON_JOBS, selector)
        assert await lab.list(CRON_JOBS, selector) == []
