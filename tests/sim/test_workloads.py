"""What the checks of preemption and of jobs by the minute notice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from cybernetes.sim.loop import VirtualLoop
from cybernetes.sim.transcript import Transcript
from cybernetes.sim.truth import Truth
from cybernetes.sim.workloads import GUARDED, LOOSE, WorkloadChecks


class Told:
    """Checks, and a truth that tests write."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.transcript = Transcript(loop)
        self.truth = Truth()
        self.checks = WorkloadChecks(self.truth, self.transcript)

    @property
    def broken(self) -> list[str]:
        return [each.split(maxsplit=1)[1] for each in self.transcript.violations]

    def put(self, key: str, obj: dict[str, Any] | None) -> None:
        value = None if obj is None else b"v1 X\n" + orjson.dumps(obj)
        self.truth.add(self.truth.revision + 1, key, value)

    def pod(self, name: str, node: str, crowd: str, *, priority: int = -10, preempted: bool = False) -> None:
        conditions = [{"type": "DisruptionTarget", "reason": "PreemptionByScheduler"}] if preempted else []
        self.put(
            f"/core/pods/shop/{name}",
            {
                "metadata": {"name": name, "uid": name, "labels": {"crowd": crowd}},
                "spec": {"nodeName": node, "priority": priority},
                "status": {"phase": "Running", "conditions": conditions},
            },
        )

    def cron_job(self, policy: str) -> None:
        self.put("/batch/cronjobs/shop/nightly", {"spec": {"concurrencyPolicy": policy}})

    def job(self, name: str, ended: str = "", **metadata: Any) -> None:
        owner = {"kind": "CronJob", "name": "nightly", "uid": "c"}
        conditions = [{"type": ended, "status": "True"}] if ended else []
        meta = {"uid": name, "namespace": "shop", "ownerReferences": [owner], **metadata}
        self.put(f"/batch/jobs/shop/{name}", {"metadata": meta, "status": {"conditions": conditions}})


@pytest.fixture
def told() -> Iterator[Told]:
    loop = VirtualLoop()
    try:
        yield Told(loop)
    finally:
        loop.close()


def test_whoever_has_the_highest_priority_is_not_preempted(told: Told) -> None:
    told.pod("low", "node-1", LOOSE)
    told.pod("low", "node-1", LOOSE, preempted=True)
    assert told.broken == []
    told.pod("usual", "node-1", "", priority=0)
    told.pod("usual", "node-1", "", priority=0, preempted=True)
    assert told.broken == ["pod /core/pods/shop/usual is preempted, and nobody has a higher priority"]


def test_a_budget_is_kept_while_another_pod_can_go(told: Told) -> None:
    told.pod("guarded", "node-1", GUARDED)
    told.pod("loose", "node-2", LOOSE)
    told.pod("guarded", "node-1", GUARDED, preempted=True)
    assert told.broken == [
        "pod /core/pods/shop/guarded is preempted against its budget, and /core/pods/shop/loose is not"
    ]


@pytest.mark.parametrize("event", ["alone", "fault", "cordon"])
def test_a_budget_gives_way_when_nothing_else_is_known_to_help(told: Told, event: str) -> None:
    told.pod("guarded", "node-1", GUARDED)
    told.pod("loose", "node-1" if event == "alone" else "node-2", LOOSE)
    if event == "fault":
        told.checks.calm = False
    if event == "cordon":
        told.put("/core/nodes/node-2", {"metadata": {"name": "node-2"}, "spec": {"unschedulable": True}})
    told.pod("guarded", "node-1", GUARDED, preempted=True)
    assert told.broken == []


@pytest.mark.parametrize("policy", ["Forbid", "Replace"])
def test_one_job_at_a_time(told: Told, policy: str) -> None:
    told.cron_job(policy)
    told.job("one")
    told.job("one", ended="Complete")
    told.job("two")
    told.job("two", deletionTimestamp="2023-11-14T22:15:30Z")
    told.job("three")
    told.put("/batch/jobs/shop/three", None)
    told.job("four")
    assert told.broken == []
    told.job("five")
    assert told.broken == [f"cron job /batch/cronjobs/shop/nightly has 2 active jobs, its policy is {policy}"]


def test_jobs_of_a_policy_that_allows_it_overlap(told: Told) -> None:
    told.cron_job("Allow")
    told.job("one")
    told.job("two")
    assert told.broken == []
