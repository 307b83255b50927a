"""What the scheduler counts, under the names that kube-scheduler gives it.

Deciding adds to plain numbers; families of metrics are made of them when somebody asks.

source  Kubernetes "Metrics Reference": scheduler_*
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from cybernetes.base.spread import Spread
from cybernetes.scheduler.queue import SchedulingQueue

SCHEDULED, UNSCHEDULABLE, ERROR = "scheduled", "unschedulable", "error"
# Upstream's: a millisecond, doubled fourteen times.
_SECONDS = tuple(0.001 * 2**n for n in range(15))
_ATTEMPT = ("profile", "result")


class Numbers:
    """Of attempts that are decided; how they are carried out is not counted again."""

    def __init__(self) -> None:
        self.attempts: Counter[tuple[str, str]] = Counter()
        self.durations: dict[tuple[str, str], Spread] = {}
        self._decided: list[tuple[str, str]] = []

    def decided(self, profile: str, result: str) -> None:
        """One attempt has come to its end; `took` says how long it and those beside it needed."""
        self.attempts[profile, result] += 1
        self._decided.append((profile, result))

    def took(self, seconds: float) -> None:
        """For all that was decided since this was said last: they share the time."""
        if not self._decided:
            return
        each_s = seconds / len(self._decided)
        for attempt in self._decided:
            spread = self.durations.get(attempt)
            if spread is None:
                spread = self.durations[attempt] = Spread(_SECONDS)
            spread.add(each_s)
        self._decided.clear()


class SchedulerNumbers(Collector):
    def __init__(self, numbers: Numbers, queue: SchedulingQueue) -> None:
        self._numbers = numbers
        self._queue = queue

    def collect(self) -> Iterable[Metric]:
        attempts = CounterMetricFamily("scheduler_schedule_attempts_total", "Attempts by result", labels=_ATTEMPT)
        for labels, count in sorted(self._numbers.attempts.items()):
            attempts.add_metric(labels, count)
        yield attempts
        name = "scheduler_scheduling_attempt_duration_seconds"
        durations = HistogramMetricFamily(name, "How long attempts took to decide", labels=_ATTEMPT)
        for labels, spread in sorted(self._numbers.durations.items()):
            durations.add_metric(labels, spread.buckets(), spread.total_s)
        yield durations
        pending = GaugeMetricFamily("scheduler_pending_pods", "Pods that wait", labels=("queue",))
        for queue, count in self._queue.pending().items():
            pending.add_metric((queue,), count)
        yield pending
        name = "scheduler_queue_incoming_pods_total"
        incoming = CounterMetricFamily(name, "Pods that came into a queue", labels=("event", "queue"))
        for labels, count in sorted(self._queue.incoming.items()):
            incoming.add_metric(labels, count)
        yield incoming
