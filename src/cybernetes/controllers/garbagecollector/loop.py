"""Keeps the graph and decides about objects one by one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any

import msgspec
import orjson

from cybernetes.base.errors import ApiError, EdgeError, Outcome
from cybernetes.client.api import METADATA_ONLY, PatchType, if_there, is_reason
from cybernetes.client.events import Reference
from cybernetes.client.target import Target
from cybernetes.controllers.garbagecollector import plan
from cybernetes.controllers.garbagecollector.graph import ORPHAN, Graph, Item, Node
from cybernetes.controllers.garbagecollector.monitors import Monitors
from cybernetes.controllers.loop import Edges, work
from cybernetes.controllers.objects import OwnerReference

WORKERS = 20
# Owners known to be absent, so that a thousand orphans of one owner ask for it once.
ABSENT_MAX = 500
# How often to look whether all resources have been listed, before which dependents may be missed.
UNSYNCED_RETRY_S = 1.0

_decode = msgspec.json.Decoder(Item).decode


class GarbageCollector:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._graph = Graph()
        self._queue = edges.queue()
        self._monitors = Monitors(edges, self._on_change, self._on_unserved)
        self._absent: OrderedDict[str, None] = OrderedDict()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._monitors.run(), name="garbagecollector.monitors")
            group.create_task(
                work("garbagecollector", self._queue, self.sync, workers=WORKERS), name="garbagecollector.work"
            )

    def _on_change(self, target: Target, old: Item | None, new: Item | None) -> None:
        if old == new:
            # Most changes are of a status: who owns whom is the same.
            return
        touched: set[str] = set()
        if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
            touched |= self._graph.remove(old.metadata.uid)
            self._remember_absent(old.metadata.uid)
        if new is not None:
            self._absent.pop(new.metadata.uid, None)
            touched |= self._graph.put(Node(target, new.metadata))
        for uid in sorted(touched):
            self._queue.add(uid)

    def _on_unserved(self, item: Item) -> None:
        for uid in sorted(self._graph.remove(item.metadata.uid)):
            self._queue.add(uid)

    async def sync(self, uid: str) -> float | None:
        node = self._graph.get(uid)
        if node is None:
            return None
        if node.deleting:
            return await self._leaving(node)
        if self._is_held(node):
            return None
        if not self._monitors.synced:
            return UNSYNCED_RETRY_S
        live = await self._live(node)
        if live is None or live.metadata.deletion_timestamp:
            return None
        references = live.metadata.owner_references
        owners = {each.uid: await self._state(node, each) for each in references}
        if not owners:
            return None
        action = plan.plan_owned(live.metadata, owners, self._graph.dependents(uid))
        match action:
            case plan.DropOwners(uids):
                await self._drop_owners(node, uids)
            case plan.Delete(propagation, unblock):
                if unblock:
                    await self._unblock(node)
                await self._delete(node, propagation)
        return None

    def _is_held(self, node: Node) -> bool:
        """Whether all its owners are there as far as the graph knows: that is no reason to ask, as most objects are held.

        When one of them goes, the object's turn comes again.
        """
        owners = [self._graph.get(each.uid) for each in node.metadata.owner_references]
        return all(each is not None and not each.deleting_dependents and _may_own(each, node) for each in owners)

    async def _leaving(self, node: Node) -> float | None:
        if not (node.orphaning or node.deleting_dependents):
            return None
        if not self._monitors.synced:
            return UNSYNCED_RETRY_S
        uid = node.metadata.uid
        match plan.plan_leaving(node, self._graph.dependents(uid)):
            case plan.Orphan(dependents):
                await asyncio.gather(*(self._drop_owners(each, frozenset({uid})) for each in dependents))
                await self._drop_finalizer(node, ORPHAN)
            case plan.DropFinalizer(name):
                await self._drop_finalizer(node, name)
            case plan.LookAt(uids):
                for each in uids:
                    self._queue.add(each)
        return None

    async def _state(self, node: Node, reference: OwnerReference) -> plan.Owner:
        """Raises EdgeError when the owner's kind is not known: it may be known later."""
        owner = self._graph.get(reference.uid)
        if owner is not None:
            if not _may_own(owner, node):
                self._complain(node, reference)
                return plan.Owner.ABSENT
            return plan.Owner.WAITING if owner.deleting_dependents else plan.Owner.SOLID
        if reference.uid in self._absent:
            return plan.Owner.ABSENT
        target = self._monitors.target_of(reference.api_version, reference.kind)
        if target is None:
            kind = f"{reference.api_version} {reference.kind}"
            raise EdgeError("look up owner", kind, "no such resource is served", outcome=Outcome.NOT_DONE)
        namespace = node.metadata.namespace if target.namespaced else ""
        if target.namespaced and not namespace:
            # A cluster-scoped object can't be owned by something in a namespace.
            self._complain(node, reference)
            return plan.Owner.ABSENT
        try:
            live = await self._edges.client.get(target, reference.name, namespace=namespace, accept=METADATA_ONLY)
        except ApiError as error:
            if not is_reason(error, "NotFound"):
                raise
            self._remember_absent(reference.uid)
            return plan.Owner.ABSENT
        if live["metadata"]["uid"] != reference.uid:
            self._remember_absent(reference.uid)
            return plan.Owner.ABSENT
        return plan.Owner.SOLID

    def _remember_absent(self, uid: str) -> None:
        self._absent[uid] = None
        self._absent.move_to_end(uid)
        if len(self._absent) > ABSENT_MAX:
            self._absent.popitem(last=False)

    def _complain(self, node: Node, reference: OwnerReference) -> None:
        shown = (
            f"[{reference.api_version}/{reference.kind}, namespace: {node.metadata.namespace}, "
            f"name: {reference.name}, uid: {reference.uid}]"
        )
        message = f'ownerRef {shown} does not exist in namespace "{node.metadata.namespace}"'
        metadata, target = node.metadata, node.target
        about = Reference(target.kind, target.api_version, metadata.name, metadata.namespace, metadata.uid)
        self._edges.recorder.warning(about, "OwnerRefInvalidNamespace", message)

    async def _read(self, node: Node) -> dict[str, Any] | None:
        """The object's metadata as the server has it; None when it is gone or another one by now."""
        metadata = node.metadata
        try:
            live = await self._edges.client.get(
                node.target, metadata.name, namespace=metadata.namespace, accept=METADATA_ONLY
            )
        except ApiError as error:
            if is_reason(error, "NotFound"):
                return None
            raise
        return live if live["metadata"]["uid"] == metadata.uid else None

    async def _live(self, node: Node) -> Item | None:
        live = await self._read(node)
        if live is None:
            self._graph_lags(node)
            return None
        return _decode(orjson.dumps(live))

    def _graph_lags(self, node: Node) -> None:
        """The server knows that it is gone before the watch has said so; dependents need not wait for that."""
        self._remember_absent(node.metadata.uid)

    async def _drop_owners(self, node: Node, uids: frozenset[str]) -> None:
        live = await self._read(node)
        if live is None:
            return
        before = live["metadata"].get("ownerReferences") or []
        kept = [each for each in before if each["uid"] not in uids]
        if len(kept) < len(before):
            await self._patch(node, live, {"ownerReferences": kept or None})

    async def _unblock(self, node: Node) -> None:
        live = await self._read(node)
        if live is not None:
            references = live["metadata"].get("ownerReferences") or []
            await self._patch(
                node, live, {"ownerReferences": [{**each, "blockOwnerDeletion": False} for each in references]}
            )

    async def _drop_finalizer(self, node: Node, name: str) -> None:
        live = await self._read(node)
        if live is None:
            return
        before = live["metadata"].get("finalizers") or []
        if name in before:
            await self._patch(node, live, {"finalizers": [each for each in before if each != name]})

    async def _patch(self, node: Node, live: dict[str, Any], change: dict[str, Any]) -> None:
        """A merge patch, which every resource has; guarded, because lists are replaced whole."""
        guard = {"uid": node.metadata.uid, "resourceVersion": live["metadata"]["resourceVersion"]}
        with if_there():
            await self._edges.client.patch(
                node.target,
                node.metadata.name,
                {"metadata": {**guard, **change}},
                PatchType.MERGE,
                namespace=node.metadata.namespace,
            )

    async def _delete(self, node: Node, propagation: str) -> None:
        metadata = node.metadata
        with if_there():
            await self._edges.client.delete(
                node.target,
                metadata.name,
                namespace=metadata.namespace,
                uid=metadata.uid,
                propagation=propagation,
            )


def _may_own(owner: Node, dependent: Node) -> bool:
    return not owner.target.namespaced or owner.metadata.namespace == dependent.metadata.namespace
