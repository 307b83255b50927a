"""Follows budgets and pods."""

from __future__ import annotations

import asyncio

from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.client.target import POD_DISRUPTION_BUDGETS, PODS
from cybernetes.controllers import selecting
from cybernetes.controllers.disruption import plan
from cybernetes.controllers.disruption.plan import Budget, BudgetStatus
from cybernetes.controllers.disruption.scale import Scales, Unscalable
from cybernetes.controllers.disruption.stale import StaleTargets
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, Pace, reference, work, write_status
from cybernetes.controllers.objects import Deployment, Pod, ReplicaSet

# A budget counts all its pods whenever one of them changes; many change together.
REST_S = 0.1


class DisruptionController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._budgets = edges.informers.make(POD_DISRUPTION_BUDGETS, decoder(Budget))
        self._by_namespace = self._budgets.index(lambda each: (each.metadata.namespace,))
        self._scales = Scales(edges)
        self._stale = StaleTargets(edges)
        self._queue = edges.queue()
        self._pace = Pace(self._queue, edges.clock, REST_S)
        self._budgets.on_change(self._on_budget)
        edges.informers.pods.on_change(self._on_pod)
        edges.informers.replica_sets.on_change(self._on_scaled)
        edges.informers.deployments.on_change(self._on_scaled)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        async with asyncio.TaskGroup() as group:
            group.create_task(work("disruption", self._queue, self.sync), name="disruption.budgets")
            group.create_task(self._stale.run(), name="disruption.stale")

    def _on_budget(self, key: str, old: Budget | None, new: Budget | None) -> None:
        if old is not None and new is not None and old.spec == new.spec:
            # Most changes of a status are this controller's own.
            self._pace.add(key)
        else:
            self._queue.add(key)

    def _on_pod(self, key: str, old: Pod | None, new: Pod | None) -> None:
        for pod in (old, new):
            if pod is not None:
                self._add_matching(pod.metadata.namespace, pod.metadata.labels)

    def _on_scaled(self, key: str, old: ReplicaSet | Deployment | None, new: ReplicaSet | Deployment | None) -> None:
        if old is not None and new is not None and old.spec.replicas != new.spec.replicas:
            labels = dict(new.spec.selector.match_labels)
            self._add_matching(new.metadata.namespace, labels)

    def _add_matching(self, namespace: str, labels: dict[str, str]) -> None:
        for each in self._by_namespace.get(namespace):
            if each.spec.selector is not None and each.spec.selector.matches(labels):
                self._pace.add(each.metadata.key)

    async def sync(self, key: str) -> float | None:
        budget = self._budgets.items.get(key)
        if budget is None:
            self._pace.forget(key)
            return None
        now, began = self._edges.clock.now(), self._edges.clock.monotonic()
        matching = self._matching(budget)
        by_name = {pod.metadata.name: pod for pod in matching}
        granted, overdue = plan.still_granted(budget, by_name, now)
        current = plan.healthy(matching, granted)
        self._pace.worked(key, self._edges.clock.monotonic() - began)
        about = reference(POD_DISRUPTION_BUDGETS, budget.metadata)
        if not matching:
            self._edges.recorder.normal(about, "NoPods", "No matching pods found")
        try:
            wanted = await self._expected(budget, matching)
        except (ApiError, EdgeError, Unscalable) as error:
            message = f"Failed to calculate the number of expected pods: {error}"
            self._edges.recorder.warning(about, "CalculateExpectedPodCountFailed", message)
            await self._write(budget, plan.failed(budget, str(error), now))
            if isinstance(error, Unscalable):
                # Until other pods come there is nothing to find out.
                return None
            raise
        await self._write(budget, plan.status(budget, wanted, current, granted, now))
        for pod in overdue:
            message = f"Pod was expected by PDB {budget.metadata.key} to be deleted but it wasn't"
            self._edges.recorder.warning(reference(PODS, pod.metadata), "NotDeleted", message)
        return plan.look_again_in(granted, now)

    def _matching(self, budget: Budget) -> list[Pod]:
        selector = budget.spec.selector
        if selector is None:
            return []
        return selecting.matching(self._edges.informers, budget.metadata.namespace, selector)

    async def _expected(self, budget: Budget, matching: list[Pod]) -> plan.Expected:
        if not budget.spec.needs_scale:
            return plan.expected(budget, len(matching), 0)
        scale = await self._scales.of(matching)
        if scale.unmanaged:
            about = reference(POD_DISRUPTION_BUDGETS, budget.metadata)
            self._edges.recorder.warning(about, "UnmanagedPods", plan.unmanaged(budget.spec.selector))
        return plan.expected(budget, len(matching), scale.wanted)

    async def _write(self, budget: Budget, status: BudgetStatus) -> None:
        if status != budget.status:
            await write_status(self._edges.client, POD_DISRUPTION_BUDGETS, budget.metadata, plan.as_json(status))
