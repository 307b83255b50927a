"""Follows finished Jobs.

source  Kubernetes documentation "Automatic Cleanup for Finished Jobs"
"""

from __future__ import annotations

import msgspec
import orjson

from cybernetes.base.clock import parse_rfc3339
from cybernetes.client.api import if_there
from cybernetes.client.target import JOBS
from cybernetes.controllers.job.objects import Job, finished
from cybernetes.controllers.loop import Edges, work

_decode = msgspec.json.Decoder(Job).decode


class TtlAfterFinishedController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._queue = edges.queue()
        edges.informers.jobs.on_change(self._on_job)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("ttl-after-finished", self._queue, self.sync)

    def _on_job(self, key: str, old: Job | None, new: Job | None) -> None:
        if new is not None and expires(new) is not None:
            self._queue.add(key)

    async def sync(self, key: str) -> float | None:
        job = self._edges.informers.jobs.items.get(key)
        if job is None or job.metadata.deletion_timestamp:
            return None
        left_s = self._left_s(job)
        if left_s is None or left_s > 0:
            return left_s
        metadata = job.metadata
        with if_there():
            live = _decode(
                orjson.dumps(await self._edges.client.get(JOBS, metadata.name, namespace=metadata.namespace))
            )
            left_s = self._left_s(live)
            if live.metadata.uid != metadata.uid or left_s is None or left_s > 0:
                return left_s
            await self._edges.client.delete(
                JOBS,
                metadata.name,
                namespace=metadata.namespace,
                uid=metadata.uid,
                resource_version=live.metadata.resource_version,
                propagation="Foreground",
            )
        return None

    def _left_s(self, job: Job) -> float | None:
        at = expires(job)
        return None if at is None else at - self._edges.clock.now()


def expires(job: Job) -> float | None:
    """When the Job may go; None when it has not finished or has no limit."""
    end = finished(job.status.conditions)
    if end is None or job.spec.ttl_seconds_after_finished is None or not end.last_transition_time:
        return None
    return parse_rfc3339(end.last_transition_time) + job.spec.ttl_seconds_after_finished
