"""Watches over nodes: every few seconds for silence, at once for conditions that change."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.client.api import PatchType, if_there
from cybernetes.client.events import Reference
from cybernetes.client.reflector import Selection
from cybernetes.client.target import LEASES, NODES, PODS
from cybernetes.controllers import pods
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, reference, work
from cybernetes.controllers.nodelifecycle import plan
from cybernetes.controllers.nodelifecycle.health import Health, Lease
from cybernetes.controllers.objects import Node

MONITOR_S = 5.0
GRACE_S = 50.0
STARTUP_GRACE_S = 60.0

_log = Log("nodelifecycle")


class NodeLifecycleController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._health = Health()
        self._queue = edges.queue()
        # Nodes that may have a NoExecute taint now; the rate of each zone decides when one joins.
        self._released: set[str] = set()
        self._next_release: dict[str, float] = {}
        self._all_silent = False
        selection = Selection(namespace="kube-node-lease")
        self._leases = edges.informers.make(LEASES, decoder(Lease), selection=selection)
        nodes = edges.informers.nodes
        self._by_zone = nodes.index(lambda node: (plan.zone_of(node),))
        self._not_ready = nodes.index(lambda node: (plan.zone_of(node),) if plan.ready_status(node) != "True" else ())
        nodes.on_change(self._on_node)
        self._leases.on_change(self._on_lease)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        async with asyncio.TaskGroup() as group:
            group.create_task(work("nodelifecycle", self._queue, self.sync), name="nodelifecycle.work")
            group.create_task(self._monitor(), name="nodelifecycle.monitor")

    def _on_node(self, name: str, old: Node | None, new: Node | None) -> None:
        if new is None:
            self._health.forget(name)
            self._released.discard(name)
            if old is not None:
                self._say(old, "RemovingNode", f"Node {name} event: Removing Node {name} from Controller")
            return
        self._health.heard_of(new, self._edges.clock.monotonic())
        if plan.no_execute_key(new) is None:
            self._released.discard(name)
        if old is None:
            self._say(new, "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")
        was = plan.ready_status(old) if old else "True"
        if was == "True" and plan.ready_status(new) != "True" and old is not None:
            self._say(new, "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        self._queue.add(name)

    def _on_lease(self, key: str, old: Lease | None, new: Lease | None) -> None:
        if new is not None:
            self._health.renewed(new, self._edges.clock.monotonic())

    def _say(self, node: Node, reason: str, message: str) -> None:
        about = Reference("Node", "v1", node.metadata.name, uid=node.metadata.uid)
        self._edges.recorder.normal(about, reason, message)

    async def _monitor(self) -> None:
        while True:
            silent = self._silent()
            self._release(silent)
            for node in silent:
                try:
                    await self._check_silence(node)
                except (ApiError, EdgeError) as error:
                    _log.info("status.not-written", node=node.metadata.name, why=str(error))
            await self._edges.clock.sleep(MONITOR_S)

    def _silent(self) -> list[Node]:
        nodes = self._edges.informers.nodes.items
        names = self._health.silent(min(GRACE_S, STARTUP_GRACE_S), self._edges.clock.monotonic())
        return [nodes[name] for name in names if name in nodes and self._is_silent(nodes[name])]

    async def _check_silence(self, node: Node) -> None:
        name = node.metadata.name
        if not self._is_silent(node):
            return
        changed = plan.unknown_conditions(node, self._edges.clock.now())
        if changed:
            patch = {"status": {"conditions": changed}}
            with if_there():
                await self._edges.client.patch(NODES, name, patch, PatchType.STRATEGIC, subresource="status")

    def _is_silent(self, node: Node) -> bool:
        never = pods.condition(node.status.conditions, "Ready") is None
        grace_s = STARTUP_GRACE_S if never else GRACE_S
        return self._health.silent_s(node.metadata.name, self._edges.clock.monotonic()) > grace_s

    def _zones(self, silent: list[Node]) -> dict[str, plan.ZoneState]:
        """As they are about to be: of nodes that fall silent together none may be judged before the others."""
        soon = Counter(plan.zone_of(node) for node in silent if plan.ready_status(node) == "True")
        sizes = {zone: self._by_zone.count(zone) for zone in self._by_zone.values()}
        return {zone: plan.zone_state(size, self._not_ready.count(zone) + soon[zone]) for zone, size in sizes.items()}

    def _release(self, silent: list[Node]) -> None:
        """Let nodes that are not ready be tainted with NoExecute, as fast as their zone allows."""
        states = self._zones(silent)
        all_silent = bool(states) and all(each is plan.ZoneState.FULL for each in states.values())
        if all_silent != self._all_silent:
            self._all_silent = all_silent
            if not all_silent:
                # More likely we were cut off than all nodes were: their silence counts anew.
                self._health.reset(self._edges.clock.monotonic())
            _log.warning("zones.disrupted", all=all_silent)
            for name in self._edges.informers.nodes.items:
                self._queue.add(name)
        if all_silent:
            self._released.clear()
            return
        for zone, state in states.items():
            self._release_zone(zone, plan.rate(state, self._by_zone.count(zone)))

    def _release_zone(self, zone: str, rate: float) -> None:
        now = self._edges.clock.monotonic()
        for node in self._not_ready.get(zone):
            name = node.metadata.name
            if plan.no_execute_key(node) is None or name in self._released:
                continue
            if rate > 0 and self._next_release.get(zone, 0.0) <= now:
                self._released.add(name)
                self._next_release[zone] = now + 1 / rate
                self._queue.add(name)

    async def sync(self, name: str) -> float | None:
        node = self._edges.informers.nodes.items.get(name)
        if node is None:
            return None
        await self._write_taints(node)
        if plan.ready_status(node) != "True":
            await self._mark_pods(node)
        return None

    async def _write_taints(self, node: Node) -> None:
        key = plan.no_execute_key(node)
        # Changing from one NoExecute taint to the other needs no leave of the zone.
        allowed = node.metadata.name in self._released or plan.has_execute_taint(node) is not None
        execute = key if allowed and not self._all_silent else None
        wanted = plan.taints(node, execute=execute, now=self._edges.clock.now())
        if wanted is None:
            return
        live = await self._edges.client.get(NODES, node.metadata.name)
        if live["metadata"]["uid"] != node.metadata.uid:
            return
        if _taint_keys(live["spec"].get("taints") or []) != {(t.key, t.effect) for t in node.spec.taints}:
            # Someone else writes taints: decide again on what is there now.
            self._queue.add_after(node.metadata.name, 0.2)
            return
        guard = {"resourceVersion": live["metadata"]["resourceVersion"]}
        patch = {"metadata": guard, "spec": {"taints": wanted}}
        with if_there():
            await self._edges.client.patch(NODES, node.metadata.name, patch, PatchType.MERGE)

    async def _mark_pods(self, node: Node) -> None:
        """Pods of a node that is not ready can't be reached: services must stop sending to them."""
        for pod in self._edges.informers.pods_by_node.get(node.metadata.name):
            if not pods.is_ready(pod):
                continue
            ready = {"type": "Ready", "status": "False", "lastTransitionTime": rfc3339(self._edges.clock.now())}
            patch = {"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [ready]}}
            with if_there():
                await self._edges.client.patch(
                    PODS,
                    pod.metadata.name,
                    patch,
                    PatchType.STRATEGIC,
                    namespace=pod.metadata.namespace,
                    subresource="status",
                )
            self._edges.recorder.warning(reference(PODS, pod.metadata), "NodeNotReady", "Node is not ready")


def _taint_keys(taints: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(each["key"], each.get("effect", "")) for each in taints}
