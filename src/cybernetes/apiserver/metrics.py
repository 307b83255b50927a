"""Metrics under the names that Kubernetes' API server gives them, so that dashboards fit.

Requests add to plain numbers; a family of metrics is made of them when somebody asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from cybernetes.apiserver.core import Core
from cybernetes.apiserver.request import RequestInfo
from cybernetes.apiserver.summed import Summed
from cybernetes.base.spread import Spread
from cybernetes.store.api import Delete, Put

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60)
_STORE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
_VERBS = {each: each.upper() for each in ("get", "list", "watch", "patch", "delete", "deletecollection")}
_VERBS |= {"create": "POST", "update": "PUT"}
_CONNECTS = frozenset(("exec", "attach", "portforward", "proxy"))
_REQUEST = ("verb", "dry_run", "group", "version", "resource", "subresource", "scope", "component")
_ADMISSION = ("operation", "rejected", "type")


class Metrics:
    """One server's numbers. Labels have values from fixed sets only: never a name that a client chose."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # Where several processes are one server: what each of the others tells (`summed`).
        self.others: Callable[[], Awaitable[Sequence[bytes]]] | None = None
        # Requests that are answered now: "mutating", "readOnly", and "long" ones, which no limit counts.
        self.in_flight: Counter[str] = Counter()
        self.authentications: Counter[str] = Counter()
        self.authorizations: Counter[str] = Counter()
        self.requests: Counter[tuple[tuple[str, ...], int]] = Counter()
        self.durations: dict[tuple[str, ...], Spread] = {}
        self.admission: dict[tuple[str, ...], Spread] = {}
        self.store: dict[tuple[str, ...], Spread] = {}
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def observe(self, info: RequestInfo, *, known: bool, dry_run: bool, code: int, took_s: float) -> None:
        labels = _labels(info, dry_run=dry_run) if known else _unknown(info)
        self.requests[labels, code] += 1
        _add(self.durations, labels, took_s, _SECONDS)

    def admitted(self, kind: str, operation: str, *, rejected: bool, took_s: float) -> None:
        """kind: "admit" or "validate"."""
        _add(self.admission, (operation, str(rejected).lower(), kind), took_s, _STORE_SECONDS)

    def committed(self, write: Put | Delete, *, creates: bool, took_s: float) -> None:
        """A transaction is told by the first of its writes."""
        operation = "delete" if isinstance(write, Delete) else "create" if creates else "update"
        _, group, plural, *_ = write.key.split("/")
        resource = plural if group == "core" else f"{plural}.{group}"
        _add(self.store, (operation, resource), took_s, _STORE_SECONDS)


def _add(
    spreads: dict[tuple[str, ...], Spread], labels: tuple[str, ...], took_s: float, bounds: tuple[float, ...]
) -> None:
    spread = spreads.get(labels)
    if spread is None:
        spread = spreads[labels] = Spread(bounds)
    spread.add(took_s)


def _labels(info: RequestInfo, *, dry_run: bool) -> tuple[str, ...]:
    verb = "CONNECT" if info.subresource in _CONNECTS else _verb(info)
    scope = "resource" if info.name else "namespace" if info.namespace else "cluster"
    dry = "All" if dry_run else ""
    return verb, dry, info.group, info.version, info.resource, info.subresource, scope, "apiserver"


def _unknown(info: RequestInfo) -> tuple[str, ...]:
    verb = _verb(info) if info.is_resource else "GET" if info.verb == "get" else "other"
    return (verb, *[""] * 6, "apiserver")


def _verb(info: RequestInfo) -> str:
    """A method is any word that a client likes."""
    return _VERBS.get(info.verb, "other")


class Collector:
    """core: whose numbers and caches to tell."""

    def __init__(self, core: Core, version: Mapping[str, str]) -> None:
        self._core = core
        self._version = version

    def describe(self) -> Iterable[Metric]:
        """Names are known without looking: a registry would ask for all numbers to learn them."""
        return ()

    def collect(self) -> Iterable[Metric]:
        numbers: Metrics = self._core.metrics
        requests = CounterMetricFamily("apiserver_request_total", "Requests by outcome", labels=(*_REQUEST, "code"))
        for (labels, code), count in numbers.requests.items():
            requests.add_metric((*labels, str(code)), count)
        yield requests
        yield _histogram("apiserver_request_duration_seconds", "How long answers took", _REQUEST, numbers.durations)
        name = "apiserver_admission_step_admission_duration_seconds"
        yield _histogram(name, "How long admission took", _ADMISSION, numbers.admission)
        of_store = ("operation", "type")
        yield _histogram("etcd_request_duration_seconds", "How long writes to the store took", of_store, numbers.store)
        yield _counts("authentication_attempts", "Attempts to authenticate", "result", numbers.authentications)
        yield _counts("apiserver_authorization_decisions_total", "Decisions", "decision", numbers.authorizations)
        inflight = GaugeMetricFamily("apiserver_current_inflight_requests", "Requests now", labels=("request_kind",))
        for kind in ("mutating", "readOnly"):
            inflight.add_metric((kind,), numbers.in_flight[kind])
        yield inflight
        yield from self._of_caches()
        info = GaugeMetricFamily("kubernetes_build_info", "What is served", labels=tuple(self._version))
        info.add_metric(tuple(self._version.values()), 1)
        yield info

    def _of_caches(self) -> Iterable[Metric]:
        objects = GaugeMetricFamily("apiserver_storage_objects", "Stored objects", labels=("resource", "group"))
        watchers = GaugeMetricFamily("apiserver_longrunning_requests", "Open watches", labels=_REQUEST)
        events = CounterMetricFamily("apiserver_watch_events_total", "Events sent", labels=("group", "resource"))
        for cached in self._core.caches:
            resource = f"{cached.plural}.{cached.group}" if cached.group else cached.plural
            objects.add_metric((resource, cached.group), len(cached.state.items))
            labels = ("WATCH", "", cached.group, "", cached.plural, "", "", "apiserver")
            watchers.add_metric(labels, cached.hub.count)
            events.add_metric((cached.group, cached.plural), cached.sent)
        yield from (objects, watchers, events)


def _histogram(
    name: str, what: str, labels: tuple[str, ...], spreads: Mapping[tuple[str, ...], Spread]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, what, labels=labels)
    for values, spread in spreads.items():
        family.add_metric(values, spread.buckets(), spread.total_s)
    return family


def _counts(name: str, what: str, label: str, counts: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, what, labels=(label,))
    for value, count in counts.items():
        family.add_metric((value,), count)
    return family


async def render(metrics: Metrics) -> bytes:
    """What this process counted, and with it what others of the same server did."""
    registry: Any = metrics.registry
    if metrics.others is not None:
        others = await metrics.others()
        registry = Summed(metrics.registry.collect(), others)
    text: bytes = generate_latest(registry)
    return text
