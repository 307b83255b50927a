"""Follows ServiceCIDRs and IPAddresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cybernetes.base.clock import parse_rfc3339, rfc3339
from cybernetes.client.api import if_there
from cybernetes.client.target import SERVICE_CIDRS, Target
from cybernetes.controllers import pods
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, update, work
from cybernetes.controllers.objects import Condition, Metadata
from cybernetes.controllers.servicecidr import plan
from cybernetes.controllers.servicecidr.plan import ServiceCidr

IP_ADDRESSES = Target("networking.k8s.io", "v1", "ipaddresses", "IPAddress", namespaced=False)
FINALIZER = "networking.k8s.io/service-cidr-finalizer"
# API servers stop giving out addresses of a range that is going some seconds after they hear of it.
GRACE_S = 10.0


class ServiceCidrController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._cidrs = edges.informers.make(SERVICE_CIDRS, decoder(ServiceCidr))
        self._addresses = edges.informers.make(IP_ADDRESSES, decoder(Metadata), metadata_only=True)
        self._queue = edges.queue()
        self._cidrs.on_change(self._on_cidr)
        self._addresses.on_change(self._on_address)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("servicecidrs", self._queue, self.sync)

    def _on_cidr(self, name: str, old: ServiceCidr | None, new: ServiceCidr | None) -> None:
        self._queue.add(name)
        self._look_at_going()

    def _on_address(self, name: str, old: Metadata | None, new: Metadata | None) -> None:
        if new is None:
            self._look_at_going()

    def _look_at_going(self) -> None:
        for each in self._cidrs.items.values():
            if each.metadata.deletion_timestamp:
                self._queue.add(each.metadata.name)

    async def sync(self, name: str) -> float | None:
        found = self._cidrs.items.get(name)
        if found is None:
            return None
        held = FINALIZER in found.metadata.finalizers
        if not found.metadata.deletion_timestamp:
            if not held:
                await self._change(found, _add_finalizer)
                return None
            await self._tell(found, plan.READY)
            return None
        if not held:
            return None
        if plan.only_in(found, list(self._cidrs.items.values()), self._addresses.items):
            await self._tell(found, plan.IN_USE)
            return None
        left_s = parse_rfc3339(found.metadata.deletion_timestamp) + GRACE_S - self._edges.clock.now()
        if left_s > 0:
            return left_s
        await self._change(found, _drop_finalizer)
        return None

    async def _tell(self, found: ServiceCidr, told: Condition) -> None:
        before = pods.condition(found.status.conditions, told.type)
        if before is not None and (before.status, before.message) == (told.status, told.message):
            return
        written = msgspec.to_builtins(told)
        written["lastTransitionTime"] = rfc3339(self._edges.clock.now())

        def put(obj: dict[str, Any]) -> None:
            status = obj.setdefault("status", {})
            others = [each for each in status.get("conditions") or [] if each["type"] != told.type]
            status["conditions"] = [*others, {"reason": "", **written}]

        await self._change(found, put, "status")

    async def _change(
        self, found: ServiceCidr, change: Callable[[dict[str, Any]], None], subresource: str = ""
    ) -> None:
        with if_there():
            await update(self._edges.client, SERVICE_CIDRS, found.metadata, change, subresource=subresource)


def _add_finalizer(obj: dict[str, Any]) -> None:
    obj["metadata"]["finalizers"] = [*(obj["metadata"].get("finalizers") or []), FINALIZER]


def _drop_finalizer(obj: dict[str, Any]) -> None:
    obj["metadata"]["finalizers"] = [each for each in obj["metadata"].get("finalizers") or [] if each != FINALIZER]
