"""Keeps this machine's Node object and lease: registers, reports, renews."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cybernetes.base.clock import rfc3339_micro
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.base.tasks import backoff
from cybernetes.client.api import PatchType, is_reason
from cybernetes.client.events import Reference
from cybernetes.client.target import CSI_NODES, LEASES, NODES
from cybernetes.kubelet import node_status
from cybernetes.kubelet.node_status import NodeView
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.runtime.api import Image, Version
from cybernetes.kubelet.tools import Tools

LEASE_NAMESPACE = "kube-node-lease"
# Part of the lease's length after which it is renewed.
RENEW_FRACTION = 0.25
IMAGES_EVERY_S = 60.0
_RETRY_FIRST_S = 0.2
_RETRY_LIMIT_S = 7.0

_log = Log("kubelet")

# A node that waits for its runtime or its network looks again at once: nothing is sent before something changed.
NOT_READY_LOOK_S = 0.2


class NodeReporter:
    """pressures, trouble: asked at each report."""

    def __init__(
        self, tools: Tools, pressures: Callable[[], frozenset[str]], trouble: Callable[[], tuple[str, ...]]
    ) -> None:
        self._tools = tools
        self._pressures = pressures
        self._trouble = trouble
        self._status: Object = {}
        self.node_uid = ""
        self._reported_at = float("-inf")
        self._images: tuple[Image, ...] = ()
        self._images_at = float("-inf")
        self._version: Version | None = None

    async def register(self) -> None:
        """Make the Node, or take the existing one over; again and again until it succeeds."""
        attempt = 0
        while True:
            try:
                await self._register()
                return
            except (ApiError, EdgeError) as error:
                _log.warning("node.unregistered", node=self._tools.config.node_name, why=str(error))
            delay_s = backoff(attempt, first_s=_RETRY_FIRST_S, limit_s=_RETRY_LIMIT_S, random=self._tools.random)
            await self._tools.clock.sleep(delay_s)
            attempt += 1

    async def _register(self) -> None:
        tools = self._tools
        wanted = node_status.new_node(tools.config, tools.facts)
        try:
            # With its status at once, so that nobody sees a node of which nothing is known.
            first = {**wanted, "status": await self._compute({})}
            node = await tools.client.create(NODES, first)
        except ApiError as error:
            if not is_reason(error, "AlreadyExists"):
                raise
            patch = {
                "metadata": {"labels": wanted["metadata"]["labels"], "annotations": wanted["metadata"]["annotations"]}
            }
            node = await tools.client.patch(NODES, tools.config.node_name, patch, PatchType.MERGE)
        self.node_uid = node["metadata"]["uid"]
        self._status = node.get("status") or {}
        self._note_reboot()
        await self.report()
        await self._register_drivers()

    async def _register_drivers(self) -> None:
        """The CSINode, which goes with the Node: the drivers of this node, of which there are none."""
        name = self._tools.config.node_name
        owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": self.node_uid}
        body = {"metadata": {"name": name, "ownerReferences": [owner]}, "spec": {"drivers": []}}
        try:
            await self._tools.client.create(CSI_NODES, body)
        except ApiError as error:
            if not is_reason(error, "AlreadyExists"):
                raise

    def _note_reboot(self) -> None:
        old, new = (self._status.get("nodeInfo") or {}).get("bootID"), self._tools.facts.boot_id
        if old and old != new:
            name = self._tools.config.node_name
            self._say("Warning", "Rebooted", f"Node {name} has been rebooted, boot id: {new}")

    async def run(self) -> None:
        """Report changes at once, and a heartbeat now and then."""
        self._say("Normal", "Starting", "Starting kubelet.")
        while True:
            await self._tools.clock.sleep(self._tools.config.status_update_s if self._is_ready() else NOT_READY_LOOK_S)
            try:
                await self.report()
            except (ApiError, EdgeError) as error:
                _log.warning("node.unreported", why=str(error))
                if isinstance(error, ApiError) and is_reason(error, "NotFound") and self._tools.config.register_node:
                    await self.register()

    def see(self, node: Object | None) -> None:
        """What the API server holds of this node, whoever wrote it: a node that was cut off is declared unknown."""
        if node is not None:
            self._status = node.get("status") or {}

    def _is_ready(self) -> bool:
        conditions = self._status.get("conditions") or []
        return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)

    async def report(self) -> None:
        """Send the status when it changed, or when the last report is old."""
        tools = self._tools
        status = await self._compute(self._status)
        due = tools.clock.monotonic() - self._reported_at >= tools.config.status_report_s
        if not due and not node_status.differs(_ours(self._status, status), status):
            return
        patch = {"status": _changed(self._status, status)}
        node = await tools.client.patch(NODES, tools.config.node_name, patch, PatchType.STRATEGIC, subresource="status")
        for reason in node_status.transitions(self._status, status):
            self._say("Normal", reason, f"Node {tools.config.node_name} status is now: {reason}")
        self._status = node.get("status") or {}
        self._reported_at = tools.clock.monotonic()

    async def _compute(self, previous: Object) -> Object:
        tools = self._tools
        try:
            runtime = await tools.runtime.status()
            if self._version is None:
                self._version = await tools.runtime.version()
            if tools.clock.monotonic() - self._images_at >= IMAGES_EVERY_S:
                self._images = tuple(await tools.runtime.list_images())
                self._images_at = tools.clock.monotonic()
        except EdgeError:
            runtime = None
        view = NodeView(
            runtime=runtime,
            version=self._version,
            pressures=self._pressures(),
            trouble=self._trouble(),
            images=self._images,
        )
        return node_status.node_status(tools.config, tools.facts, view, previous, tools.clock.now())

    def _say(self, kind: str, reason: str, message: str) -> None:
        name = self._tools.config.node_name
        about = Reference(kind="Node", api_version="v1", name=name, uid=name)
        (self._tools.events.warning if kind == "Warning" else self._tools.events.normal)(about, reason, message)

    async def run_lease(self) -> None:
        """Renew the node's lease, which tells everybody that this kubelet lives."""
        tools = self._tools
        every_s = tools.config.lease_duration_s * RENEW_FRACTION
        attempt = 0
        while True:
            try:
                await self._renew()
                attempt = 0
                await tools.clock.sleep(every_s)
            except (ApiError, EdgeError) as error:
                _log.warning("lease.unrenewed", why=str(error))
                delay_s = backoff(attempt, first_s=_RETRY_FIRST_S, limit_s=_RETRY_LIMIT_S, random=tools.random)
                attempt += 1
                await tools.clock.sleep(delay_s)

    async def _renew(self) -> None:
        tools, name = self._tools, self._tools.config.node_name
        spec: dict[str, Any] = {
            "holderIdentity": name,
            "leaseDurationSeconds": tools.config.lease_duration_s,
            "renewTime": rfc3339_micro(tools.clock.now()),
        }
        try:
            await tools.client.patch(LEASES, name, {"spec": spec}, PatchType.MERGE, namespace=LEASE_NAMESPACE)
        except ApiError as error:
            if not is_reason(error, "NotFound"):
                raise
            metadata: dict[str, Any] = {"name": name, "namespace": LEASE_NAMESPACE}
            if self.node_uid:
                metadata["ownerReferences"] = [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": self.node_uid}]
            await tools.client.create(LEASES, {"metadata": metadata, "spec": spec}, namespace=LEASE_NAMESPACE)


def _ours(known: Object, wanted: Object) -> Object:
    return {name: known.get(name) for name in wanted} | {"conditions": known.get("conditions") or []}


def _changed(old: Object, new: Object) -> Object:
    """The part of the status to send; heartbeats always go along."""
    changed = {name: value for name, value in new.items() if name == "conditions" or old.get(name) != value}
    if "addresses" in changed:
        # They are merged by type, and a node with two families has two of one type.
        changed["addresses"] = [*new["addresses"], {"$patch": "replace"}]
    for name in changed.keys() & {"capacity", "allocatable"}:
        # They are merged, too: what a node no longer has is to be said.
        changed[name] = dict.fromkeys(old.get(name) or (), None) | new[name]
    return changed
