"""Reads metrics of pods, objects and the outside world from APIs that adapters serve.

source  k8s.io/metrics: custom.metrics.k8s.io (v1beta1, v1beta2), external.metrics.k8s.io (v1beta1)
"""

from __future__ import annotations

from typing import TypeVar

from cybernetes.base.errors import ApiError
from cybernetes.client.api import ApiClient
from cybernetes.client.target import Target
from cybernetes.controllers.podautoscaler import answers
from cybernetes.controllers.podautoscaler.objects import NamedSource, Sample
from cybernetes.controllers.podautoscaler.usage import NoMetrics

CUSTOM = "custom.metrics.k8s.io"
EXTERNAL = "external.metrics.k8s.io"

T = TypeVar("T", bound=answers.View)
V = TypeVar("V")


async def of_pods(client: ApiClient, namespace: str, selector: str, source: NamedSource) -> dict[str, Sample]:
    """Samples by pod. Raises ApiError, EdgeError, NoMetrics."""
    query = {"labelSelector": selector, "metricLabelSelector": source.selector}
    path = f"namespaces/{namespace}/pods/*/{source.name}"
    values = await _list(client, CUSTOM, path, query, answers.MetricValueList)
    found = {}
    for each in _some(values.items, CUSTOM):
        window_s = each.window_seconds or answers.DEFAULT_WINDOW_S
        found[each.described_object.name] = Sample(each.value, each.timestamp or 0.0, window_s)
    return found


async def of_object(client: ApiClient, namespace: str, target: Target, source: NamedSource) -> int:
    """Nano units. Raises ApiError, EdgeError, NoMetrics."""
    name = source.described_object.name
    if (target.group, target.plural) == ("", "namespaces"):
        path = f"namespaces/{name}/metrics/{source.name}"
    else:
        resource = f"{target.plural}.{target.group}" if target.group else target.plural
        scope = f"namespaces/{namespace}/" if target.namespaced else ""
        path = f"{scope}{resource}/{name}/{source.name}"
    values = await _list(client, CUSTOM, path, {"metricLabelSelector": source.selector}, answers.MetricValueList)
    return _some(values.items, CUSTOM)[0].value


async def external(client: ApiClient, namespace: str, source: NamedSource) -> int:
    """The sum of all series that the selector matches, in nano units. Raises ApiError, EdgeError, NoMetrics."""
    path = f"namespaces/{namespace}/{source.name}"
    values = await _list(client, EXTERNAL, path, {"labelSelector": source.selector}, answers.ExternalMetricValueList)
    return sum(each.value for each in _some(values.items, EXTERNAL))


async def _list(client: ApiClient, group: str, path: str, query: dict[str, str], shape: type[T]) -> T:
    version = await _version(client, group)
    asked = {name: [value] for name, value in query.items() if value}
    return await answers.read(client, f"/apis/{group}/{version}/{path}", shape, asked)


def _some(items: list[V] | None, group: str) -> list[V]:
    if not items:
        raise NoMetrics(f"no metrics returned from {group.partition('.')[0]} metrics API")
    return items


async def _version(client: ApiClient, group: str) -> str:
    """The one that the adapter prefers."""
    try:
        found = await answers.read(client, f"/apis/{group}", answers.Group)
    except ApiError as error:
        if error.code != 404:
            raise
        raise NoMetrics(f"no {group.partition('.')[0]} metrics API ({group}) registered") from error
    return found.preferred_version.version
