"""Reads what pods use from metrics.k8s.io, where a metrics server is installed."""

from __future__ import annotations

import re
from typing import Any

import orjson

from cybernetes.base.clock import parse_rfc3339
from cybernetes.client.answer import whole_body
from cybernetes.client.api import ApiClient
from cybernetes.controllers.podautoscaler.objects import Sample
from cybernetes.model import quantity

_DURATION = re.compile(r"([0-9.]+)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
DEFAULT_WINDOW_S = 60.0


async def read(client: ApiClient, namespace: str, selector: str, resource: str, container: str) -> dict[str, Sample]:
    """Samples by pod. container: "" for whole pods. Raises ApiError, EdgeError when there is no metrics server."""
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods"
    answer = await client.raw("GET", path, query={"labelSelector": [selector]})
    found = {}
    for item in orjson.loads(await whole_body(answer)).get("items") or []:
        used = _used(item, resource, container)
        if used is not None:
            at = parse_rfc3339(item["timestamp"])
            found[item["metadata"]["name"]] = Sample(used, at, _duration_s(item.get("window") or ""))
    return found


def _used(item: dict[str, Any], resource: str, container: str) -> int | None:
    """Nano units; None when some container that counts has no value."""
    total = 0
    counted = [each for each in item.get("containers") or [] if not container or each["name"] == container]
    for each in counted:
        if resource not in (each.get("usage") or {}):
            return None
        total += quantity.nano(each["usage"][resource])
    return total if counted else None


def _duration_s(text: str) -> float:
    parts = _DURATION.findall(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else DEFAULT_WINDOW_S
