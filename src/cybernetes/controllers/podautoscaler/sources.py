"""What each kind of metric asks for: where it is read, and how it is told."""

from __future__ import annotations

from typing import Any, NamedTuple

from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.client.api import ApiClient
from cybernetes.controllers.discovery import Kinds
from cybernetes.controllers.podautoscaler import custom, metrics, usage
from cybernetes.controllers.podautoscaler.objects import (
    MeasuredPod,
    Metric,
    MetricTarget,
    NamedSource,
    ResourceSource,
    Sample,
)
from cybernetes.controllers.podautoscaler.usage import Aim, NoMetrics, Proposal, Tolerance, Wanted
from cybernetes.model import quantity


class Scaled(NamedTuple):
    """What is scaled now. selector: of `pods`."""

    namespace: str
    replicas: int
    selector: str
    pods: list[MeasuredPod]
    tolerance: Tolerance
    now: float


class Sources:
    def __init__(self, client: ApiClient, kinds: Kinds) -> None:
        self._client = client
        self._kinds = kinds

    async def propose(self, metric: Metric, scaled: Scaled) -> tuple[Proposal, str]:
        """The proposal, and the metric's name for people. Raises NoMetrics, ApiError, EdgeError."""
        match metric:
            case Metric(resource=ResourceSource() as source) | Metric(container_resource=ResourceSource() as source):
                return await self._resource(source, scaled)
            case Metric(pods=NamedSource() as source):
                with_value = await _got(source, custom.of_pods(self._client, scaled.namespace, scaled.selector, source))
                return _by_pods(source.name, source.target, with_value, scaled), f"pods metric {source.name}"
            case Metric(object=NamedSource() as source):
                ref = source.described_object
                target = await self._kinds.target(ref.api_version, ref.kind)
                total = await _got(source, custom.of_object(self._client, scaled.namespace, target, source))
                return _by_total(total, source.target, scaled), f"{ref.kind} metric {source.name}"
            case Metric(external=NamedSource() as source):
                total = await _got(source, custom.external(self._client, scaled.namespace, source))
                return _by_total(total, source.target, scaled), f"external metric {source.name}({source.selector})"
        raise NoMetrics(f"unknown metric source type {metric.type!r}")

    async def _resource(self, source: ResourceSource, scaled: Scaled) -> tuple[Proposal, str]:
        target = source.target
        average = _nano(target.average_value)
        wanted = Wanted(source.name, source.container, target.average_utilization, average)
        try:
            samples = await self._samples(source, scaled)
            proposal = usage.propose(scaled.replicas, wanted, scaled.pods, samples, scaled.tolerance, scaled.now)
        except NoMetrics as error:
            kind = "utilization" if average is None else "usage"
            raise NoMetrics(f"failed to get {source.name} {kind}: {error}") from error
        kind = f"{source.name} container resource" if source.container else f"{source.name} resource"
        return proposal, kind if average is not None else f"{kind} utilization (percentage of request)"

    async def _samples(self, source: ResourceSource, scaled: Scaled) -> dict[str, Sample]:
        unable = f"unable to get metrics for resource {source.name}"
        try:
            found = await metrics.read(self._client, scaled.namespace, scaled.selector, source.name, source.container)
        except (ApiError, EdgeError) as error:
            missing = isinstance(error, ApiError) and error.code == 404
            why = "the server could not find the requested resource (get pods.metrics.k8s.io)" if missing else error
            raise NoMetrics(f"{unable}: unable to fetch metrics from resource metrics API: {why}") from error
        if not found:
            raise NoMetrics(f"{unable}: no metrics returned from resource metrics API")
        return found


def value_of(metric: Metric) -> str:
    """What a metric gives, in the words of the summary of failures."""
    match metric:
        case Metric(resource=ResourceSource() as source):
            return f"{source.name} resource metric value"
        case Metric(container_resource=ResourceSource() as source):
            return f"{source.name} container metric value"
        case Metric(external=NamedSource() as source):
            return f"{source.name} external metric value"
    return f"{metric.type.lower()} metric value"


async def _got(source: NamedSource, reading: Any) -> Any:
    try:
        return await reading
    except (NoMetrics, ApiError, EdgeError) as error:
        raise NoMetrics(f"unable to get metric {source.name}: {error}") from error


def _by_pods(name: str, target: MetricTarget, samples: dict[str, Sample], scaled: Scaled) -> Proposal:
    average = _nano(target.average_value)
    if average is None:
        raise NoMetrics(f"metric {name} has no average value to aim at")
    return usage.propose(
        scaled.replicas, Wanted(name, "", None, average), scaled.pods, samples, scaled.tolerance, scaled.now
    )


def _by_total(total: int, target: MetricTarget, scaled: Scaled) -> Proposal:
    aim = Aim(value=_nano(target.value), average=_nano(target.average_value))
    return usage.propose_for(total, aim, scaled.replicas, scaled.pods, scaled.tolerance)


def _nano(amount: str | int | float | None) -> int | None:
    return None if amount is None else int(quantity.nano(amount))


def shown(metric: Metric, proposal: Proposal) -> dict[str, Any]:
    """The metric as status.currentMetrics has it."""
    current: dict[str, Any] = {"value" if proposal.total else "averageValue": quantity.render(proposal.value)}
    if proposal.utilization is not None:
        current["averageUtilization"] = proposal.utilization
    match metric:
        case Metric(resource=ResourceSource() as source):
            return {"type": metric.type, "resource": {"name": source.name, "current": current}}
        case Metric(container_resource=ResourceSource() as source):
            told = {"name": source.name, "container": source.container, "current": current}
            return {"type": metric.type, "containerResource": told}
        case Metric(object=NamedSource() as source):
            ref = source.described_object
            described = {"kind": ref.kind, "name": ref.name, "apiVersion": ref.api_version}
            return {
                "type": metric.type,
                "object": {"metric": source.metric, "current": current, "describedObject": described},
            }
        case _:
            field = "pods" if metric.pods is not None else "external"
            source = metric.pods or metric.external or NamedSource()
            return {"type": metric.type, field: {"metric": source.metric, "current": current}}
