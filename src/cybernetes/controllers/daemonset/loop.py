"""Follows DaemonSets, nodes and pods, and carries plans out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cybernetes.base.tasks import backoff
from cybernetes.client.expectations import Expectations
from cybernetes.client.target import DAEMON_SETS, PODS
from cybernetes.controllers import adoption, pods, selecting
from cybernetes.controllers.daemonset import plan as planning
from cybernetes.controllers.daemonset.eligible import for_node, with_tolerations
from cybernetes.controllers.daemonset.fits import Fits
from cybernetes.controllers.daemonset.objects import DaemonSet
from cybernetes.controllers.history import POD_LABEL, History, claim_revisions, value_of
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, reference, work, write_status
from cybernetes.controllers.objects import ControllerRevision, Node, Pod, raw
from cybernetes.controllers.pod_owners import PodOwners
from cybernetes.controllers.pod_writes import Owner, PodWriter

WORKERS = 2
GENERATION = "deprecated.daemonset.template.generation"
GENERATION_LABEL = "pod-template-generation"
# A pod that fails is replaced on the same node after 1 s, and twice as long each time.
FIRST_FAILURE_S = 1.0
FAILURE_LIMIT_S = 900.0


class _Failing(msgspec.Struct):
    times: int
    not_before: float


class DaemonSetController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        informers = edges.informers
        self._sets = informers.make(DAEMON_SETS, decoder(DaemonSet))
        self._pods = informers.pods_by_controller
        self._revisions = informers.revisions_by_controller
        self._expected = Expectations(edges.clock)
        self._writer = PodWriter(edges, self._expected)
        self._queue = edges.queue()
        self._failing: dict[tuple[str, str], _Failing] = {}
        self._fits = Fits(lambda: informers.nodes.items)
        self._sets.on_change(self._on_set)
        owners = PodOwners(DAEMON_SETS, self._sets, self._queue, self._expected)
        informers.pods.on_change(owners.on_pod)
        informers.nodes.on_change(self._on_node)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("daemonsets", self._queue, self.sync, workers=WORKERS)

    def _on_set(self, key: str, old: DaemonSet | None, new: DaemonSet | None) -> None:
        if new is None or (old is not None and old.metadata.uid != new.metadata.uid):
            self._expected.forget(key)
            self._fits.forget(key)
            self._failing = {each: value for each, value in self._failing.items() if each[0] != key}
        self._queue.add(key)

    def _on_node(self, name: str, old: Node | None, new: Node | None) -> None:
        """Labels and taints decide; there are few DaemonSets, and each must judge this node."""
        seen = [(each.metadata.labels, each.spec.taints) if each else None for each in (old, new)]
        if seen[0] != seen[1]:
            for key in self._fits.changed(name, new):
                self._queue.add(key)

    async def sync(self, key: str) -> float | None:
        daemon_set = self._sets.items.get(key)
        if daemon_set is None or daemon_set.metadata.deletion_timestamp:
            return None
        if daemon_set.spec.selector.empty:
            message = "This daemon set is selecting all pods. A non-empty selector is required."
            self._edges.recorder.warning(reference(DAEMON_SETS, daemon_set.metadata), "SelectingAll", message)
            return None
        client, metadata = self._edges.client, daemon_set.metadata
        revisions = await claim_revisions(client, DAEMON_SETS, metadata, daemon_set.spec.selector, self._revisions)
        history = History(client, DAEMON_SETS, metadata, revisions, POD_LABEL)
        current = await self._current(daemon_set, history)
        if current is None:
            return None
        owned = await self._claim_pods(daemon_set)
        error, again_s = await self._manage(key, daemon_set, owned, current)
        await self._write_status(key, daemon_set, owned, current)
        if error is not None:
            raise error
        live = {f"{daemon_set.metadata.name}-{pod.metadata.labels.get(POD_LABEL, '')}" for pod in owned}
        await history.trim(live | {current.metadata.name}, daemon_set.spec.revision_history_limit)
        waits = [again_s, pods.available_in(owned, daemon_set.spec.min_ready_seconds, self._edges.clock.now())]
        return min((each for each in waits if each is not None), default=None)

    async def _claim_pods(self, daemon_set: DaemonSet) -> list[Pod]:
        metadata = daemon_set.metadata
        claims = adoption.plan(
            metadata,
            daemon_set.spec.selector,
            self._pods.get(metadata.uid),
            selecting.orphans(self._edges.informers, metadata.namespace, daemon_set.spec.selector),
        )
        return await adoption.claim(self._edges.client, DAEMON_SETS, metadata, PODS, claims)

    async def _current(self, daemon_set: DaemonSet, history: History) -> ControllerRevision | None:
        spec = daemon_set.spec
        labels = (raw(spec.template).get("metadata") or {}).get("labels") or {}
        collisions = daemon_set.status.collision_count
        current = await history.current(spec.template, labels, collisions)
        if current is None:
            status = msgspec.structs.replace(daemon_set.status, collision_count=(collisions or 0) + 1)
            await write_status(self._edges.client, DAEMON_SETS, daemon_set.metadata, msgspec.to_builtins(status))
        return current

    async def _manage(
        self, key: str, daemon_set: DaemonSet, owned: list[Pod], current: ControllerRevision
    ) -> tuple[Exception | None, float | None]:
        """(error to repeat for, seconds until a failing pod may be replaced)."""
        if unseen_s := self._expected.wait_s(key):
            return None, unseen_s
        fits, daemons, value = self._fits.of(key, daemon_set), planning.by_node(owned), value_of(current)
        surging = planning.limits(daemon_set, len(fits)).surge > 0
        plan = planning.place(fits, daemons, surging=surging, value=value)
        again_s = self._replace_ended(key, daemon_set, plan)
        error = await self._apply(daemon_set, plan, value)
        rolling = daemon_set.spec.update_strategy.type == "RollingUpdate"
        if error is None and rolling and self._expected.fulfilled(key):
            error = await self._apply(
                daemon_set, planning.roll(daemon_set, fits, daemons, value, self._edges.clock.now()), value
            )
        return error, again_s

    def _replace_ended(self, key: str, daemon_set: DaemonSet, plan: planning.Plan) -> float | None:
        """Take ended pods into the deletions, failing ones only when their node has rested."""
        about = reference(DAEMON_SETS, daemon_set.metadata)
        now = self._edges.clock.monotonic()
        waits = []
        for node, pod in plan.failed:
            failing = self._failing.get((key, node), _Failing(0, 0.0))
            if failing.not_before > now:
                waits.append(failing.not_before - now)
                continue
            rest_s = backoff(failing.times, first_s=FIRST_FAILURE_S, limit_s=FAILURE_LIMIT_S, random=self._edges.random)
            self._failing[key, node] = _Failing(failing.times + 1, now + rest_s)
            message = f"Found failed daemon pod {pod.metadata.key} on node {node}, will try to kill it"
            self._edges.recorder.warning(about, "FailedDaemonPod", message)
            plan.delete.append(pod)
        for node, pod in plan.succeeded:
            message = f"Found succeeded daemon pod {pod.metadata.key} on node {node}, will try to delete it"
            self._edges.recorder.normal(about, "SucceededDaemonPod", message)
            plan.delete.append(pod)
        return min(waits, default=None)

    async def _apply(self, daemon_set: DaemonSet, plan: planning.Plan, value: str) -> Exception | None:
        owner = Owner(DAEMON_SETS, daemon_set.metadata)
        error: Exception | None = None
        if plan.create:
            bodies = [self._body(daemon_set, name, value) for name in plan.create[: planning.BURST_MAX]]
            error = await self._writer.create(owner, bodies)
        if plan.delete:
            error = await self._writer.delete(owner, plan.delete[: planning.BURST_MAX]) or error
        return error

    def _body(self, daemon_set: DaemonSet, node: str, value: str) -> dict[str, Any]:
        metadata = daemon_set.metadata
        owner = pods.owner_reference(DAEMON_SETS, metadata)
        pod = pods.pod_of(daemon_set.spec.template, owner, f"{metadata.name}-")
        generation = metadata.annotations.get(GENERATION) or str(metadata.generation)
        pod["metadata"]["labels"] = {
            **pod["metadata"].get("labels", {}),
            POD_LABEL: value,
            GENERATION_LABEL: generation,
        }
        pod["spec"] = for_node(with_tolerations(pod["spec"]), node)
        return pod

    async def _write_status(
        self, key: str, daemon_set: DaemonSet, owned: Sequence[Pod], current: ControllerRevision
    ) -> None:
        daemons: Mapping[str, Sequence[Pod]] = planning.by_node(owned)
        wanted = planning.status(
            daemon_set, self._fits.of(key, daemon_set), daemons, value_of(current), self._edges.clock.now()
        )
        if wanted != daemon_set.status:
            found = msgspec.to_builtins(wanted)
            # These are part of the status even when they are zero.
            for name in ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"):
                found.setdefault(name, 0)
            await write_status(self._edges.client, DAEMON_SETS, daemon_set.metadata, found)
