"""Looks at every autoscaler every 15 seconds."""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.client.target import HORIZONTAL_POD_AUTOSCALERS, PODS, Target
from cybernetes.controllers.discovery import Kinds
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, reference, work, write_status
from cybernetes.controllers.objects import Condition
from cybernetes.controllers.podautoscaler import limits, sources
from cybernetes.controllers.podautoscaler.limits import Memory, Told
from cybernetes.controllers.podautoscaler.objects import Autoscaler, MeasuredPod, Metric
from cybernetes.controllers.podautoscaler.sources import Scaled, Sources
from cybernetes.controllers.podautoscaler.usage import NoMetrics, Proposal, Tolerance
from cybernetes.controllers.pods import condition
from cybernetes.model import quantity

PERIOD_S = 15.0
_pod = decoder(MeasuredPod)


class _Outcome(msgspec.Struct):
    """What one look came to: the status to be."""

    current: int
    desired: int
    conditions: dict[str, Told]
    shown: list[dict[str, Any]] = []
    scaled: bool = False


class PodAutoscalerController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._autoscalers = edges.informers.make(HORIZONTAL_POD_AUTOSCALERS, decoder(Autoscaler))
        self._kinds = Kinds(edges.client)
        self._sources = Sources(edges.client, self._kinds)
        self._memory: dict[str, Memory] = {}
        self._queue = edges.queue()
        self._autoscalers.on_change(self._on_autoscaler)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("podautoscalers", self._queue, self.sync)

    def _on_autoscaler(self, key: str, old: Autoscaler | None, new: Autoscaler | None) -> None:
        if new is None:
            self._memory.pop(key, None)
        elif old is None:
            self._queue.add(key)
        elif old.spec != new.spec:
            self._queue.add_after(key, 0.1)

    async def sync(self, key: str) -> float | None:
        autoscaler = self._autoscalers.items.get(key)
        if autoscaler is None:
            return None
        memory = self._memory.setdefault(key, Memory())
        try:
            outcome = await self._look(autoscaler, memory)
        except (ApiError, EdgeError) as error:
            message = f"the HPA controller was unable to get the target's current scale: {error}"
            self._say(autoscaler, "Warning", "FailedGetScale", str(error))
            told = {"AbleToScale": Told("False", "FailedGetScale", message)}
            status = autoscaler.status
            outcome = _Outcome(status.current_replicas, status.desired_replicas, told)
        await self._write(autoscaler, outcome)
        return PERIOD_S

    async def _look(self, autoscaler: Autoscaler, memory: Memory) -> _Outcome:
        ref = autoscaler.spec.scale_target_ref
        target = await self._kinds.target(ref.api_version, ref.kind)
        namespace = autoscaler.metadata.namespace
        scale = await self._edges.client.get(target, ref.name, namespace=namespace, subresource="scale")
        current = int((scale.get("spec") or {}).get("replicas") or 0)
        outcome = _Outcome(current, current, {})
        message = "the HPA controller was able to get the target's current scale"
        outcome.conditions["AbleToScale"] = Told("True", "SucceededGetScale", message)
        spec = autoscaler.spec
        if current == 0 and spec.min_replicas != 0:
            message = "scaling is disabled since the replica count of the target is zero"
            outcome.conditions["ScalingActive"] = Told("False", "ScalingDisabled", message)
            outcome.desired = 0
            return outcome
        if current > spec.max_replicas:
            outcome.desired, why = spec.max_replicas, "Current number of replicas above Spec.MaxReplicas"
        elif current < spec.min_replicas:
            outcome.desired, why = spec.min_replicas, "Current number of replicas below Spec.MinReplicas"
        else:
            why = await self._by_metrics(autoscaler, scale, outcome, memory)
        if outcome.desired != current:
            await self._rescale(autoscaler, target, scale, outcome, memory, why)
        return outcome

    async def _by_metrics(
        self, autoscaler: Autoscaler, scale: dict[str, Any], outcome: _Outcome, memory: Memory
    ) -> str:
        """Sets what the metrics ask for; the reason for the Event."""
        selector = (scale.get("status") or {}).get("selector") or ""
        if not selector:
            self._say(autoscaler, "Warning", "SelectorRequired", "selector is required")
            message = "the HPA target's scale is missing a selector"
            outcome.conditions["ScalingActive"] = Told("False", "InvalidSelector", message)
            return ""
        pods = await self._pods(autoscaler.metadata.namespace, selector)
        scaled = Scaled(
            autoscaler.metadata.namespace,
            outcome.current,
            selector,
            pods,
            _tolerance(autoscaler),
            self._edges.clock.now(),
        )
        proposals: list[tuple[Proposal, str]] = []
        failures: list[tuple[Metric, Exception]] = []
        for metric in autoscaler.spec.metrics:
            try:
                proposal, described = await self._sources.propose(metric, scaled)
            except (NoMetrics, ApiError, EdgeError) as error:
                failures.append((metric, error))
                continue
            proposals.append((proposal, described))
            outcome.shown.append(sources.shown(metric, proposal))
        wanted = max((each.replicas for each, _ in proposals), default=outcome.current)
        if failures and (not proposals or wanted < outcome.current):
            self._tell_failures(autoscaler, outcome, failures)
            return ""
        best = next(described for each, described in proposals if each.replicas == wanted)
        message = f"the HPA was able to successfully calculate a replica count from {best}"
        outcome.conditions["ScalingActive"] = Told("True", "ValidMetricFound", message)
        held = limits.bounded(autoscaler, outcome.current, wanted, memory, self._edges.clock.now())
        outcome.desired = held.replicas
        outcome.conditions["AbleToScale"] = held.able
        outcome.conditions["ScalingLimited"] = held.limited
        return f"{best} above target" if held.replicas > outcome.current else "All metrics below target"

    def _tell_failures(
        self, autoscaler: Autoscaler, outcome: _Outcome, failures: list[tuple[Metric, Exception]]
    ) -> None:
        for metric, error in failures:
            self._say(autoscaler, "Warning", f"FailedGet{metric.type}Metric", str(error))
        metric, error = failures[0]
        invalid = f"invalid metrics ({len(failures)} invalid out of {len(autoscaler.spec.metrics)})"
        summary = f"{invalid}, first error is: failed to get {sources.value_of(metric)}: {error}"
        self._say(autoscaler, "Warning", "FailedComputeMetricsReplicas", summary)
        message = f"the HPA was unable to compute the replica count: {error}"
        outcome.conditions["ScalingActive"] = Told("False", f"FailedGet{metric.type}Metric", message)

    async def _pods(self, namespace: str, selector: str) -> list[MeasuredPod]:
        found: list[MeasuredPod] = []
        async for page in self._edges.client.pages(PODS, namespace=namespace, label_selector=selector):
            found += [_pod(item) for item in page.items]
        return found

    async def _rescale(
        self, autoscaler: Autoscaler, target: Target, scale: dict[str, Any], outcome: _Outcome, memory: Memory, why: str
    ) -> None:
        scale.setdefault("spec", {})["replicas"] = outcome.desired
        try:
            await self._edges.client.update(target, scale, subresource="scale")
        except (ApiError, EdgeError) as error:
            self._say(
                autoscaler, "Warning", "FailedRescale", f"New size: {outcome.desired}; reason: {why}; error: {error}"
            )
            message = f"the HPA controller was unable to update the target scale: {error}"
            outcome.conditions["AbleToScale"] = Told("False", "FailedUpdateScale", message)
            outcome.desired = outcome.current
            return
        message = f"the HPA controller was able to update the target scale to {outcome.desired}"
        outcome.conditions["AbleToScale"] = Told("True", "SucceededRescale", message)
        outcome.scaled = True
        limits.note(memory, outcome.desired - outcome.current, self._edges.clock.now())
        self._say(autoscaler, "Normal", "SuccessfulRescale", f"New size: {outcome.desired}; reason: {why}")

    async def _write(self, autoscaler: Autoscaler, outcome: _Outcome) -> None:
        now = rfc3339(self._edges.clock.now())
        kept = {each.type: each for each in autoscaler.status.conditions}
        for kind, told in outcome.conditions.items():
            before = condition(autoscaler.status.conditions, kind)
            since = before.last_transition_time if before and before.status == told.status else now
            kept[kind] = Condition(
                type=kind, status=told.status, reason=told.reason, message=told.message, last_transition_time=since
            )
        status: dict[str, Any] = {
            "observedGeneration": autoscaler.metadata.generation,
            "currentReplicas": outcome.current,
            "desiredReplicas": outcome.desired,
            "currentMetrics": outcome.shown,
            "conditions": [msgspec.to_builtins(each) for each in kept.values()],
        }
        last = now if outcome.scaled else autoscaler.status.last_scale_time
        if last:
            status["lastScaleTime"] = last
        await write_status(self._edges.client, HORIZONTAL_POD_AUTOSCALERS, autoscaler.metadata, status)

    def _say(self, autoscaler: Autoscaler, kind: str, reason: str, message: str) -> None:
        recorder = self._edges.recorder
        say = recorder.normal if kind == "Normal" else recorder.warning
        say(reference(HORIZONTAL_POD_AUTOSCALERS, autoscaler.metadata), reason, message)


def _tolerance(autoscaler: Autoscaler) -> Tolerance:
    up, down = limits.rules(autoscaler)
    default = Tolerance()
    return Tolerance(
        up=default.up if up.tolerance is None else quantity.milli(up.tolerance) / 1000,
        down=default.down if down.tolerance is None else quantity.milli(down.tolerance) / 1000,
    )
