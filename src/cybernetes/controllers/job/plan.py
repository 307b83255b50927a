"""What a Job does next: count, create, delete, end.

source  Kubernetes documentation "Jobs"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from cybernetes.base.clock import parse_rfc3339, rfc3339
from cybernetes.controllers import pods
from cybernetes.controllers.job import indexes, policy
from cybernetes.controllers.job.count import Count, count_pods, ended_at, failures_of, index_of
from cybernetes.controllers.job.objects import Job, JobStatus, Uncounted, finished
from cybernetes.controllers.objects import Condition, Pod

BURST_MAX = 500
FIRST_BACKOFF_S = 10.0
BACKOFF_LIMIT_S = 600.0


class Backoff(msgspec.Struct, frozen=True):
    """Failures since the last success, and when the last of them ended."""

    failures: int = 0
    last: float = 0.0

    def wait_s(self, now: float) -> float:
        if not self.failures:
            return 0.0
        delay_s = min(BACKOFF_LIMIT_S, FIRST_BACKOFF_S * 2 ** min(self.failures - 1, 10))
        return max(0.0, self.last + delay_s - now)


class Decision(msgspec.Struct):
    """In this order: write `status`, drop finalizers, delete, create.

    create   one entry a pod: (index, failures of that index so far); (None, 0) without indexes
    strip    pods to delete that must not count: their finalizer goes first
    """

    status: JobStatus
    backoff: Backoff
    drop_finalizers: list[Pod] = []
    delete: list[Pod] = []
    strip: list[Pod] = []
    create: list[tuple[int | None, int]] = []
    again_s: float | None = None
    told: list[Condition] = []


def plan(job: Job, owned: Sequence[Pod], before: Backoff, now: float) -> Decision:
    """For a Job that has not finished. `owned`: all its pods."""
    count = count_pods(job, owned)
    backoff = _next_backoff(before, count, now)
    active = [pod for pod in owned if pods.is_active(pod)]
    leaving = [pod for pod in owned if pod.metadata.deletion_timestamp and not pods.is_terminal(pod)]
    decision = Decision(job.status, backoff, drop_finalizers=count.drop)
    conditions, start = _suspension(job, decision, now)
    ending = _ending(job, count, active, start, now)
    if ending is not None:
        conditions = _put(conditions, ending, now)
        decision.delete = active
        settled = not (active or leaving or count.waiting_failed or count.waiting_succeeded or count.drop)
        if settled:
            conditions = _finish(conditions, ending, decision, now)
    elif job.spec.suspend:
        decision.strip = active
    elif not job.metadata.deletion_timestamp:
        _manage(job, count, active, leaving, owned, decision, now)
        decision.again_s = _soonest(decision.again_s, _deadline_in(job, start, now))
    decision.status = _status(job, count, active, leaving, conditions, start, now)
    return decision


def _next_backoff(before: Backoff, count: Count, now: float) -> Backoff:
    if count.new_succeeded and not count.new_failed:
        return Backoff()
    if not count.new_failed:
        return before
    ends = [ended_at(pod, now) for pod in count.new_failed]
    failures = 0 if count.new_succeeded else before.failures
    return Backoff(failures + len(ends), max(before.last, *ends))


def _suspension(job: Job, decision: Decision, now: float) -> tuple[tuple[Condition, ...], str | None]:
    """(conditions, start time) with what suspending or resuming changes."""
    conditions, start = job.status.conditions, job.status.start_time
    suspended = pods.condition(conditions, "Suspended")
    is_suspended = suspended is not None and suspended.status == "True"
    if job.spec.suspend:
        if not is_suspended:
            told = Condition(type="Suspended", status="True", reason="JobSuspended", message="Job suspended")
            conditions = _put(conditions, told, now)
            decision.told.append(Condition(type="Normal", reason="Suspended", message="Job suspended"))
        return conditions, None
    if is_suspended:
        told = Condition(type="Suspended", status="False", reason="JobResumed", message="Job resumed")
        conditions = _put(conditions, told, now)
        decision.told.append(Condition(type="Normal", reason="Resumed", message="Job resumed"))
        start = None
    return conditions, start or rfc3339(now)


def _ending(job: Job, count: Count, active: Sequence[Pod], start: str | None, now: float) -> Condition | None:
    """The condition FailureTarget or SuccessCriteriaMet, when the Job is to end."""
    for kind in ("FailureTarget", "SuccessCriteriaMet"):
        found = pods.condition(job.status.conditions, kind)
        if found is not None and found.status == "True":
            return found
    failure = _failure(job, count, active, start, now)
    if failure is not None:
        return Condition(type="FailureTarget", status="True", reason=failure[0], message=failure[1])
    success = _success(job, count, active)
    if success is not None:
        return Condition(type="SuccessCriteriaMet", status="True", reason=success[0], message=success[1])
    return None


def _failure(job: Job, count: Count, active: Sequence[Pod], start: str | None, now: float) -> tuple[str, str] | None:
    spec = job.spec
    if count.fail_job:
        return "PodFailurePolicy", count.fail_job
    if (count.all_failed > spec.backoff_limit and spec.backoff_limit_per_index is None) or _restarts_over(job, active):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    if (left_s := _deadline_in(job, start, now)) is not None and left_s <= 0:
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    if spec.backoff_limit_per_index is None:
        return None
    if spec.max_failed_indexes is not None and len(count.failed_indexes) > spec.max_failed_indexes:
        return "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"
    done = len(count.failed_indexes | count.completed)
    if count.failed_indexes and done >= (spec.completions or 0) and not active:
        return "FailedIndexes", "Job has failed indexes"
    return None


def _restarts_over(job: Job, active: Sequence[Pod]) -> bool:
    """With restartPolicy OnFailure the kubelet repeats, and its restarts count."""
    watched = [pod for pod in active if pod.spec.restart_policy == "OnFailure"]
    if not watched:
        return False
    restarts = sum(
        each.restart_count
        for pod in watched
        for each in (*pod.status.container_statuses, *pod.status.init_container_statuses)
    )
    return restarts > 0 if job.spec.backoff_limit == 0 else restarts >= job.spec.backoff_limit


def _success(job: Job, count: Count, active: Sequence[Pod]) -> tuple[str, str] | None:
    reached = "CompletionsReached", "Reached expected number of succeeded pods"
    if job.spec.indexed:
        completions = job.spec.completions or 0
        if message := policy.satisfied(job.spec.success_policy, count.completed, completions):
            return "SuccessPolicy", message
        return reached if len(count.completed) >= completions else None
    if job.spec.completions is None:
        return reached if count.all_succeeded and not active else None
    return reached if count.all_succeeded >= job.spec.completions else None


def _deadline_in(job: Job, start: str | None, now: float) -> float | None:
    if job.spec.active_deadline_seconds is None or start is None:
        return None
    return parse_rfc3339(start) + job.spec.active_deadline_seconds - now


def _finish(
    conditions: tuple[Condition, ...], ending: Condition, decision: Decision, now: float
) -> tuple[Condition, ...]:
    succeeded = ending.type == "SuccessCriteriaMet"
    final = Condition(
        type="Complete" if succeeded else "Failed", status="True", reason=ending.reason, message=ending.message
    )
    if succeeded:
        decision.told.append(Condition(type="Normal", reason="Completed", message="Job completed"))
    else:
        decision.told.append(Condition(type="Warning", reason=ending.reason, message=ending.message))
    return _put(conditions, final, now)


def _manage(
    job: Job,
    count: Count,
    active: Sequence[Pod],
    leaving: Sequence[Pod],
    owned: Sequence[Pod],
    decision: Decision,
    now: float,
) -> None:
    """Bring the number of active pods to what is wanted."""
    wanted = _wanted(job, count, len(active))
    surplus = len(active) - wanted
    if surplus > 0:
        decision.strip = sorted(active, key=_least_worth)[:surplus]
        return
    held = len(leaving) if job.spec.replaces_only_failed else 0
    missing = min(wanted - len(active) - held, BURST_MAX)
    if missing <= 0:
        return
    if not job.spec.indexed:
        wait_s = decision.backoff.wait_s(now)
        if wait_s > 0:
            decision.again_s = wait_s
            return
        decision.create = [(None, 0)] * missing
        return
    _create_indexed(job, count, active, leaving, owned, missing, decision, now)


def _wanted(job: Job, count: Count, active: int) -> int:
    spec = job.spec
    if spec.indexed:
        left = (spec.completions or 0) - len(count.completed | count.failed_indexes)
        return max(0, min(spec.parallelism, left))
    if spec.completions is None:
        # A work queue: once one has succeeded the others finish what is left.
        return min(active, spec.parallelism) if count.all_succeeded else spec.parallelism
    return max(0, min(spec.parallelism, spec.completions - count.all_succeeded))


def _least_worth(pod: Pod) -> tuple[bool, bool, bool, int, str]:
    index = index_of(pod)
    return (
        bool(pod.spec.node_name),
        pod.status.phase == "Running",
        pods.is_ready(pod),
        -(index or 0),
        # The younger goes first: it has done less.
        "".join(chr(0x10FFFF - ord(each)) for each in pod.metadata.creation_timestamp),
    )


def _create_indexed(
    job: Job,
    count: Count,
    active: Sequence[Pod],
    leaving: Sequence[Pod],
    owned: Sequence[Pod],
    missing: int,
    decision: Decision,
    now: float,
) -> None:
    taken = {index_of(pod) for pod in active} | count.completed | count.failed_indexes
    if job.spec.replaces_only_failed:
        taken |= {index_of(pod) for pod in leaving}
    per_index = job.spec.backoff_limit_per_index is not None
    latest = _latest_failures(owned) if per_index else {}
    common_wait_s = 0.0 if per_index else decision.backoff.wait_s(now)
    for index in range(job.spec.completions or 0):
        if len(decision.create) == missing:
            break
        if index in taken:
            continue
        failed = latest.get(index)
        failures = failures_of(failed) + 1 if failed else 0
        wait_s = Backoff(failures, ended_at(failed, now)).wait_s(now) if failed else common_wait_s
        if wait_s > 0:
            decision.again_s = _soonest(decision.again_s, wait_s)
        else:
            decision.create.append((index, failures))


def _latest_failures(owned: Sequence[Pod]) -> Mapping[int, Pod]:
    """The failed pod of each index that counts most failures."""
    found: dict[int, Pod] = {}
    for pod in owned:
        index = index_of(pod)
        if index is None or pod.status.phase != "Failed":
            continue
        if index not in found or failures_of(pod) > failures_of(found[index]):
            found[index] = pod
    return found


def _status(
    job: Job,
    count: Count,
    active: Sequence[Pod],
    leaving: Sequence[Pod],
    conditions: tuple[Condition, ...],
    start: str | None,
    now: float,
) -> JobStatus:
    ended = finished(conditions)
    per_index = job.spec.backoff_limit_per_index is not None
    return JobStatus(
        conditions=conditions,
        start_time=start,
        completion_time=rfc3339(now) if ended is not None and ended.type == "Complete" else None,
        active=len(active),
        succeeded=len(count.completed) if job.spec.indexed else count.succeeded,
        failed=count.failed,
        terminating=len(leaving),
        ready=sum(map(pods.is_ready, active)),
        completed_indexes=indexes.render(count.completed),
        failed_indexes=indexes.render(count.failed_indexes) if per_index else None,
        uncounted_terminated_pods=Uncounted(
            succeeded=tuple(count.waiting_succeeded), failed=tuple(count.waiting_failed)
        ),
    )


def _put(conditions: tuple[Condition, ...], told: Condition, now: float) -> tuple[Condition, ...]:
    before = pods.condition(conditions, told.type)
    if before is not None and (before.status, before.reason) == (told.status, told.reason):
        return conditions
    at = rfc3339(now)
    new = msgspec.structs.replace(told, last_probe_time=at, last_transition_time=at)
    return (*(each for each in conditions if each.type != told.type), new)


def _soonest(*waits: float | None) -> float | None:
    return min((each for each in waits if each is not None), default=None)
