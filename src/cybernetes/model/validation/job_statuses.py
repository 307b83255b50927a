"""What the status of a Job may say, whoever manages the Job: how it ends, and what never goes back.

A rule about several fields is asked where one of them changes, so that a status that broke it before can be written.

source  Kubernetes, pkg/apis/batch/validation: JobStatus, JobStatusUpdate
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cybernetes.model.field import FieldError, Path, duplicate, invalid, invalid_unshown, required
from cybernetes.model.validation.job_policies import indexes_named
from cybernetes.model.validation.meta import IMMUTABLE, not_negative

Object = dict[str, Any]
_STATUS = Path("status")
_CONDITIONS = _STATUS.child("conditions")
_TERMINAL = ("Failed", "Complete", "FailureTarget")


def validate_job_status(job: Object, old: Object) -> list[FieldError]:
    return [*_counts(job), *_ends(job, old), *_indexes(job, old), *_criteria(job), *_never_back(job, old)]


def _of(job: Object) -> Object:
    return job.get("status") or {}


def _holds(job: Object, kind: str) -> bool:
    conditions = _of(job).get("conditions") or ()
    return any(each.get("type") == kind and each.get("status") == "True" for each in conditions)


def _finished(job: Object) -> bool:
    return _holds(job, "Complete") or _holds(job, "Failed")


def _changed(job: Object, old: Object, *fields: str) -> bool:
    return any(_of(job).get(name) != _of(old).get(name) for name in fields)


def _turned(job: Object, old: Object, *kinds: str) -> bool:
    return any(_holds(job, kind) != _holds(old, kind) for kind in kinds)


def _counts(job: Object) -> Iterator[FieldError]:
    status = _of(job)
    for name in ("active", "succeeded", "failed", "ready", "terminating"):
        yield from not_negative(status.get(name), _STATUS.child(name))
    seen: set[str] = set()
    for outcome in ("succeeded", "failed"):
        for i, uid in enumerate((status.get("uncountedTerminatedPods") or {}).get(outcome) or ()):
            at = _STATUS.child("uncountedTerminatedPods", outcome).index(i)
            if not uid:
                yield invalid(at, uid, "must not be empty")
            elif uid in seen:
                yield duplicate(at, uid)
            seen.add(uid)


def _ends(job: Object, old: Object) -> Iterator[FieldError]:
    status = _of(job)
    complete, start, completion = _holds(job, "Complete"), status.get("startTime"), status.get("completionTime")
    if complete and _turned(job, old, "Complete", "Failed") and _holds(job, "Failed"):
        yield invalid_unshown(_CONDITIONS, "cannot set Complete=True and Failed=true conditions")
    if complete and _turned(job, old, "Complete", "FailureTarget") and _holds(job, "FailureTarget"):
        yield invalid_unshown(_CONDITIONS, "cannot set Complete=True and FailureTarget=true conditions")
    if _turned(job, old, "Complete") or _changed(job, old, "completionTime"):
        at = _STATUS.child("completionTime")
        if completion and not complete:
            yield invalid(at, completion, "cannot set completionTime when there is no Complete=True condition")
        if complete and not completion:
            yield required(at, "completionTime is required for Complete jobs")
    if _changed(job, old, "startTime", "completionTime") and start and completion and completion < start:
        yield invalid(_STATUS.child("completionTime"), completion, "must be equal to or after `startTime`")
    if _turned(job, old, "Failed", "FailureTarget") and _holds(job, "Failed") and not _holds(job, "FailureTarget"):
        yield invalid_unshown(_CONDITIONS, "cannot set Failed=True condition without the FailureTarget=true condition")
    if _turned(job, old, "Complete", "SuccessCriteriaMet") and complete and not _holds(job, "SuccessCriteriaMet"):
        text = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"
        yield invalid_unshown(_CONDITIONS, text)
    yield from _nothing_left(job, old)


def _nothing_left(job: Object, old: Object) -> Iterator[FieldError]:
    """A finished job has no pods any more. One that is suspended has no start, either."""
    status, turned = _of(job), _finished(job) != _finished(old)
    if _finished(job):
        if (turned or _changed(job, old, "active")) and (status.get("active") or 0) > 0:
            yield invalid(_STATUS.child("active"), status["active"], "active>0 is invalid for finished job")
        if (turned or _changed(job, old, "startTime")) and not status.get("startTime") and not _suspended(job):
            yield required(_STATUS.child("startTime"), "startTime is required for finished job")
        uncounted = status.get("uncountedTerminatedPods") or {}
        if (turned or _changed(job, old, "uncountedTerminatedPods")) and any(uncounted.values()):
            shown = {"Succeeded": uncounted.get("succeeded"), "Failed": uncounted.get("failed")}
            yield invalid(_STATUS.child("uncountedTerminatedPods"), shown, "must be empty for finished job")
        if (turned or _changed(job, old, "terminating")) and (status.get("terminating") or 0) > 0:
            yield invalid(
                _STATUS.child("terminating"), status["terminating"], "terminating>0 is invalid for finished job"
            )
    ready = status.get("ready")
    if _changed(job, old, "ready", "active") and ready is not None and ready > (status.get("active") or 0):
        yield invalid(_STATUS.child("ready"), ready, "cannot set more ready pods than active")


def _suspended(job: Object) -> bool:
    return bool((job.get("spec") or {}).get("suspend"))


def _indexes(job: Object, old: Object) -> Iterator[FieldError]:
    spec, status = job.get("spec") or {}, _of(job)
    completed, failed = status.get("completedIndexes") or "", status.get("failedIndexes")
    at_completed, at_failed = _STATUS.child("completedIndexes"), _STATUS.child("failedIndexes")
    limit = spec.get("completions")
    done, wrong = indexes_named(completed, limit or 0)
    lost, wrong_failed = indexes_named(failed or "", limit or 0)
    if _changed(job, old, "completedIndexes"):
        if limit is not None and wrong:
            yield invalid(at_completed, completed, f"error parsing completedIndexes: {wrong}")
        if completed and spec.get("completionMode") != "Indexed":
            text = "cannot set non-empty completedIndexes when non-indexed completion mode"
            yield invalid(at_completed, completed, text)
    if _changed(job, old, "failedIndexes") and failed is not None:
        if spec.get("backoffLimitPerIndex") is None:
            text = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
            yield invalid(at_failed, failed, text)
        elif limit is not None and wrong_failed:
            yield invalid(at_failed, failed, f"error parsing failedIndexes: {wrong_failed}")
    if _changed(job, old, "completedIndexes", "failedIndexes") and (both := _first_of_both(done, lost)) is not None:
        yield invalid(at_failed, failed, f"failedIndexes and completedIndexes overlap at index: {both}")


def _first_of_both(some: list[range], others: list[range]) -> int | None:
    both = (max(one.start, other.start) for one in some for other in others if _overlap(one, other))
    return min(both, default=None)


def _overlap(one: range, other: range) -> bool:
    return max(one.start, other.start) < min(one.stop, other.stop)


def _criteria(job: Object) -> Iterator[FieldError]:
    met = _holds(job, "SuccessCriteriaMet")
    if met and _holds(job, "Failed"):
        yield invalid_unshown(_CONDITIONS, "cannot set SuccessCriteriaMet=True and Failed=true conditions")
    if met and _holds(job, "FailureTarget"):
        yield invalid_unshown(_CONDITIONS, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")
    if (job.get("spec") or {}).get("successPolicy") is not None and _holds(job, "Complete") and not met:
        text = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"
        yield invalid_unshown(_CONDITIONS, text)


def _never_back(job: Object, old: Object) -> Iterator[FieldError]:
    spec, status, before = job.get("spec") or {}, _of(job), _of(old)
    for kind in _TERMINAL:
        if _holds(old, kind) and not _holds(job, kind):
            yield invalid_unshown(_CONDITIONS, f"cannot disable the terminal {kind}=True condition")
    if (status.get("failed") or 0) < (before.get("failed") or 0):
        yield invalid(_STATUS.child("failed"), status.get("failed") or 0, "cannot decrease the failed counter")
    shrinks = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
    if not shrinks and (status.get("succeeded") or 0) < (before.get("succeeded") or 0):
        yield invalid(_STATUS.child("succeeded"), status.get("succeeded") or 0, "cannot decrease the succeeded counter")
    completion, start = status.get("completionTime"), status.get("startTime")
    if completion and before.get("completionTime") not in (None, completion):
        yield invalid(_STATUS.child("completionTime"), completion, IMMUTABLE)
    if before.get("startTime") not in (None, start) and not _suspended(job):
        yield invalid(_STATUS.child("startTime"), start, f"{IMMUTABLE} for unsuspended job once set")
    if _holds(old, "SuccessCriteriaMet") and not _holds(job, "SuccessCriteriaMet"):
        yield invalid_unshown(_CONDITIONS, "cannot disable the SuccessCriteriaMet=True condition")
    if _holds(old, "Complete") and not _holds(old, "SuccessCriteriaMet") and _holds(job, "SuccessCriteriaMet"):
        text = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        yield invalid_unshown(_CONDITIONS, text)
