"""Follows ReplicaSets (or ReplicationControllers) and pods, and carries plans out."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from cybernetes.client.expectations import Expectations
from cybernetes.client.informer import Index, Informer
from cybernetes.client.target import PODS, REPLICA_SETS, REPLICATION_CONTROLLERS, Target
from cybernetes.controllers import adoption, pods, selecting
from cybernetes.controllers.informers import controller_of, decoder
from cybernetes.controllers.loop import Edges, work, write_status
from cybernetes.controllers.objects import (
    EMPTY,
    Meta,
    Pod,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicaSetStatus,
    Selector,
    View,
)
from cybernetes.controllers.pod_owners import PodOwners
from cybernetes.controllers.pod_writes import Owner, PodWriter
from cybernetes.controllers.replicaset import plan as planning


class _ControllerSpec(View, frozen=True, gc=False):
    replicas: int = 1
    min_ready_seconds: int = 0
    selector: dict[str, str] = {}
    template: msgspec.Raw = EMPTY


class _ReplicationController(View, frozen=True, gc=False):
    metadata: Meta
    spec: _ControllerSpec = _ControllerSpec()
    status: ReplicaSetStatus = ReplicaSetStatus()


def _as_replica_set(body: bytes, decode: Callable[[bytes], _ReplicationController]) -> ReplicaSet:
    found = decode(body)
    spec = ReplicaSetSpec(
        replicas=found.spec.replicas,
        min_ready_seconds=found.spec.min_ready_seconds,
        selector=Selector(match_labels=found.spec.selector),
        template=found.spec.template,
    )
    return ReplicaSet(metadata=found.metadata, spec=spec, status=found.status)


def replica_sets(edges: Edges) -> ReplicaSetController:
    informers = edges.informers
    return ReplicaSetController(
        edges, REPLICA_SETS, informers.replica_sets, related=informers.replica_sets_by_controller
    )


def replication_controllers(edges: Edges) -> ReplicaSetController:
    decode = decoder(_ReplicationController)
    informer = edges.informers.make(REPLICATION_CONTROLLERS, lambda body: _as_replica_set(body, decode))
    return ReplicaSetController(edges, REPLICATION_CONTROLLERS, informer, related=None)


class ReplicaSetController:
    """related: ReplicaSets by their own controller, for resources that can have one."""

    def __init__(
        self, edges: Edges, target: Target, informer: Informer[ReplicaSet], related: Index[ReplicaSet] | None
    ) -> None:
        self._edges = edges
        self._target = target
        self._sets = informer
        self._related = related
        self._pods = edges.informers.pods_by_controller
        self._expected = Expectations(edges.clock)
        self._writer = PodWriter(edges, self._expected)
        self._queue = edges.queue()
        informer.on_change(self._on_set)
        owners = PodOwners(target, informer, self._queue, self._expected)
        edges.informers.pods.on_change(owners.on_pod)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work(self._target.plural, self._queue, self.sync)

    def _on_set(self, key: str, old: ReplicaSet | None, new: ReplicaSet | None) -> None:
        if new is None or (old is not None and old.metadata.uid != new.metadata.uid):
            self._expected.forget(key)
        self._queue.add(key)

    async def sync(self, key: str) -> float | None:
        replica_set = self._sets.items.get(key)
        if replica_set is None:
            self._expected.forget(key)
            return None
        unseen_s = self._expected.wait_s(key)
        owned = await self._claim(replica_set)
        now = self._edges.clock.now()
        failure, error = None, None
        if not unseen_s:
            plan = planning.plan(replica_set, owned, self._related_pods(replica_set), now)
            failure, error = await self._apply(replica_set, plan)
        wanted = planning.status(replica_set, owned, failure, now)
        if not planning.same_status(replica_set, wanted):
            await write_status(self._edges.client, self._target, replica_set.metadata, wanted)
        if error is not None:
            raise error
        waits = (unseen_s or None, pods.available_in(owned, replica_set.spec.min_ready_seconds, now))
        return min((each for each in waits if each is not None), default=None)

    async def _claim(self, replica_set: ReplicaSet) -> list[Pod]:
        metadata = replica_set.metadata
        selector = replica_set.spec.selector
        found = selecting.orphans(self._edges.informers, metadata.namespace, selector)
        orphans = [pod for pod in found if pods.is_active(pod)]
        claims = adoption.plan(metadata, selector, self._pods.get(metadata.uid), orphans)
        return await adoption.claim(self._edges.client, self._target, metadata, PODS, claims)

    def _related_pods(self, replica_set: ReplicaSet) -> list[Pod]:
        if self._related is None or replica_set.metadata.controller is None:
            siblings = [replica_set]
        else:
            siblings = self._related.get(controller_of(replica_set)[0])
        return [pod for each in siblings for pod in self._pods.get(each.metadata.uid) if pods.is_active(pod)]

    async def _apply(
        self, replica_set: ReplicaSet, plan: planning.Plan
    ) -> tuple[tuple[str, str] | None, Exception | None]:
        """What went wrong: (reason, message) for the status, and the error to repeat for."""
        metadata = replica_set.metadata
        owner = Owner(self._target, metadata)
        if plan.create:
            reference = pods.owner_reference(self._target, metadata)
            pod = pods.pod_of(replica_set.spec.template, reference, f"{metadata.name}-")
            error = await self._writer.create(owner, [pod] * plan.create)
            return (("FailedCreate", str(error)), error) if error else (None, None)
        if plan.delete:
            error = await self._writer.delete(owner, plan.delete)
            return (("FailedDelete", str(error)), error) if error else (None, None)
        return None, None
