"""Has an APIService for each version that definitions of custom resources serve, as there is one of each built-in one.

source  Kubernetes documentation "Custom Resources"; "Kubernetes API Aggregation Layer"
"""

from __future__ import annotations

from typing import Any

from cybernetes.apiserver.aggregate.loop import API_SERVICES
from cybernetes.apiserver.aggregate.serve import GROUP, PLURAL
from cybernetes.apiserver.cache.lister import Lister
from cybernetes.apiserver.crd import publish
from cybernetes.apiserver.tending import tend
from cybernetes.base.clock import Clock
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.client.api import ApiClient, if_there
from cybernetes.client.queue import WorkQueue

log = Log("apiserver.registration")

Object = dict[str, Any]
# What bears this label is kept as it is; what does not is somebody's own, and left alone.
MANAGED, FOR_GOOD = "kube-aggregator.kubernetes.io/automanaged", "true"
# After all built-in groups; versions among each other by their names.
GROUP_PRIORITY, VERSION_PRIORITY = 1000, 100


class Registration:
    def __init__(self, client: ApiClient, lister: Lister, clock: Clock, random: Random) -> None:
        self._client = client
        self._lister = lister
        self._queue: WorkQueue[str] = WorkQueue(clock, random)
        # Name of an APIService -> names of the definitions that serve this version.
        self._serving: dict[str, set[str]] = {}

    async def run(self) -> None:
        self._lister.subscribe_specs(publish.GROUP, publish.PLURAL, self._definition_changed)
        self._lister.subscribe(GROUP, PLURAL, self._service_changed)
        await tend(self._queue, self._sync, log, "registration.failed")

    def _definition_changed(self, old: Object | None, new: Object | None) -> None:
        key = (new or old or {})["metadata"]["name"]
        for name in _served(old):
            self._serving[name].discard(key)
            self._queue.add(name)
        for name in _served(new):
            self._serving.setdefault(name, set()).add(key)
            self._queue.add(name)

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        self._queue.add((new or old or {})["metadata"]["name"])

    async def _sync(self, name: str) -> None:
        there = self._lister.get(GROUP, PLURAL, "", name)
        if there is not None and (there["metadata"].get("labels") or {}).get(MANAGED) != FOR_GOOD:
            return
        wanted = self._wanted(name)
        if wanted is None:
            if there is not None:
                with if_there():
                    await self._client.delete(API_SERVICES, name, uid=there["metadata"]["uid"])
        elif there is None:
            metadata = {"name": name, "labels": {MANAGED: FOR_GOOD}}
            await self._client.create(API_SERVICES, {"metadata": metadata, "spec": wanted})
        elif there["spec"] != wanted:
            await self._client.update(API_SERVICES, {**there, "spec": wanted})

    def _wanted(self, name: str) -> Object | None:
        """The spec of this APIService; None where no definition serves such a version."""
        if not self._serving.get(name):
            return None
        version, _, group = name.partition(".")
        priorities = {"groupPriorityMinimum": GROUP_PRIORITY, "versionPriority": VERSION_PRIORITY}
        return {"group": group, "version": version, **priorities}


def _served(definition: Object | None) -> list[str]:
    """Names of APIServices."""
    spec = definition["spec"] if definition is not None else {}
    return [f"{each['name']}.{spec['group']}" for each in spec.get("versions", ()) if each["served"]]
