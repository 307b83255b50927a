"""Numbers of several processes are one server's."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from cybernetes.apiserver.summed import Summed, told


def process(requests: int, objects: int, took_s: float, configuration: str) -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("apiserver_request", "Requests", ("verb", "code"), registry=registry).labels("GET", "200").inc(requests)
    Gauge("apiserver_current_inflight_requests", "Now", registry=registry).set(requests)
    Gauge("apiserver_storage_objects", "Stored", ("resource",), registry=registry).labels("pods").set(objects)
    Gauge("last_config_info", "In use", ("hash",), registry=registry).labels(configuration).set(1)
    Histogram("took_seconds", "Took", buckets=(1, 2), registry=registry).observe(took_s)
    return registry


def test_counts_and_sizes_are_added_and_what_is_alike_is_told_once() -> None:
    own, other, third = process(2, 7, 0.5, "a"), process(3, 8, 1.5, "b"), process(4, 8, 9, "a")
    Counter("only_there", "Once", registry=other).inc(5)
    summed = Summed(own.collect(), [told(other.collect()), told(third.collect())])
    lines = generate_latest(summed).decode().splitlines()  # type: ignore[arg-type]
    for line in (
        "# TYPE apiserver_request_total counter",
        'apiserver_request_total{code="200",verb="GET"} 9.0',
        "apiserver_current_inflight_requests 9.0",
        'apiserver_storage_objects{resource="pods"} 8.0',
        'last_config_info{hash="a"} 1.0',
        'last_config_info{hash="b"} 1.0',
        "only_there_total 5.0",
        "took_seconds_sum 11.0",
    ):
        assert lines.count(line) == 1, line
    assert [line for line in lines if line.startswith("took_seconds_bucket")] == [
        'took_seconds_bucket{le="1.0"} 1.0',
        'took_seconds_bucket{le="2.0"} 2.0',
        'took_seconds_bucket{le="+Inf"} 3.0',
    ]


def test_alone_nothing_is_changed() -> None:
    registry = process(2, 7, 0.5, "a")
    assert generate_latest(Summed(registry.collect(), [])) == generate_latest(registry)  # type: ignore[arg-type]
