"""What happened at each level, under Kubernetes' names of metrics. Counted as plain numbers, put into form when asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from cybernetes.base.spread import Spread

PREFIX = "apiserver_flowcontrol_"
_SECONDS = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0)
_BY = ("priority_level", "flow_schema")


class Tally:
    """One schema at one level. Requests that did not wait are those of `dispatched` that `waits` has not."""

    __slots__ = ("dispatched", "executing", "executions", "queued", "rejected", "seats", "waits")

    def __init__(self) -> None:
        self.dispatched = 0
        self.executing = 0
        self.queued = 0
        self.seats = 0
        self.rejected: dict[str, int] = {}
        self.executions = Spread(_SECONDS)
        self.waits = {True: Spread(_SECONDS), False: Spread(_SECONDS)}


class Numbers:
    def __init__(self) -> None:
        self.tallies: dict[tuple[str, str], Tally] = {}

    def of(self, level: str, schema: str) -> Tally:
        found = self.tallies.get((level, schema))
        if found is None:
            found = self.tallies[level, schema] = Tally()
        return found

    def totals(self, level: str) -> tuple[int, int, int]:
        """Requests that were let in, refused, and given up after waiting too long."""
        of_level = [tally for (name, _), tally in self.tallies.items() if name == level]
        rejected = sum(sum(each.rejected.values()) for each in of_level)
        late = sum(each.rejected.get("time-out", 0) for each in of_level)
        return sum(each.dispatched for each in of_level), rejected - late, late


class Collector:
    """gate: whose numbers to tell; a collector of prometheus_client."""

    def __init__(self, gate: Any) -> None:
        self._gate = gate

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before the first request; a registry asks for names when it takes a collector in."""
        return ()

    def collect(self) -> Iterable[Metric]:
        tallies = self._gate.numbers.tallies
        yield _counter("dispatched_requests_total", "Requests that were let in", tallies, "dispatched")
        rejected = CounterMetricFamily(f"{PREFIX}rejected_requests_total", "Refused requests", labels=(*_BY, "reason"))
        for key, tally in tallies.items():
            for reason, count in tally.rejected.items():
                rejected.add_metric((*key, reason), count)
        yield rejected
        yield _gauge("current_inqueue_requests", "Requests that wait", tallies, "queued")
        yield _gauge("current_executing_requests", "Requests that are answered now", tallies, "executing")
        yield _gauge("current_executing_seats", "Seats of requests that are answered now", tallies, "seats")
        yield _waits(tallies)
        yield _executions(tallies)
        yield from self._seats()

    def _seats(self) -> Iterable[Metric]:
        gate = self._gate
        families = {
            "nominal_limit_seats": lambda name, level: gate.seats[name].nominal,
            "lower_limit_seats": lambda name, level: gate.seats[name].minimum,
            "upper_limit_seats": lambda name, level: gate.seats[name].maximum,
            "current_limit_seats": lambda name, level: level.limit,
            "demand_seats": lambda name, level: level.meter.demand,
        }
        for suffix, value in families.items():
            family = GaugeMetricFamily(f"{PREFIX}{suffix}", "Seats of the level", labels=("priority_level",))
            for name, level in gate.levels.items():
                family.add_metric((name,), value(name, level))
            yield family


def _counter(suffix: str, what: str, tallies: Mapping[tuple[str, str], Tally], field: str) -> Metric:
    family = CounterMetricFamily(PREFIX + suffix, what, labels=_BY)
    for key, tally in tallies.items():
        family.add_metric(key, getattr(tally, field))
    return family


def _gauge(suffix: str, what: str, tallies: Mapping[tuple[str, str], Tally], field: str) -> Metric:
    family = GaugeMetricFamily(PREFIX + suffix, what, labels=_BY)
    for key, tally in tallies.items():
        family.add_metric(key, getattr(tally, field))
    return family


def _waits(tallies: Mapping[tuple[str, str], Tally]) -> Metric:
    name = f"{PREFIX}request_wait_duration_seconds"
    family = HistogramMetricFamily(name, "How long requests waited", labels=(*_BY, "execute"))
    for key, tally in tallies.items():
        at_once = tally.dispatched - sum(tally.waits[True].counts)
        family.add_metric((*key, "true"), tally.waits[True].buckets(at_once), tally.waits[True].total_s)
        family.add_metric((*key, "false"), tally.waits[False].buckets(), tally.waits[False].total_s)
    return family


def _executions(tallies: Mapping[tuple[str, str], Tally]) -> Metric:
    family = HistogramMetricFamily(f"{PREFIX}request_execution_seconds", "How long answers took", labels=_BY)
    for key, tally in tallies.items():
        family.add_metric(key, tally.executions.buckets(), tally.executions.total_s)
    return family
