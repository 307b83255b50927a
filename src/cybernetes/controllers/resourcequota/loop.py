"""Follows quotas, and what goes."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from cybernetes.base.errors import ApiError
from cybernetes.client.api import is_reason
from cybernetes.client.informer import Informer, split_key
from cybernetes.client.target import PODS, RESOURCE_QUOTAS, Target
from cybernetes.controllers import pods
from cybernetes.controllers.discovery import discover
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import RESTS_PER_WORK, Edges, work
from cybernetes.controllers.objects import Meta, Metadata, Pod, View, raw
from cybernetes.controllers.resourcequota import plan
from cybernetes.model import quantity
from cybernetes.model.pod_resources import Amounts, total

RESYNC_S = 300.0
# How often to look whether a resource that nobody served is served now.
UNSERVED_RETRY_S = 30.0
# Several objects often go together; they are counted once.
SETTLE_S = 0.5


class _Quota(View, frozen=True, gc=False):
    """The whole object stays JSON: few quotas exist, and counting needs all of the spec."""

    metadata: Meta
    spec: msgspec.Raw = msgspec.Raw(b"{}")
    status: msgspec.Raw = msgspec.Raw(b"{}")


class ResourceQuotaController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._quotas = edges.informers.make(RESOURCE_QUOTAS, decoder(_Quota))
        self._by_namespace = self._quotas.index(lambda each: (each.metadata.namespace,))
        self._queue = edges.queue()
        # Counting reads all that is limited: where that takes long, it is done so much less often.
        self._took_s: dict[str, float] = {}
        self._targets: dict[plan.Resource, Target] = {}
        self._watched: dict[Target, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._quotas.on_change(self._on_quota)
        edges.informers.pods.on_change(self._on_pod)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(work("resourcequotas", self._queue, self.sync), name="resourcequotas.work")

    def _on_quota(self, key: str, old: _Quota | None, new: _Quota | None) -> None:
        """A charge by the API server is no reason to count: what it is for is not stored yet, and would be lost."""
        if old is None or new is None or raw(old.spec) != raw(new.spec):
            self._queue.add(key)

    def _on_pod(self, key: str, old: Pod | None, new: Pod | None) -> None:
        """Pods that end free what they used, as those that go do."""
        if old is None:
            return
        if new is None or (pods.is_terminal(new) and not pods.is_terminal(old)):
            self._count_again(old.metadata.namespace)

    def _count_again(self, namespace: str) -> None:
        for key in self._by_namespace.keys(namespace):
            self._queue.add_after(key, max(SETTLE_S, RESTS_PER_WORK * self._took_s.get(key, 0.0)))

    async def sync(self, key: str) -> float | None:
        quota = self._quotas.items.get(key)
        if quota is None or quota.metadata.deletion_timestamp:
            self._took_s.pop(key, None)
            return None
        wanted = {"spec": raw(quota.spec)}
        hard = wanted["spec"].get("hard") or {}
        began = self._edges.clock.monotonic()
        used, unserved = await self._count(wanted, quota.metadata.namespace)
        self._took_s[key] = self._edges.clock.monotonic() - began
        status = raw(quota.status)
        if not (_equal(status.get("hard"), hard) and _equal(status.get("used"), used)):
            # Its service account may not read single quotas, so the object is put together from what is known.
            await self._write(quota, {"hard": hard, "used": used})
        return UNSERVED_RETRY_S if unserved else RESYNC_S

    async def _count(self, wanted: dict[str, Any], namespace: str) -> tuple[Amounts, list[plan.Resource]]:
        """What is used, and the resources that nobody serves: of them nothing is said, of all others everything.

        Page by page: a namespace may hold more than is good to have at once.
        """
        now = self._edges.clock.now()
        hard = wanted["spec"].get("hard") or {}
        used = plan.used(wanted, {}, now)
        unserved = []
        for resource in plan.resources(hard):
            target = await self._target(resource)
            if target is None:
                unserved.append(resource)
                continue
            try:
                async for page in self._edges.client.pages(target, namespace=namespace):
                    used = total([used, plan.used(wanted, {resource: page.objects()}, now)])
            except ApiError as error:
                if not is_reason(error, "NotFound"):
                    raise
                self._forget(resource)
                unserved.append(resource)
                continue
            self._watch(target)
        return plan.known(used, unserved), unserved

    async def _target(self, resource: plan.Resource) -> Target | None:
        if resource not in self._targets:
            found = await discover(self._edges.client)
            self._targets = {(each.target.group, each.target.plural): each.target for each in found.resources}
        return self._targets.get(resource)

    def _forget(self, resource: plan.Resource) -> None:
        """Its definition is gone; it may come again as another one."""
        following = self._watched.pop(self._targets.pop(resource), None)
        if following is not None:
            following.cancel()

    def _watch(self, target: Target) -> None:
        """From now on notice when objects of a limited resource go; pods are watched anyway."""
        if target in self._watched or target == PODS or self._group is None:
            return
        edges = self._edges
        informer: Informer[Metadata] = Informer(
            edges.client, target, decoder(Metadata), clock=edges.clock, random=edges.random, metadata_only=True
        )
        informer.on_change(lambda key, old, new: self._count_again(split_key(key)[0]))
        self._watched[target] = self._group.create_task(informer.run(), name=f"resourcequotas.{target.plural}")

    async def _write(self, quota: _Quota, status: dict[str, Any]) -> None:
        metadata = quota.metadata
        body = {
            "metadata": msgspec.to_builtins(metadata),
            "spec": raw(quota.spec),
            "status": status,
        }
        await self._edges.client.update(RESOURCE_QUOTAS, body, subresource="status")


def _equal(left: dict[str, Any] | None, right: dict[str, Any]) -> bool:
    """Amounts are equal when they are worth the same: 1000m and 1."""
    if left is None or left.keys() != right.keys():
        return False
    return all(quantity.nano(left[name]) == quantity.nano(right[name]) for name in right)
