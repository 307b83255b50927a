"""Metrics under the names that Kubernetes' API server gives them, so that dashboards fit."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from cybernetes.apiserver.core import Core
from cybernetes.apiserver.request import RequestInfo

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60)


class Metrics:
    """One server's numbers. Labels have values from fixed sets only: never a name that a client chose."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("verb", "group", "version", "resource", "subresource", "scope")
        self.requests = Counter(
            "apiserver_request",
            "Counter of apiserver requests",
            (*labels, "code"),
            registry=self.registry,
        )
        self.durations = Histogram(
            "apiserver_request_duration_seconds",
            "Response latency distribution in seconds",
            labels,
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.watchers = Gauge(
            "apiserver_longrunning_requests", "Open watches", ("group", "resource"), registry=self.registry
        )
        self.objects = Gauge(
            "apiserver_storage_objects", "Number of stored objects", ("resource", "group"), registry=self.registry
        )

        # Looking up labels costs more than counting, and few combinations come up.
        self._series: dict[tuple[tuple[str, ...], int], tuple[Counter, Histogram]] = {}

    def observe(self, info: RequestInfo, *, known: bool, code: int, took_s: float) -> None:
        values = _labels(info) if known else (info.verb if info.is_resource else "other", "", "", "", "", "")
        series = self._series.get((values, code))
        if series is None:
            series = self.requests.labels(*values, code), self.durations.labels(*values)
            self._series[values, code] = series
        series[0].inc()
        series[1].observe(took_s)


def _labels(info: RequestInfo) -> tuple[str, str, str, str, str, str]:
    scope = "resource" if info.name else "namespace" if info.namespace else "cluster"
    return info.verb.upper(), info.group, info.version, info.resource, info.subresource, scope


def render(core: Core) -> bytes:
    numbers = core.metrics
    for cached in core.caches:
        resource = f"{cached.plural}.{cached.group}" if cached.group else cached.plural
        numbers.objects.labels(resource, cached.group).set(len(cached.state.items))
        numbers.watchers.labels(cached.group, cached.plural).set(cached.hub.count)
    text: bytes = generate_latest(numbers.registry)
    return text
