"""What metrics APIs answer. Others' programs serve them, so an answer is held to its shape before it is believed.

source  k8s.io/metrics: metrics.k8s.io, custom.metrics.k8s.io, external.metrics.k8s.io; discovery's APIGroup
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from cybernetes.base import duration
from cybernetes.base.clock import parse_rfc3339
from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.client.answer import whole_body
from cybernetes.client.api import ApiClient
from cybernetes.controllers.objects import View
from cybernetes.model import quantity

DEFAULT_WINDOW_S = 60.0


class Nano(int):
    """A quantity, in nano units."""


class Moment(float):
    """A time, in seconds since the epoch."""


class Length(float):
    """A duration, in seconds."""


class Named(View, frozen=True):
    name: str


class ContainerMetrics(View, frozen=True):
    name: str
    usage: dict[str, Nano] = {}


class PodMetrics(View, frozen=True):
    metadata: Named
    timestamp: Moment | None = None
    window: Length = Length(DEFAULT_WINDOW_S)
    containers: list[ContainerMetrics] = []


class PodMetricsList(View, frozen=True):
    items: list[PodMetrics] | None = None


class MetricValue(View, frozen=True):
    """Of a pod or an object."""

    described_object: Named
    value: Nano
    timestamp: Moment | None = None
    window_seconds: float | None = None


class MetricValueList(View, frozen=True):
    items: list[MetricValue] | None = None


class ExternalMetricValue(View, frozen=True):
    value: Nano


class ExternalMetricValueList(View, frozen=True):
    items: list[ExternalMetricValue] | None = None


class GroupVersion(View, frozen=True):
    version: str


class Group(View, frozen=True):
    preferred_version: GroupVersion


T = TypeVar("T", bound=View)


async def read(client: ApiClient, path: str, shape: type[T], query: dict[str, list[str]] | None = None) -> T:
    """Raises ApiError, and EdgeError also when the answer has another shape."""
    body = await whole_body(await client.raw("GET", path, query=query))
    try:
        return msgspec.json.decode(body, type=shape, dec_hook=_read)
    except msgspec.MsgspecError as wrong:
        why = f"the answer has not the shape of this API, {wrong}"
        raise EdgeError("read", path, why, outcome=Outcome.NOT_DONE) from wrong


def _read(kind: type, value: Any) -> Any:
    """ValueErrors become the decoder's own."""
    if kind is Nano:
        return Nano(quantity.nano(value))
    if not isinstance(value, str):
        raise ValueError(f"expected a text, got {value!r}")
    return Moment(parse_rfc3339(value)) if kind is Moment else Length(duration.parse(value))
