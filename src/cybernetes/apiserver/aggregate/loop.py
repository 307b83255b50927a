"""Asks other API servers whether they answer, says so in their APIServices, and keeps what they serve for discovery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from cybernetes.apiserver.aggregate import plan
from cybernetes.apiserver.aggregate.serve import GROUP, Aggregator, user_headers
from cybernetes.apiserver.discovery import RemoteVersion
from cybernetes.auth.user import MASTERS, User
from cybernetes.base.clock import Clock, rfc3339
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.client.answer import whole_body
from cybernetes.client.api import ApiClient, PatchType
from cybernetes.client.target import Target
from cybernetes.wire.http.message import Request

log = Log("apiserver.aggregate")

Object = dict[str, Any]
API_SERVICES = Target(GROUP, "v1", "apiservices", "APIService", namespaced=False)
# How soon a server that came or went is noticed.
EVERY_S = 5.0
_ASKING = User("system:kube-aggregator", groups=(MASTERS,))


class Availability:
    """changed: called when discovery documents must be built anew."""

    def __init__(self, aggregator: Aggregator, client: ApiClient, clock: Clock, changed: Callable[[], None]) -> None:
        self._aggregator = aggregator
        self._client = client
        self._clock = clock
        self._changed = changed
        self._versions: dict[str, RemoteVersion] = {}

    def versions(self) -> list[RemoteVersion]:
        return list(self._versions.values())

    async def run(self) -> None:
        while True:
            await self.check()
            await self._clock.sleep(EVERY_S)

    async def check(self) -> None:
        """One round over all other servers; what can't be written is tried again in the next round."""
        before = dict(self._versions)
        known = {each["metadata"]["name"]: each for each in self._aggregator.remote()}
        for name in set(self._versions) - set(known):
            del self._versions[name]
        for name, api_service in known.items():
            try:
                await self._check_one(name, api_service)
            except (ApiError, EdgeError) as failed:
                log.warning("aggregate.status_failed", service=name, why=str(failed))
        if self._versions != before:
            self._changed()

    async def _check_one(self, name: str, api_service: Object) -> None:
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
            others = [each for each in old if each["type"] != "Available"]
            body = {"status": {"conditions": [*others, wanted]}}
            await self._client.patch(API_SERVICES, name, body, PatchType.MERGE, subresource="status")

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
            return "False", "FailedDiscoveryCheck", f"{failing}: {broken.message}", []
        if not 200 <= answer.status < 300:
            return "False", "FailedDiscoveryCheck", f"{failing}: bad status from {url}{path}: {answer.status}", []
        told = plan.LOCAL if isinstance(found, plan.Local) else plan.PASSED
        return *told, _resources(await whole_body(answer))


def _resources(body: Any) -> list[Object]:
    try:
        listing = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    return plan.discovered(listing) if isinstance(listing, dict) else []
