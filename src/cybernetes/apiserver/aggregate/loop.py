"""Asks other API servers whether they answer, says so in their APIServices, and keeps what they serve for discovery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from cybernetes.apiserver.aggregate import plan
from cybernetes.apiserver.aggregate.serve import GROUP, PLURAL, Aggregator, user_headers
from cybernetes.apiserver.cache.lister import Lister
from cybernetes.apiserver.cache.state import Event
from cybernetes.apiserver.discovery import RemoteVersion
from cybernetes.apiserver.tending import tend
from cybernetes.auth.user import MASTERS, User
from cybernetes.base.clock import Clock, rfc3339
from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.client.answer import whole_body
from cybernetes.client.api import ApiClient, PatchType
from cybernetes.client.queue import WorkQueue
from cybernetes.client.target import Target
from cybernetes.wire.http.message import Request

log = Log("apiserver.aggregate")

Object = dict[str, Any]
API_SERVICES = Target(GROUP, "v1", "apiservices", "APIService", namespaced=False)
# How soon it is noticed that a server answers, or does so no more, while its Service and endpoints stay what they are.
EVERY_S = 5.0
# After how long a server that has endpoints and gave no answer is asked once more; then after twice as long each time.
SOON_S = 0.05
_FAILING = "FailedDiscoveryCheck"
_ASKING = User("system:kube-aggregator", groups=(MASTERS,))


class Availability:
    """changed: called when discovery documents must be built anew."""

    def __init__(
        self,
        aggregator: Aggregator,
        client: ApiClient,
        lister: Lister,
        clock: Clock,
        random: Random,
        changed: Callable[[], None],
    ) -> None:
        self._aggregator = aggregator
        self._client = client
        self._lister = lister
        self._clock = clock
        self._changed = changed
        self._queue: WorkQueue[str] = WorkQueue(clock, random, wait_limit_s=EVERY_S)
        self._versions: dict[str, RemoteVersion] = {}
        self._failed: dict[str, int] = {}

    def versions(self) -> list[RemoteVersion]:
        return list(self._versions.values())

    async def run(self) -> None:
        """Ask each server when its APIService, its Service or its endpoints change, and every few seconds."""
        self._lister.subscribe_specs(GROUP, PLURAL, self._spec_changed)
        self._lister.follow("", "services", self._service_changed)
        self._lister.follow("discovery.k8s.io", "endpointslices", self._slice_changed)
        await tend(self._queue, self._sync, log, "aggregate.status_failed")

    def _spec_changed(self, old: Object | None, new: Object | None) -> None:
        self._queue.add((new or old or {})["metadata"]["name"])

    def _service_changed(self, event: Event) -> None:
        self._ask_at(event.place)

    def _slice_changed(self, event: Event) -> None:
        for item in (event.before, event.after):
            if item is not None:
                self._ask_at(f"{item.namespace}/{item.labels.get(plan.SERVICE_NAME, '')}")

    def _ask_at(self, service: str) -> None:
        """Ask again whatever is behind this Service, as NAMESPACE/NAME."""
        for each in self._aggregator.remote():
            wanted = plan.service_of(each)
            if wanted is not None and f"{wanted[0]}/{wanted[1]}" == service:
                self._failed.pop(each["metadata"]["name"], None)
                self._queue.add(each["metadata"]["name"])

    async def _sync(self, name: str) -> None:
        before = self._versions.get(name)
        api_service = next((each for each in self._aggregator.remote() if each["metadata"]["name"] == name), None)
        if api_service is None:
            self._versions.pop(name, None)
            self._failed.pop(name, None)
        else:
            reason = await self._check_one(name, api_service)
            self._queue.add_after(name, self._pause_s(name, reason))
        if self._versions.get(name) != before:
            self._changed()

    def _pause_s(self, name: str, reason: str) -> float:
        if reason != _FAILING:
            self._failed.pop(name, None)
            return EVERY_S
        times = self._failed[name] = self._failed.get(name, 0) + 1
        return min(EVERY_S, SOON_S * 2.0 ** min(times, 30))

    async def _check_one(self, name: str, api_service: Object) -> str:
        """The reason of the condition that is true now."""
        status, reason, message, resources = await self._probe(api_service)
        spec = api_service["spec"]
        former = self._versions.get(name)
        available = status == "True"
        self._versions[name] = RemoteVersion(
            spec.get("group", ""),
            spec.get("version", ""),
            tuple(resources) if available else former.resources if former is not None else (),
            available,
            spec.get("groupPriorityMinimum", 0),
            spec.get("versionPriority", 0),
        )
        old = api_service.get("status", {}).get("conditions") or []
        wanted = plan.condition(status, reason, message, rfc3339(self._clock.now()), old)
        if wanted is not None:
            body = {"status": {"conditions": plan.put(wanted, old)}}
            await self._client.patch(API_SERVICES, name, body, PatchType.MERGE, subresource="status")
        return reason

    async def _probe(self, api_service: Object) -> tuple[str, str, str, list[Object]]:
        """(status, reason, message, resources)."""
        found = self._aggregator.find(api_service)
        if isinstance(found, plan.Unavailable):
            return found.status, found.reason, found.message, []
        spec = api_service["spec"]
        path = f"/apis/{spec['group']}/{spec['version']}"
        url = "" if isinstance(found, plan.Local) else found.url
        failing = f"failing or missing response from {url}{path}"
        try:
            answer = await self._aggregator.send(found, Request("GET", path, {}, user_headers(_ASKING)))
        except EdgeError as broken:
            return "False", _FAILING, f"{failing}: {broken.message}", []
        if not 200 <= answer.status < 300:
            return "False", _FAILING, f"{failing}: bad status from {url}{path}: {answer.status}", []
        told = plan.LOCAL if isinstance(found, plan.Local) else plan.PASSED
        return *told, _resources(await whole_body(answer))


def _resources(body: Any) -> list[Object]:
    try:
        listing = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    return plan.discovered(listing) if isinstance(listing, dict) else []
