"""Which scheduled time is due, and what the Jobs of a CronJob tell.

source  Kubernetes documentation "CronJob"
"""

from __future__ import annotations

import datetime
import math
import zoneinfo
from collections.abc import Sequence

import msgspec

from cybernetes.base.clock import parse_rfc3339, rfc3339
from cybernetes.client.target import JOBS
from cybernetes.controllers.job.objects import Job, finished
from cybernetes.controllers.objects import EMPTY, Meta, View
from cybernetes.model.cron import Schedule

# On a Job, the time that it was made for.
SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
# More missed times than this are told to the user: the clock may be wrong.
MISSED_MAX = 100


class Reference(View, frozen=True, gc=False):
    name: str = ""
    uid: str = ""
    namespace: str = ""
    kind: str = ""
    api_version: str = ""
    resource_version: str = ""


class CronJobSpec(View, frozen=True, gc=False):
    schedule: str = ""
    time_zone: str | None = None
    starting_deadline_seconds: int | None = None
    concurrency_policy: str = "Allow"
    suspend: bool = False
    job_template: msgspec.Raw = EMPTY
    successful_jobs_history_limit: int = 3
    failed_jobs_history_limit: int = 1


class CronJobStatus(View, frozen=True, gc=False):
    active: tuple[Reference, ...] = ()
    last_schedule_time: str | None = None
    last_successful_time: str | None = None


class CronJob(View, frozen=True, gc=False):
    metadata: Meta
    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()


class Said(msgspec.Struct, frozen=True):
    """An Event to be told."""

    type: str
    reason: str
    message: str


class Review(msgspec.Struct):
    """What the Jobs tell: the new status, Events, and Jobs that the history limits leave no room for."""

    status: CronJobStatus
    said: list[Said] = []
    delete: list[Job] = []


def review(cron_job: CronJob, jobs: Sequence[Job]) -> Review:
    cron_job = recovered(cron_job, jobs)
    by_uid = {job.metadata.uid: job for job in jobs}
    found = Review(cron_job.status)
    active = []
    for each in cron_job.status.active:
        job = by_uid.get(each.uid)
        if job is None:
            found.said.append(Said("Normal", "MissingJob", f"Active job went missing: {each.name}"))
            continue
        end = finished(job.status.conditions)
        if end is None:
            active.append(each)
        else:
            message = f"Saw completed job: {each.name}, condition: {end.type}"
            found.said.append(Said("Normal", "SawCompletedJob", message))
    known = {each.uid for each in cron_job.status.active}
    for job in jobs:
        if job.metadata.uid not in known and finished(job.status.conditions) is None:
            message = f"Saw a job that the controller did not create or forgot: {job.metadata.name}"
            found.said.append(Said("Warning", "UnexpectedJob", message))
    found.status = msgspec.structs.replace(
        cron_job.status, active=tuple(active), last_successful_time=_last_success(cron_job, jobs)
    )
    found.delete = _history(cron_job, jobs)
    return found


def recovered(cron_job: CronJob, jobs: Sequence[Job]) -> CronJob:
    """With those Jobs active that were made for times after the last one that the status knows.

    Who made them ended before it could write so. Without them, a policy of one at a time would let a second one start.
    """
    known_s = parse_rfc3339(cron_job.status.last_schedule_time) if cron_job.status.last_schedule_time else 0
    made = sorted((at_s, job.metadata.name, job) for job in jobs if (at_s := _scheduled_s(job)) > known_s)
    if not made:
        return cron_job
    active = (*cron_job.status.active, *(reference(job.metadata) for _, _, job in made))
    status = msgspec.structs.replace(cron_job.status, active=active, last_schedule_time=rfc3339(made[-1][0]))
    return msgspec.structs.replace(cron_job, status=status)


def _scheduled_s(job: Job) -> int:
    """In whole seconds, as the status has them; 0 for a Job that no schedule made."""
    stamp = job.metadata.annotations.get(SCHEDULED)
    try:
        return math.floor(parse_rfc3339(stamp)) if stamp else 0
    except ValueError:
        return 0


def reference(job: Meta) -> Reference:
    return Reference(
        kind=JOBS.kind,
        namespace=job.namespace,
        name=job.name,
        uid=job.uid,
        api_version=JOBS.api_version,
        resource_version=job.resource_version,
    )


def _last_success(cron_job: CronJob, jobs: Sequence[Job]) -> str | None:
    times = [cron_job.status.last_successful_time]
    for job in jobs:
        end = finished(job.status.conditions)
        if end is not None and end.type == "Complete":
            times.append(job.status.completion_time)
    return max((each for each in times if each), default=None)


def _history(cron_job: CronJob, jobs: Sequence[Job]) -> list[Job]:
    doomed = []
    for kind, limit in (
        ("Complete", cron_job.spec.successful_jobs_history_limit),
        ("Failed", cron_job.spec.failed_jobs_history_limit),
    ):
        ended = [job for job in jobs if (end := finished(job.status.conditions)) and end.type == kind]
        ended.sort(key=lambda job: (job.status.start_time or "", job.metadata.name))
        doomed += ended[: max(0, len(ended) - limit)]
    return doomed


class Due(msgspec.Struct, frozen=True):
    """at: the latest scheduled time that has come, None for none yet. next_in_s: until the one after."""

    at: datetime.datetime | None
    next_in_s: float | None
    too_many: bool = False


def zone_of(cron_job: CronJob) -> datetime.tzinfo:
    """Raises ValueError, KeyError for a name that is no time zone."""
    name = cron_job.spec.time_zone
    return zoneinfo.ZoneInfo(name) if name else datetime.UTC


def due(cron_job: CronJob, schedule: Schedule, zone: datetime.tzinfo, now: float) -> Due:
    last = cron_job.status.last_schedule_time
    since = parse_rfc3339(last or cron_job.metadata.creation_timestamp)
    deadline_s = cron_job.spec.starting_deadline_seconds
    if deadline_s is not None:
        since = max(since, now - deadline_s)
    moment = datetime.datetime.fromtimestamp(now, zone)
    upcoming = schedule.next(moment)
    # A tenth of a second later, so that the clock has surely passed it.
    next_in_s = max(0.0, upcoming.timestamp() - now) + 0.1 if upcoming else None
    latest, missed = _latest(schedule, datetime.datetime.fromtimestamp(since, zone), moment)
    return Due(latest, next_in_s, missed > MISSED_MAX)


def _latest(
    schedule: Schedule, since: datetime.datetime, now: datetime.datetime
) -> tuple[datetime.datetime | None, int]:
    """(the latest scheduled time in (since, now], about how many there were)."""
    first = schedule.next(since)
    if first is None or first > now:
        return None, 0
    second = schedule.next(first)
    if second is None or second > now:
        return first, 1
    # Leap over most of a long absence by the distance of the first two; then step.
    distance_s = max(1.0, (second - first).total_seconds())
    missed = int((now - first).total_seconds() / distance_s) + 1
    moment = schedule.next(first + datetime.timedelta(seconds=max(0, missed - 2) * distance_s))
    latest = second
    while moment is not None and moment <= now:
        latest = moment
        moment = schedule.next(moment)
    return latest, missed


def is_too_late(cron_job: CronJob, at: datetime.datetime, now: float) -> bool:
    deadline_s = cron_job.spec.starting_deadline_seconds
    return deadline_s is not None and at.timestamp() + deadline_s < now


def job_name(cron_job: CronJob, at: datetime.datetime) -> str:
    return f"{cron_job.metadata.name}-{int(at.timestamp()) // 60}"
