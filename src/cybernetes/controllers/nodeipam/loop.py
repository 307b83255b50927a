"""Follows nodes and gives ranges to those that have none."""

from __future__ import annotations

from collections.abc import Sequence

from cybernetes.base.errors import ApiError, EdgeError, Outcome
from cybernetes.client.api import PatchType, is_reason
from cybernetes.client.events import Reference
from cybernetes.client.target import NODES
from cybernetes.controllers.loop import Edges, work
from cybernetes.controllers.nodeipam.plan import Ranges
from cybernetes.controllers.objects import Node

# A node that found no range looks again this often: ranges get free when nodes go.
FULL_RETRY_S = 30.0


class NodeIpamController:
    """clusters: (range, mask size of a node's part), one per address family, the primary first."""

    def __init__(self, edges: Edges, clusters: Sequence[tuple[str, int]]) -> None:
        self._edges = edges
        self._ranges = [Ranges(cluster, mask) for cluster, mask in clusters]
        self._held: dict[str, list[str]] = {}
        self._queue = edges.queue()
        edges.informers.nodes.on_change(self._on_node)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        # One worker: ranges are taken one after the other.
        await work("nodeipam", self._queue, self.sync, workers=1)

    def _on_node(self, name: str, old: Node | None, new: Node | None) -> None:
        if new is None or (old is not None and old.metadata.uid != new.metadata.uid):
            self._release(name)
        if new is None:
            return
        if new.spec.pod_cidr:
            self._hold(name, list(new.spec.pod_cidrs) or [new.spec.pod_cidr])
        else:
            self._queue.add(name)

    def _hold(self, name: str, parts: list[str]) -> None:
        if self._held.get(name) == parts:
            return
        self._release(name)
        self._held[name] = parts
        for part in parts:
            for ranges in self._ranges:
                ranges.occupy(part)

    def _release(self, name: str) -> None:
        for part in self._held.pop(name, ()):
            for ranges in self._ranges:
                ranges.free(part)

    async def sync(self, name: str) -> float | None:
        node = self._edges.informers.nodes.items.get(name)
        if node is None or node.spec.pod_cidr or node.metadata.deletion_timestamp:
            return None
        # What was taken for this node before, without knowing whether the write arrived, is used again.
        parts = self._held.get(name) or self._take(name)
        if parts is None:
            about = Reference("Node", "v1", name, uid=node.metadata.uid)
            self._edges.recorder.normal(about, "CIDRNotAvailable", f"Node {name} status is now: CIDRNotAvailable")
            return FULL_RETRY_S
        patch = {"spec": {"podCIDR": parts[0], "podCIDRs": parts}}
        try:
            await self._edges.client.patch(NODES, name, patch, PatchType.STRATEGIC)
        except ApiError as error:
            self._release(name)
            if not is_reason(error, "NotFound"):
                raise
        except EdgeError as error:
            if error.outcome is Outcome.NOT_DONE:
                self._release(name)
            raise
        return None

    def _take(self, name: str) -> list[str] | None:
        parts: list[str] = []
        for ranges in self._ranges:
            part = ranges.take()
            if part is None:
                for taken, given_back in zip(self._ranges, parts, strict=False):
                    taken.free(given_back)
                return None
            parts.append(part)
        self._held[name] = parts
        return parts
