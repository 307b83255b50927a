"""Jobs: counting every pod once, completing, failing, suspending, indexes."""

from __future__ import annotations

from typing import Any

import pytest
import virtual
from hypothesis import given
from hypothesis import strategies as st
from world import World, template, view_of

from cybernetes.controllers.job import count, indexes, policy
from cybernetes.controllers.job.loop import JobController
from cybernetes.controllers.job.objects import INDEX, INDEX_FAILURES, FailurePolicy, SuccessPolicy
from cybernetes.controllers.objects import Pod

Object = dict[str, Any]


@given(st.sets(st.integers(0, 200)))
def test_indexes_as_text_and_back(found: set[int]) -> None:
    assert indexes.parse(indexes.render(found), 201) == found


def test_indexes_are_runs() -> None:
    assert indexes.render({0, 1, 2, 4, 7, 8}) == "0-2,4,7,8"
    assert indexes.parse("0-2,4,7-8", 8) == {0, 1, 2, 4, 7}


def failed(code: int, **conditions: str) -> Pod:
    return view_of(
        {
            "metadata": {"name": "p", "namespace": "default"},
            "status": {
                "phase": "Failed",
                "conditions": [{"type": kind, "status": status} for kind, status in conditions.items()],
                "containerStatuses": [{"name": "app", "state": {"terminated": {"exitCode": code}}}],
            },
        },
        Pod,
    )


RULES = view_of(
    {
        "rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {"action": "FailJob", "onExitCodes": {"containerName": "app", "operator": "In", "values": [42]}},
            {"action": "Count", "onExitCodes": {"operator": "NotIn", "values": [1, 2]}},
        ]
    },
    FailurePolicy,
)


@pytest.mark.parametrize(
    ("pod", "verdict"),
    [
        (failed(1), policy.COUNT),
        (
            failed(42),
            policy.Verdict(
                "FailJob", "Container app for pod default/p failed with exit code 42 matching FailJob rule at index 1"
            ),
        ),
        (
            failed(42, DisruptionTarget="True"),
            policy.Verdict("Ignore", "Pod default/p has condition DisruptionTarget matching Ignore rule at index 0"),
        ),
    ],
)
def test_the_first_matching_rule_decides(pod: Pod, verdict: policy.Verdict) -> None:
    assert policy.judge(RULES, pod) == verdict


@pytest.mark.parametrize("text", ["²", "٣", "-1", "", "1" * 5000])
def test_what_anybody_wrote_in_place_of_an_index_is_none(text: str) -> None:
    pod = view_of({"metadata": {"name": "p", "annotations": {INDEX: text, INDEX_FAILURES: text}}}, Pod)
    assert count.index_of(pod) is None
    assert count.failures_of(pod) == 0


def test_success_rules() -> None:
    rules = view_of({"rules": [{"succeededIndexes": "0-1"}, {"succeededCount": 3}]}, SuccessPolicy)
    assert policy.satisfied(rules, {0}, 5) == ""
    assert policy.satisfied(rules, {0, 1}, 5) == "Matched rules at index 0"
    assert policy.satisfied(rules, {2, 3, 4}, 5) == "Matched rules at index 1"


def job(**spec: Any) -> Object:
    pods = template(app="work")
    pods["spec"]["restartPolicy"] = "Never"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "work", "namespace": "default", "uid": "work-uid"},
        "spec": {"selector": {"matchLabels": {"app": "work"}}, "template": pods, "backoffLimit": 6, **spec},
    }


def world(phase: str = "Succeeded", code: int = 0) -> World:
    w = World(JobController)

    def end(pod: Object) -> None:
        pod["spec"]["nodeName"] = "n"
        state = {"name": "app", "state": {"terminated": {"exitCode": code}}}
        pod["status"] = {"phase": phase, "containerStatuses": [state]}

    w.becomes = end
    return w


def status(w: World) -> Object:
    found: Object = w.api.all("jobs")[0]["status"]
    return found


def conditions(w: World) -> dict[str, tuple[str, str, str]]:
    return {c["type"]: (c["status"], c["reason"], c["message"]) for c in status(w).get("conditions", [])}


def test_a_job_counts_its_successes_and_completes() -> None:
    async def main() -> None:
        w = world()
        w.api.put("jobs", job(parallelism=2, completions=5))
        async with w.running():
            await w.settle(10)
            found = status(w)
            assert (found["succeeded"], found.get("failed", 0), found.get("active", 0)) == (5, 0, 0)
            assert found["uncountedTerminatedPods"] == {} and "completionTime" in found
            reached = ("True", "CompletionsReached", "Reached expected number of succeeded pods")
            assert conditions(w) == {"SuccessCriteriaMet": reached, "Complete": reached}
            assert len(w.api.all("pods")) == 5
            assert not any(pod["metadata"].get("finalizers") for pod in w.api.all("pods"))
            assert ("Completed", "Job completed") in w.events()

    virtual.run(main())


