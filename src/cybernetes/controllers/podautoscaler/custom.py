"""Reads metrics of pods, objects and the outside world from APIs that adapters serve.

source  k8s.io/metrics: custom.metrics.k8s.io (v1beta1, v1beta2), external.metrics.k8s.io (v1beta1)
"""

from __future__ import annotations

from typing import Any

import orjson

from cybernetes.base.clock import parse_rfc3339
from cybernetes.base.errors import ApiError
from cybernetes.client.answer import whole_body
from cybernetes.client.api import ApiClient
from cybernetes.client.target import Target
from cybernetes.controllers.podautoscaler.metrics import DEFAULT_WINDOW_S
from cybernetes.controllers.podautoscaler.objects import NamedSource, Sample
from cybernetes.controllers.podautoscaler.usage import NoMetrics
from cybernetes.model import quantity

CUSTOM = "custom.metrics.k8s.io"
EXTERNAL = "external.metrics.k8s.io"

Object = dict[str, Any]


async def of_pods(client: ApiClient, namespace: str, selector: str, source: NamedSource) -> dict[str, Sample]:
    """Samples by pod. Raises ApiError, EdgeError, NoMetrics."""
    query = {"labelSelector": selector, "metricLabelSelector": source.selector}
    path = f"namespaces/{namespace}/pods/*/{source.name}"
    found = {}
    for item in await _items(client, CUSTOM, path, query):
        at = parse_rfc3339(item["timestamp"])
        window_s = float(item.get("windowSeconds") or DEFAULT_WINDOW_S)
        found[item["describedObject"]["name"]] = Sample(quantity.nano(item["value"]), at, window_s)
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
    items = await _items(client, CUSTOM, path, {"metricLabelSelector": source.selector})
    return int(quantity.nano(items[0]["value"]))


async def external(client: ApiClient, namespace: str, source: NamedSource) -> int:
    """The sum of all series that the selector matches, in nano units. Raises ApiError, EdgeError, NoMetrics."""
    path = f"namespaces/{namespace}/{source.name}"
    items = await _items(client, EXTERNAL, path, {"labelSelector": source.selector})
    return sum(int(quantity.nano(item["value"])) for item in items)


async def _items(client: ApiClient, group: str, path: str, query: dict[str, str]) -> list[Object]:
    version = await _version(client, group)
    asked = {name: [value] for name, value in query.items() if value}
    answer = await client.raw("GET", f"/apis/{group}/{version}/{path}", query=asked)
    items: list[Object] = orjson.loads(await whole_body(answer)).get("items") or []
    if not items:
        raise NoMetrics(f"no metrics returned from {group.partition('.')[0]} metrics API")
    return items


async def _version(client: ApiClient, group: str) -> str:
    """The one that the adapter prefers."""
    try:
        found = orjson.loads(await whole_body(await client.raw("GET", f"/apis/{group}")))
    except ApiError as error:
        if error.code != 404:
            raise
        raise NoMetrics(f"no {group.partition('.')[0]} metrics API ({group}) registered") from error
    return str(found["preferredVersion"]["version"])
