"""Workloads that only some seeds have, and what must hold for them at every step.

crowd   pods below the usual priority that fill the nodes, so that all others preempt; one in three has a budget of none
cron    jobs by the minute that take longer than a minute
"""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.client.target import CRON_JOBS, POD_DISRUPTION_BUDGETS, PODS, PRIORITY_CLASSES, Target
from cybernetes.sim.transcript import Transcript
from cybernetes.sim.truth import Change, Pod, Truth, body_of, pod_of

Object = dict[str, Any]

# A node has no room for anything else that asks for processors.
CROWD_CPU = "3800m"
CROWD_LABEL = "crowd"
GUARDED, LOOSE = "guarded", "loose"
# Runs for longer than it takes until the next one is due.
LONG_IMAGE = "long:1"
LONG_S = 90.0
POLICIES = ("Forbid", "Replace", "Allow")


def crowd(nodes: int, pod: Object) -> list[tuple[Target, Object]]:
    """What fills `nodes` nodes; pod: a plain one."""
    budget = {"maxUnavailable": 0, "selector": {"matchLabels": {CROWD_LABEL: GUARDED}}}
    made: list[tuple[Target, Object]] = [
        (PRIORITY_CLASSES, {"metadata": {"name": "idle"}, "value": -10}),
        (POD_DISRUPTION_BUDGETS, {"metadata": {"name": CROWD_LABEL}, "spec": budget}),
    ]
    for number in range(nodes):
        labels = {CROWD_LABEL: LOOSE if number else GUARDED}
        spec = {**pod["spec"], "priorityClassName": "idle"}
        made.append((PODS, {"metadata": {"name": f"crowd-{number}", "labels": labels}, "spec": spec}))
    return made


def cron_job(policy: str, pod: Object) -> tuple[Target, Object]:
    job = {"spec": {"template": {"spec": pod["spec"]}}}
    spec = {"schedule": "* * * * *", "concurrencyPolicy": policy, "jobTemplate": job}
    return CRON_JOBS, {"metadata": {"name": f"cron-{policy.lower()}"}, "spec": spec}


class _Owner(msgspec.Struct, frozen=True):
    kind: str
    uid: str
    name: str


class _JobMeta(msgspec.Struct, frozen=True, rename="camel"):
    uid: str
    namespace: str
    owner_references: list[_Owner] = []
    deletion_timestamp: str = ""


class _Condition(msgspec.Struct, frozen=True):
    type: str
    status: str


class _JobStatus(msgspec.Struct, frozen=True):
    conditions: list[_Condition] = []


class _Job(msgspec.Struct, frozen=True):
    metadata: _JobMeta
    status: _JobStatus = _JobStatus()

    @property
    def active(self) -> bool:
        ended = any(each.type in ("Complete", "Failed") and each.status == "True" for each in self.status.conditions)
        return not ended and not self.metadata.deletion_timestamp


class _CronSpec(msgspec.Struct, frozen=True, rename="camel"):
    concurrency_policy: str


class _CronJob(msgspec.Struct, frozen=True):
    spec: _CronSpec


_job = msgspec.json.Decoder(_Job)
_cron_job = msgspec.json.Decoder(_CronJob)


class WorkloadChecks:
    """calm: nothing has gone wrong in this run so far, and no node was closed."""

    def __init__(self, truth: Truth, transcript: Transcript) -> None:
        self.calm = True
        self._truth = truth
        self._transcript = transcript
        # CronJob's uid -> Jobs that are neither over nor going.
        self._active: dict[str, dict[str, None]] = {}
        truth.listeners.append(self._on_change)

    def _on_change(self, change: Change) -> None:
        if change.key.startswith("/core/pods/") and change.value is not None:
            self._on_pod(change.key, pod_of(change.value), pod_of(change.before) if change.before else None)
        elif change.key.startswith("/batch/jobs/"):
            self._on_job(change)
        elif (
            change.key.startswith("/core/nodes/")
            and change.value is not None
            and b'"unschedulable":true' in change.value
        ):
            self.calm = False

    # Preemption.

    def _on_pod(self, key: str, pod: Pod, before: Pod | None) -> None:
        if not pod.preempted or (before is not None and before.uid == pod.uid and before.preempted):
            return
        self._transcript.say(f"preempted {key}")
        if pod.spec.priority >= 0:
            self._transcript.broken(f"pod {key} is preempted, and nobody has a higher priority")
        if self.calm and pod.metadata.labels.get(CROWD_LABEL) == GUARDED:
            for other, (_, value) in self._truth.latest.items():
                if other.startswith("/core/pods/") and _could_go(pod_of(value), pod):
                    self._transcript.broken(f"pod {key} is preempted against its budget, and {other} is not")

    # CronJobs.

    def _on_job(self, change: Change) -> None:
        for value in (change.before, change.value):
            job = _job.decode(body_of(value)) if value is not None else None
            owner = (
                next((each for each in job.metadata.owner_references if each.kind == "CronJob"), None) if job else None
            )
            if job is None or owner is None:
                continue
            active = self._active.setdefault(owner.uid, {})
            if change.value is None or not job.active:
                active.pop(job.metadata.uid, None)
            elif value is change.value:
                active[job.metadata.uid] = None
                self._count(f"/batch/cronjobs/{job.metadata.namespace}/{owner.name}", len(active))

    def _count(self, key: str, active: int) -> None:
        found = self._truth.latest.get(key)
        if active > 1 and found is not None:
            policy = _cron_job.decode(body_of(found[1])).spec.concurrency_policy
            if policy != "Allow":
                self._transcript.broken(f"cron job {key} has {active} active jobs, its policy is {policy}")


def _could_go(pod: Pod, instead_of: Pod) -> bool:
    """Whether a pod without a budget was there to be preempted, on another node."""
    return (
        pod.metadata.labels.get(CROWD_LABEL) == LOOSE
        and not pod.metadata.deletion_timestamp
        and not pod.finished
        and pod.node not in ("", instead_of.node)
    )
