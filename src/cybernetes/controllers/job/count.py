"""Which pods of a Job have ended, and which of these the status counts already.

source  Kubernetes documentation "Jobs", Job tracking with finalizers
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cybernetes.base.clock import parse_rfc3339
from cybernetes.base.number import whole
from cybernetes.controllers import pods
from cybernetes.controllers.job import indexes, policy
from cybernetes.controllers.job.objects import INDEX, INDEX_FAILURES, TRACKING, Job, Uncounted
from cybernetes.controllers.objects import Pod

# Uids that one status may hold; the rest is counted by the next sync.
UNCOUNTED_MAX = 500


class Count(msgspec.Struct):
    """How things stand: what earlier syncs counted, and what has ended since."""

    succeeded: int
    failed: int
    waiting_succeeded: list[str]
    waiting_failed: list[str]
    completed: set[int]
    failed_indexes: set[int]
    drop: list[Pod]
    new_failed: list[Pod]
    new_succeeded: int = 0
    fail_job: str = ""

    @property
    def all_succeeded(self) -> int:
        return self.succeeded + len(self.waiting_succeeded)

    @property
    def all_failed(self) -> int:
        return self.failed + len(self.waiting_failed)


def count_pods(job: Job, owned: Sequence[Pod]) -> Count:
    """Move uids whose finalizer is gone into the counters; note pods that ended since."""
    tracked = {pod.metadata.uid: pod for pod in owned if TRACKING in pod.metadata.finalizers}
    uncounted = job.status.uncounted_terminated_pods or Uncounted()
    completions = job.spec.completions or 0
    count = Count(
        succeeded=job.status.succeeded + sum(uid not in tracked for uid in uncounted.succeeded),
        failed=job.status.failed + sum(uid not in tracked for uid in uncounted.failed),
        waiting_succeeded=[uid for uid in uncounted.succeeded if uid in tracked],
        waiting_failed=[uid for uid in uncounted.failed if uid in tracked],
        completed=indexes.parse(job.status.completed_indexes, completions),
        failed_indexes=indexes.parse(job.status.failed_indexes or "", completions),
        drop=[],
        new_failed=[],
    )
    known = {*count.waiting_succeeded, *count.waiting_failed}
    count.drop = [tracked[uid] for uid in (*count.waiting_succeeded, *count.waiting_failed)]
    for uid, pod in tracked.items():
        if uid not in known and len(count.drop) < UNCOUNTED_MAX:
            _count_one(job, pod, count)
    return count


def _count_one(job: Job, pod: Pod, count: Count) -> None:
    if pod.status.phase == "Succeeded":
        count.drop.append(pod)
        count.new_succeeded += 1
        index = index_of(pod)
        if not job.spec.indexed:
            count.waiting_succeeded.append(pod.metadata.uid)
        elif index is not None and index < (job.spec.completions or 0):
            count.completed.add(index)
    elif _has_failed(job, pod):
        count.drop.append(pod)
        verdict = policy.judge(job.spec.pod_failure_policy, pod)
        if verdict.action == "Ignore":
            return
        count.waiting_failed.append(pod.metadata.uid)
        count.new_failed.append(pod)
        if verdict.action == "FailJob":
            count.fail_job = count.fail_job or verdict.message
        _count_index_failure(job, pod, verdict.action, count)


def _count_index_failure(job: Job, pod: Pod, action: str, count: Count) -> None:
    limit, index = job.spec.backoff_limit_per_index, index_of(pod)
    if limit is None or index is None:
        return
    if action == "FailIndex" or failures_of(pod) + 1 > limit:
        count.failed_indexes.add(index)


def _has_failed(job: Job, pod: Pod) -> bool:
    if pod.status.phase == "Failed":
        return True
    # A pod that is deleted may never reach a terminal phase: its node may be gone.
    return bool(pod.metadata.deletion_timestamp) and not job.spec.replaces_only_failed


def index_of(pod: Pod) -> int | None:
    return whole(pod.metadata.annotations.get(INDEX, ""))


def failures_of(pod: Pod) -> int:
    """How often this pod's index had failed before it."""
    return whole(pod.metadata.annotations.get(INDEX_FAILURES, "")) or 0


def ended_at(pod: Pod, now: float) -> float:
    """When a failed pod ended, by the best that is known: its containers, its readiness, its deletion, its creation."""
    statuses = (*pod.status.container_statuses, *pod.status.init_container_statuses)
    ends = [each.state.terminated.finished_at for each in statuses if each.state.terminated]
    known = [parse_rfc3339(each) for each in ends if each]
    if known:
        return max(known)
    ready = pods.condition(pod.status.conditions, "Ready")
    unready_since = ready.last_transition_time if ready and ready.status == "False" else None
    best = unready_since or pod.metadata.deletion_timestamp or pod.metadata.creation_timestamp
    return min(now, parse_rfc3339(best)) if best else now
