"""Follows CronJobs and their Jobs, and time."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from email.utils import format_datetime
from typing import Any

import msgspec

from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.client.api import is_reason
from cybernetes.client.informer import key_of
from cybernetes.client.target import CRON_JOBS, JOBS
from cybernetes.controllers import pods
from cybernetes.controllers.cronjob import plan as planning
from cybernetes.controllers.cronjob.plan import CronJob, CronJobStatus, Reference
from cybernetes.controllers.informers import controller_of, decoder
from cybernetes.controllers.job.objects import Job
from cybernetes.controllers.loop import Edges, reference, work, write_status
from cybernetes.controllers.objects import Meta, raw
from cybernetes.controllers.pod_writes import namespace_is_going
from cybernetes.model import cron


class CronJobController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._cron_jobs = edges.informers.make(CRON_JOBS, decoder(CronJob))
        self._jobs = edges.informers.jobs.index(controller_of)
        self._queue = edges.queue()
        self._cron_jobs.on_change(lambda key, old, new: self._queue.add(key))
        edges.informers.jobs.on_change(self._on_job)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("cronjobs", self._queue, self.sync)

    def _on_job(self, key: str, old: Job | None, new: Job | None) -> None:
        for job in (old, new):
            owner = job.metadata.controller if job else None
            if job is not None and owner is not None and owner.kind == CRON_JOBS.kind:
                self._queue.add(key_of(job.metadata.namespace, owner.name))

    async def sync(self, key: str) -> float | None:
        cron_job = self._cron_jobs.items.get(key)
        if cron_job is None:
            return None
        jobs = await self._jobs_of(cron_job)
        review = planning.review(cron_job, jobs)
        for each in review.said:
            self._say(cron_job, each)
        for job in review.delete:
            await self._delete(cron_job, job)
        if review.status != cron_job.status:
            await self._write(cron_job, review.status)
            # What is decided next must rest on the status as it is now.
            return None
        if cron_job.metadata.deletion_timestamp or cron_job.spec.suspend:
            return None
        return await self._start_due(cron_job, jobs)

    async def _jobs_of(self, cron_job: CronJob) -> list[Job]:
        """Also active ones that are not known here yet: news of a CronJob may overtake those of its Jobs.

        Were they taken for missing, a policy of one at a time would let a second one start.
        """
        found = list(self._jobs.get(cron_job.metadata.uid))
        known = {job.metadata.uid for job in found}
        for each in cron_job.status.active:
            if each.uid in known:
                continue
            try:
                live = await self._edges.client.get(JOBS, each.name, namespace=cron_job.metadata.namespace)
            except ApiError as error:
                if not is_reason(error, "NotFound"):
                    raise
                continue
            if live["metadata"]["uid"] == each.uid:
                found.append(msgspec.json.decode(msgspec.json.encode(live), type=Job))
        return found

    async def _start_due(self, cron_job: CronJob, jobs: Sequence[Job]) -> float | None:
        spec = cron_job.spec
        try:
            zone = planning.zone_of(cron_job)
        except (ValueError, KeyError, OSError) as unknown:
            message = f'invalid timeZone: "{spec.time_zone}": {unknown}'
            self._say(cron_job, planning.Said("Warning", "UnknownTimeZone", message))
            return None
        try:
            schedule = cron.parse(spec.schedule)
        except ValueError as broken:
            message = f'unparseable schedule: "{spec.schedule}" : {broken}'
            self._say(cron_job, planning.Said("Warning", "UnparseableSchedule", message))
            return None
        now = self._edges.clock.now()
        due = planning.due(cron_job, schedule, zone, now)
        if due.too_many:
            message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self._say(cron_job, planning.Said("Warning", "TooManyMissedTimes", message))
        if due.at is None or rfc3339(due.at.timestamp()) == cron_job.status.last_schedule_time:
            return due.next_in_s
        if planning.is_too_late(cron_job, due.at, now):
            message = f"Missed scheduled time to start a job: {format_datetime(due.at)}"
            self._say(cron_job, planning.Said("Warning", "MissSchedule", message))
            return due.next_in_s
        if spec.concurrency_policy == "Forbid" and cron_job.status.active:
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._say(cron_job, planning.Said("Normal", "JobAlreadyActive", message))
            return due.next_in_s
        await self._start(cron_job, jobs, due.at)
        return due.next_in_s

    async def _start(self, cron_job: CronJob, jobs: Sequence[Job], at: datetime.datetime) -> None:
        active = cron_job.status.active
        if cron_job.spec.concurrency_policy == "Replace" and active:
            running = [job for job in jobs if _is_in(job, active)]
            for job in running:
                await self._delete(cron_job, job)
            active = ()
        made = await self._create(cron_job, at)
        if made is None:
            return
        new = planning.reference(msgspec.convert(made["metadata"], Meta))
        kept = tuple(each for each in active if each.uid != new.uid)
        status = msgspec.structs.replace(
            cron_job.status, active=(*kept, new), last_schedule_time=rfc3339(at.timestamp())
        )
        await self._write(cron_job, status)

    async def _create(self, cron_job: CronJob, at: datetime.datetime) -> dict[str, Any] | None:
        """The Job of this time; the one that an earlier try made, when there is one."""
        body = _body(cron_job, at)
        name, namespace = body["metadata"]["name"], cron_job.metadata.namespace
        try:
            made = await self._edges.client.create(JOBS, body, namespace=namespace)
        except (ApiError, EdgeError) as error:
            if namespace_is_going(error):
                return None
            if not is_reason(error, "AlreadyExists"):
                self._say(cron_job, planning.Said("Warning", "FailedCreate", f"Error creating job: {error}"))
                raise
            made = await self._edges.client.get(JOBS, name, namespace=namespace)
            owners = made["metadata"].get("ownerReferences") or []
            if not any(each["uid"] == cron_job.metadata.uid for each in owners):
                self._say(cron_job, planning.Said("Warning", "FailedCreate", f"Error creating job: {error}"))
                raise
            return made
        self._say(cron_job, planning.Said("Normal", "SuccessfulCreate", f"Created job {name}"))
        return made

    async def _delete(self, cron_job: CronJob, job: Job) -> None:
        metadata = job.metadata
        try:
            await self._edges.client.delete(
                JOBS, metadata.name, namespace=metadata.namespace, uid=metadata.uid, propagation="Background"
            )
        except ApiError as error:
            if is_reason(error, "NotFound"):
                return
            self._say(cron_job, planning.Said("Warning", "FailedDelete", f"Deleted job: {error}"))
            raise
        self._say(cron_job, planning.Said("Normal", "SuccessfulDelete", f"Deleted job {metadata.name}"))

    async def _write(self, cron_job: CronJob, status: CronJobStatus) -> None:
        await write_status(self._edges.client, CRON_JOBS, cron_job.metadata, msgspec.to_builtins(status))

    def _say(self, cron_job: CronJob, said: planning.Said) -> None:
        recorder = self._edges.recorder
        say = recorder.normal if said.type == "Normal" else recorder.warning
        say(reference(CRON_JOBS, cron_job.metadata), said.reason, said.message)


def _is_in(job: Job, active: tuple[Reference, ...]) -> bool:
    return any(each.uid == job.metadata.uid for each in active)


def _body(cron_job: CronJob, at: datetime.datetime) -> dict[str, Any]:
    template = raw(cron_job.spec.job_template)
    metadata = template.get("metadata") or {}
    stamp = at.isoformat().replace("+00:00", "Z")
    return {
        "metadata": {
            "name": planning.job_name(cron_job, at),
            "namespace": cron_job.metadata.namespace,
            "labels": metadata.get("labels") or {},
            "annotations": {**(metadata.get("annotations") or {}), planning.SCHEDULED: stamp},
            "ownerReferences": [pods.owner_reference(CRON_JOBS, cron_job.metadata)],
        },
        "spec": template.get("spec") or {},
    }
