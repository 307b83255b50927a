"""Asks other API servers whether they answer, says so in their APIServices, and keeps what they serve for discovery."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
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
# An index is small; who has none says so at once.
DOCUMENT_TIMEOUT_S = 5.0
_ASKING = User("system:kube-aggregator", groups=(MASTERS,))


class _Told(msgspec.Struct, frozen=True):
    """What a server says: the condition Available, what it serves, where its schemas are."""

    status: str
    reason: str
    message: str
    resources: Sequence[Object] = ()
    document: str = ""


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
        self._lister.subscribe(GROUP, PLURAL, self._judged_no_more)
        self._lister.follow("", "services", self._service_changed)
        self._lister.follow("discovery.k8s.io", "endpointslices", self._slice_changed)
        await tend(self._queue, self._sync, log, "aggregate.status_failed")

    def _spec_changed(self, old: Object | None, new: Object | None) -> None:
        self._queue.add((new or old or {})["metadata"]["name"])

    def _judged_no_more(self, old: Object | None, new: Object | None) -> None:
        """Somebody else wrote the status, and took the condition away."""
        if new is not None and not any(each["type"] == "Available" for each in plan.conditions(new)):
            self._queue.add(new["metadata"]["name"])

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
        told = await self._probe(api_service)
        spec = api_service["spec"]
        former = self._versions.get(name)
        available = told.status == "True"
        known = told if available or former is None else former
        self._versions[name] = RemoteVersion(
            spec.get("group", ""),
            spec.get("version", ""),
            known.resources,
            available,
            spec.get("groupPriorityMinimum", 0),
            spec.get("versionPriority", 0),
            known.document,
        )
        old = plan.conditions(api_service)
        wanted = plan.condition(told.status, told.reason, told.message, rfc3339(self._clock.now()), old)
        if wanted is not None:
            body = {"status": {"conditions": plan.put(wanted, old)}}
            await self._client.patch(API_SERVICES, name, body, PatchType.MERGE, subresource="status")
        return told.reason

    async def _probe(self, api_service: Object) -> _Told:
        found = self._aggregator.find(api_service)
        if isinstance(found, plan.Unavailable):
            return _Told(found.status, found.reason, found.message)
        spec = api_service["spec"]
        path = f"/apis/{spec['group']}/{spec['version']}"
        url = "" if isinstance(found, plan.Local) else found.url
        failing = f"failing or missing response from {url}{path}"
        try:
            answer = await self._aggregator.send(found, Request("GET", path, {}, user_headers(_ASKING)))
        except EdgeError as broken:
            return _Told("False", _FAILING, f"{failing}: {broken.message}")
        if not 200 <= answer.status < 300:
            return _Told("False", _FAILING, f"{failing}: bad status from {url}{path}: {answer.status}")
        resources = plan.discovered(await whole_body(answer))
        if isinstance(found, plan.Local):
            return _Told(*plan.LOCAL, resources)
        return _Told(*plan.PASSED, resources, await self._document(found, spec["group"], spec["version"]))

    async def _document(self, found: plan.Destination, group: str, version: str) -> str:
        """A server without documents is as good as others: what goes wrong here says nothing of its availability."""
        try:
            async with asyncio.timeout(DOCUMENT_TIMEOUT_S):
                asked = Request("GET", plan.OPENAPI, {}, user_headers(_ASKING))
                body = await whole_body(await self._aggregator.send(found, asked))
                return plan.document(orjson.loads(body), group, version)
        except (EdgeError, TimeoutError, orjson.JSONDecodeError) as failed:
            log.debug("aggregate.no_documents", group=group, version=version, why=str(failed))
            return ""
