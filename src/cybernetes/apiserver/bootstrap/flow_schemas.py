"""Tells each flow schema whether its priority level is there; as a client of the server it runs in."""

from __future__ import annotations

from typing import Any

from cybernetes.apiserver.bootstrap.dangling import dangling
from cybernetes.apiserver.cache.lister import Lister
from cybernetes.apiserver.tending import tend
from cybernetes.base.clock import Clock, rfc3339
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.client.api import ApiClient
from cybernetes.client.queue import WorkQueue
from cybernetes.client.target import Target
from cybernetes.model import fairness

Object = dict[str, Any]
GROUP, SCHEMAS, LEVELS = "flowcontrol.apiserver.k8s.io", "flowschemas", "prioritylevelconfigurations"
TARGET = Target(GROUP, "v1", SCHEMAS, "FlowSchema", namespaced=False)
RETRY_LIMIT_S = 30.0

log = Log("apiserver.flow_schemas")


class FlowSchemaLoop:
    """A condition only informs: requests are served as well before it is there."""

    def __init__(self, client: ApiClient, lister: Lister, clock: Clock, random: Random) -> None:
        self._client = client
        self._lister = lister
        self._clock = clock
        self._queue: WorkQueue[str] = WorkQueue(clock, random, wait_limit_s=RETRY_LIMIT_S)

    async def run(self) -> None:
        self._lister.subscribe_specs(GROUP, SCHEMAS, self._schema_changed)
        self._lister.subscribe_specs(GROUP, LEVELS, self._level_changed)
        await tend(self._queue, self._sync, log, "flow_schema.failed")

    def _schema_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            self._queue.add(new["metadata"]["name"])

    def _level_changed(self, old: Object | None, new: Object | None) -> None:
        """Only its coming and going matters, to the schemas that name it."""
        level = new if old is None else old if new is None else None
        if level is None:
            return
        for schema in self._lister.list(GROUP, SCHEMAS):
            if schema["spec"]["priorityLevelConfiguration"]["name"] == level["metadata"]["name"]:
                self._queue.add(schema["metadata"]["name"])

    async def _sync(self, name: str) -> None:
        schema = self._lister.get(GROUP, SCHEMAS, "", name)
        if schema is None:
            return
        level = schema["spec"]["priorityLevelConfiguration"]["name"]
        levels = {level} if self._lister.exists(GROUP, LEVELS, "", level) else set()
        condition = dangling(schema, levels, rfc3339(self._clock.now()))
        if condition is not None:
            obj = {"metadata": {"name": name}, "status": {"conditions": [condition]}}
            await self._client.apply(TARGET, obj, field_manager=fairness.CONSUMER, subresource="status")