def test_a_failing_job_waits_longer_each_time_and_gives_up() -> None:
    async def main() -> None:
        w = world("Failed", 1)
        w.api.put("jobs", job(parallelism=1, completions=1, backoffLimit=2))
        async with w.running():
            await w.settle(5)
            assert status(w)["failed"] == 1 and len(w.api.all("pods")) == 1
            await w.settle(7)
            assert len(w.api.all("pods")) == 2, "10 s after the first failure"
            await w.settle(30)
            assert status(w)["failed"] == 3
            reached = ("True", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
            assert conditions(w) == {"FailureTarget": reached, "Failed": reached}
            assert "completionTime" not in status(w)

    virtual.run(main())


def test_a_deadline_ends_a_job_and_its_pods() -> None:
    async def main() -> None:
        w = World(JobController)
        w.api.put("jobs", job(parallelism=2, completions=2, activeDeadlineSeconds=30))
        async with w.running():
            await w.settle(10)
            assert len(w.pods()) == 2
            await w.settle(30)
            assert w.pods() == []
            assert conditions(w)["Failed"][1:] == ("DeadlineExceeded", "Job was active longer than specified deadline")

    virtual.run(main())


def test_suspending_deletes_pods_without_counting_them() -> None:
    async def main() -> None:
        w = World(JobController)
        w.api.put("jobs", job(parallelism=2, completions=2))
        async with w.running():
            await w.settle()
            assert len(w.pods()) == 2
            w.api.edit("jobs", "work", lambda j: j["spec"].update(suspend=True))
            await w.settle()
            assert w.pods() == [] and status(w).get("failed", 0) == 0
            assert conditions(w)["Suspended"] == ("True", "JobSuspended", "Job suspended")
            assert "startTime" not in status(w)
            w.api.edit("jobs", "work", lambda j: j["spec"].update(suspend=False))
            await w.settle()
            assert len(w.pods()) == 2
            assert conditions(w)["Suspended"] == ("False", "JobResumed", "Job resumed")

    virtual.run(main())


def test_an_indexed_job_runs_each_index_once() -> None:
    async def main() -> None:
        w = world()
        w.api.put("jobs", job(parallelism=3, completions=4, completionMode="Indexed"))
        async with w.running():
            await w.settle(10)
            assert status(w)["completedIndexes"] == "0-3" and status(w)["succeeded"] == 4
            first = w.api.all("pods")[0]
            index = "batch.kubernetes.io/job-completion-index"
            assert first["metadata"]["annotations"][index] == first["metadata"]["labels"][index] == "0"
            assert first["metadata"]["name"].startswith("work-0-") and first["spec"]["hostname"] == "work-0"
            assert first["spec"]["containers"][0]["env"] == [
                {
                    "name": "JOB_COMPLETION_INDEX",
                    "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{index}']"}},
                }
            ]

    virtual.run(main())


def test_with_a_limit_per_index_one_bad_index_does_not_stop_the_others() -> None:
    async def main() -> None:
        w = World(JobController)

        def end(pod: Object) -> None:
            pod["spec"]["nodeName"] = "n"
            bad = pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] == "1"
            pod["status"] = {"phase": "Failed" if bad else "Succeeded"}

        w.becomes = end
        w.api.put("jobs", job(parallelism=3, completions=3, completionMode="Indexed", backoffLimitPerIndex=1))
        async with w.running():
            await w.settle(60)
            assert status(w)["completedIndexes"] == "0,2" and status(w)["failedIndexes"] == "1"
            assert conditions(w)["Failed"][1:] == ("FailedIndexes", "Job has failed indexes")
            counts = [
                p["metadata"]["annotations"]["batch.kubernetes.io/job-index-failure-count"]
                for p in w.api.all("pods")
                if p["metadata"]["name"].startswith("work-1-")
            ]
            assert sorted(counts) == ["0", "1"]

    virtual.run(main())


def test_a_work_queue_ends_when_all_have_ended_after_a_success() -> None:
    async def main() -> None:
        w = World(JobController)
        w.api.put("jobs", job(parallelism=3))
        async with w.running():
            await w.settle()
            names = [p["metadata"]["name"] for p in w.pods()]
            assert len(names) == 3
            for name in names:
                w.api.edit("pods", name, lambda p: p["status"].update(phase="Succeeded"))
                await w.settle()
            assert len(w.api.all("pods")) == 3 and "Complete" in conditions(w)

    virtual.run(main())


def test_a_job_that_is_deleted_lets_its_pods_go() -> None:
    async def main() -> None:
        w = World(JobController)
        w.api.put("jobs", job(parallelism=1, completions=1))
        async with w.running():
            await w.settle()
            w.api.remove("jobs", "work")
            await w.settle()
            assert not any(pod["metadata"].get("finalizers") for pod in w.api.all("pods"))

    virtual.run(main())


def test_pods_that_outlive_their_job_are_not_held() -> None:
    """Orphaned while the Job still goes: the collector takes the pods' owner away before the Job."""

    async def main() -> None:
        w = World(JobController)
        w.api.put("jobs", job(parallelism=1, completions=1))
        async with w.running():
            await w.settle()
            name = w.pods()[0]["metadata"]["name"]
            going = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["orphan"]}
            w.api.edit("jobs", "work", lambda j: j["metadata"].update(going))
            w.api.edit("pods", name, lambda p: p["metadata"].pop("ownerReferences"))
            await w.settle()
            w.api.remove("jobs", "work")
            await w.settle()
            assert not w.pods()[0]["metadata"].get("finalizers")

    virtual.run(main())


def test_orphans_are_let_go_and_adopted_again() -> None:
    async def main() -> None:
        w = World(JobController)
        w.api.put("jobs", job(parallelism=1, completions=1))
        async with w.running():
            await w.settle()
            name = w.pods()[0]["metadata"]["name"]
            w.api.edit("pods", name, lambda p: p["metadata"].pop("ownerReferences"))
            await w.settle()
            adopted = next(p for p in w.pods() if p["metadata"]["name"] == name)["metadata"]
            assert adopted["ownerReferences"][0]["uid"] == "work-uid" and adopted["finalizers"]
            w.api.edit("pods", name, lambda p: p["metadata"].update(labels={}))
            await w.settle()
            released = next(p for p in w.pods() if p["metadata"]["name"] == name)["metadata"]
            assert "ownerReferences" not in released and not released.get("finalizers")

    virtual.run(main())
