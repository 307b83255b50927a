"""Follows Jobs and their pods, and carries decisions out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from cybernetes.base.errors import ApiError
from cybernetes.client.api import PatchType
from cybernetes.client.expectations import Expectations
from cybernetes.client.target import JOBS, PODS
from cybernetes.controllers import adoption, pods, selecting
from cybernetes.controllers.job import plan as planning
from cybernetes.controllers.job.objects import INDEX, INDEX_FAILURES, MANAGER, TRACKING, Job, finished
from cybernetes.controllers.loop import Edges, reference, work, write_status
from cybernetes.controllers.objects import Pod
from cybernetes.controllers.pod_owners import PodOwners
from cybernetes.controllers.pod_writes import Owner, PodWriter


class JobController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        informers = edges.informers
        self._jobs = informers.jobs
        self._pods = informers.pods_by_controller
        self._expected = Expectations(edges.clock)
        self._writer = PodWriter(edges, self._expected)
        self._queue = edges.queue()
        self._orphans = edges.queue()
        self._backoffs: dict[str, planning.Backoff] = {}
        self._jobs.on_change(self._on_job)
        self._owners = PodOwners(JOBS, self._jobs, self._queue, self._expected)
        informers.pods.on_change(self._owners.on_pod)
        informers.pods.on_change(self._on_orphan)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        async with asyncio.TaskGroup() as group:
            group.create_task(work("jobs", self._queue, self.sync), name="jobs.work")
            group.create_task(work("jobs.orphans", self._orphans, self.sync_orphan, workers=1), name="jobs.orphans")

    def _on_job(self, key: str, old: Job | None, new: Job | None) -> None:
        if new is None or (old is not None and old.metadata.uid != new.metadata.uid):
            self._expected.forget(key)
            self._backoffs.pop(key, None)
        self._queue.add(key)

    def _on_orphan(self, key: str, old: Pod | None, new: Pod | None) -> None:
        if new is not None and new.metadata.controller is None and TRACKING in new.metadata.finalizers:
            self._orphans.add(key)

    async def sync_orphan(self, key: str) -> float | None:
        """A pod that no Job will count must not be held by our finalizer."""
        pod = self._edges.informers.pods.items.get(key)
        if pod is not None and self._is_orphan(pod):
            await self._drop_finalizers([pod])
        return None

    async def sync(self, key: str) -> float | None:
        job = self._jobs.items.get(key)
        if job is None:
            await self._let_go(key)
            return None
        if job.spec.managed_by not in (None, MANAGER):
            return None
        owned = await self._claim(job)
        if finished(job.status.conditions) is not None:
            await self._drop_finalizers(owned)
            return None
        if unseen_s := self._expected.wait_s(key):
            return unseen_s
        now = self._edges.clock.now()
        decision = planning.plan(job, owned, self._backoffs.get(key, planning.Backoff()), now)
        if decision.status != job.status:
            await write_status(self._edges.client, JOBS, job.metadata, _json(decision))
        self._backoffs[key] = decision.backoff
        self._tell(job, decision)
        await self._drop_finalizers([*decision.drop_finalizers, *decision.strip])
        await self._apply(job, decision)
        return decision.again_s

    async def _let_go(self, key: str) -> None:
        """The Job is gone: its pods need not wait to be counted, nor those that it would have adopted."""
        around = self._edges.informers.pods_by_namespace.get(key.partition("/")[0])
        held = [pod for pod in around if TRACKING in pod.metadata.finalizers]
        await self._drop_finalizers([pod for pod in held if self._owners.owner(pod) == key or self._is_orphan(pod)])

    def _is_orphan(self, pod: Pod) -> bool:
        return pod.metadata.controller is None and not self._owners.selecting(pod)

    async def _claim(self, job: Job) -> list[Pod]:
        metadata = job.metadata
        selector = job.spec.selector
        orphans = [] if selector.empty else selecting.orphans(self._edges.informers, metadata.namespace, selector)
        claims = adoption.plan(metadata, selector, self._pods.get(metadata.uid), orphans)
        return await adoption.claim(self._edges.client, JOBS, metadata, PODS, claims, finalizers=[TRACKING])

    async def _drop_finalizers(self, held: Sequence[Pod]) -> None:
        for pod in held:
            if TRACKING not in pod.metadata.finalizers:
                continue
            # Finalizers are a set to the strategic merge; one of others stays.
            patch = {"metadata": {"uid": pod.metadata.uid, "$deleteFromPrimitiveList/finalizers": [TRACKING]}}
            try:
                await self._edges.client.patch(
                    PODS, pod.metadata.name, patch, PatchType.STRATEGIC, namespace=pod.metadata.namespace
                )
            except ApiError as error:
                if error.reason not in ("NotFound", "Conflict"):
                    raise

    async def _apply(self, job: Job, decision: planning.Decision) -> None:
        owner = Owner(JOBS, job.metadata)
        doomed = [*decision.delete, *decision.strip]
        error = await self._writer.delete(owner, doomed) if doomed else None
        if decision.create:
            bodies = [_body(job, index, failures) for index, failures in decision.create]
            error = await self._writer.create(owner, bodies) or error
        if error is not None:
            raise error

    def _tell(self, job: Job, decision: planning.Decision) -> None:
        about = reference(JOBS, job.metadata)
        for each in decision.told:
            say = self._edges.recorder.normal if each.type == "Normal" else self._edges.recorder.warning
            say(about, each.reason, each.message)


def _json(decision: planning.Decision) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(decision.status)
    found.setdefault("uncountedTerminatedPods", {})
    return found


def _body(job: Job, index: int | None, failures: int) -> dict[str, Any]:
    metadata = job.metadata
    owner = pods.owner_reference(JOBS, metadata)
    prefix = f"{metadata.name}-" if index is None else f"{metadata.name}-{index}-"
    pod = pods.pod_of(job.spec.template, owner, prefix)
    pod["metadata"]["finalizers"] = [*pod["metadata"].get("finalizers", []), TRACKING]
    if index is None:
        return pod
    number = {INDEX: str(index)}
    pod["metadata"]["labels"] = {**pod["metadata"].get("labels", {}), **number}
    pod["metadata"]["annotations"] = {**pod["metadata"].get("annotations", {}), **number}
    if job.spec.backoff_limit_per_index is not None:
        pod["metadata"]["annotations"][INDEX_FAILURES] = str(failures)
    spec = dict(pod["spec"])
    spec["hostname"] = f"{metadata.name}-{index}"
    for name in ("containers", "initContainers"):
        if spec.get(name):
            spec[name] = [_with_index(each) for each in spec[name]]
    pod["spec"] = spec
    return pod


def _with_index(container: dict[str, Any]) -> dict[str, Any]:
    env = container.get("env") or []
    if any(each["name"] == "JOB_COMPLETION_INDEX" for each in env):
        return container
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}
    return {**container, "env": [*env, {"name": "JOB_COMPLETION_INDEX", "valueFrom": source}]}
