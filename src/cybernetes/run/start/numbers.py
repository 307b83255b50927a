"""What a component tells of itself under Kubernetes' names: its requests, its leadership, its queues, its process.

source  Kubernetes "Metrics Reference": rest_client_*, leader_election_*, workqueue_*
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cybernetes.apiserver.nonresource import build_info
from cybernetes.base.errors import EdgeError
from cybernetes.client.queue import WorkQueue
from cybernetes.wire.http.message import Request, Response, Transport


class Counted:
    """A transport that counts what is answered: (method, code) -> requests; those without an answer have `<error>`."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.answers: Counter[tuple[str, str]] = Counter()

    async def send(self, request: Request) -> Response:
        try:
            response = await self._inner.send(request)
        except EdgeError:
            self.answers[request.method, "<error>"] += 1
            raise
        self.answers[request.method, str(response.status)] += 1
        return response

    async def close(self) -> None:
        await self._inner.close()


class Requests(Collector):
    """host: of the API server."""

    def __init__(self, host: str, transports: Iterable[Counted]) -> None:
        self._host = host
        self._transports = tuple(transports)

    def collect(self) -> Iterable[Metric]:
        labels = ("code", "host", "method")
        family = CounterMetricFamily("rest_client_requests_total", "Requests by code, method and host", labels=labels)
        total: Counter[tuple[str, str]] = Counter()
        for each in self._transports:
            total.update(each.answers)
        for (method, code), count in sorted(total.items()):
            family.add_metric((code, self._host, method), count)
        yield family


class Leading(Collector):
    def __init__(self, lease: str, leads: Callable[[], bool]) -> None:
        self._lease = lease
        self._leads = leads

    def collect(self) -> Iterable[Metric]:
        name = "leader_election_master_status"
        family = GaugeMetricFamily(name, "1 where this process leads, else 0", labels=("name",))
        family.add_metric((self._lease,), int(self._leads()))
        yield family


class Queues(Collector):
    """queues: by the controller whose they are."""

    def __init__(self, queues: Callable[[], Mapping[str, Iterable[WorkQueue[str]]]]) -> None:
        self._queues = queues

    def collect(self) -> Iterable[Metric]:
        depth = GaugeMetricFamily("workqueue_depth", "Keys that wait", labels=("name",))
        adds = CounterMetricFamily("workqueue_adds_total", "Keys that were added", labels=("name",))
        retries = CounterMetricFamily("workqueue_retries_total", "Keys that were added again", labels=("name",))
        for name, queues in sorted(self._queues().items()):
            own = list(queues)
            depth.add_metric((name,), sum(len(each) for each in own))
            adds.add_metric((name,), sum(each.adds for each in own))
            retries.add_metric((name,), sum(each.retries for each in own))
        yield from (depth, adds, retries)


class Build(Collector):
    def collect(self) -> Iterable[Metric]:
        labels = build_info()
        family = GaugeMetricFamily("kubernetes_build_info", "What this is", labels=tuple(labels))
        family.add_metric(tuple(labels.values()), 1)
        yield family


def registry(*collectors: Collector) -> CollectorRegistry:
    made = CollectorRegistry(auto_describe=False)
    for each in (Build(), *collectors):
        made.register(each)
    ProcessCollector(registry=made)
    PlatformCollector(registry=made)
    return made
