"""Figures of measurements: how they are handed out, and what the loads are made of."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from cybernetes.base.errors import EdgeError
from cybernetes.bench import latency, plot, workloads
from cybernetes.bench.connection import Connection, pss_mb
from cybernetes.bench.plane import last_words
from cybernetes.bench.readiness import Readiness
from cybernetes.bench.result import Result, percentile, table, write_json

SAMPLES = tuple((n / 100, 5.0 + n % 7) for n in range(1000))
RESULT = Result(
    workload="basic",
    nodes=3,
    pods=1000,
    pods_per_second=100.04,
    p50_ms=8.0,
    p99_ms=11.0,
    figures={"scheduler_cpu_ms": 0.07},
    samples=SAMPLES,
)


def test_json_has_one_flat_object_for_each_run(tmp_path: Path) -> None:
    write_json(tmp_path / "r.json", [RESULT])
    [found] = json.loads((tmp_path / "r.json").read_text())["results"]
    assert found == {
        "workload": "basic",
        "nodes": 3,
        "pods": 1000,
        "pods_per_second": 100.0,
        "p50_ms": 8.0,
        "p99_ms": 11.0,
        "scheduler_cpu_ms": 0.07,
    }


def test_the_table_has_words_and_units() -> None:
    console = Console(width=100, record=True)
    console.print(table([RESULT]))
    text = console.export_text()
    assert "scheduler cpu" in text
    assert "0.070" in text


def test_a_picture_has_a_line_for_throughput_and_two_for_latency(tmp_path: Path) -> None:
    plot.write(tmp_path / "r.svg", [RESULT, Result(workload="without samples")])
    root = ElementTree.parse(tmp_path / "r.svg").getroot()
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 3
    slices = plot.sliced(SAMPLES)
    assert sum(len(some) for _, _, some in slices) == len(SAMPLES)
    with pytest.raises(EdgeError, match=r"\.svg or \.png"):
        plot.write(tmp_path / "r.gif", [RESULT])


def test_percentiles() -> None:
    assert percentile([], 0.5) == 0
    assert percentile([1, 2, 3, 4], 0.5) == 3
    assert percentile([1, 2, 3, 4], 0.99) == 4


@pytest.mark.parametrize("workload", workloads.WORKLOADS)
def test_every_workload_is_pods_that_find_a_node(workload: str) -> None:
    bodies = [json.loads(each) for each in workloads.pods_of(workload, 25, 10)]
    assert len({each["metadata"]["name"] for each in bodies}) == 25
    assert workloads.expected(workload, 25) == (22 if workload == "unschedulable" else 25)
    assert len(workloads.nodes_of(workload, 10)) == 10


EXPOSITION = """\
# TYPE apiserver_request_duration_seconds histogram
apiserver_request_duration_seconds_bucket{verb="GET",le="0.1"} %d
apiserver_request_duration_seconds_bucket{verb="GET",le="1.0"} %d
apiserver_request_duration_seconds_bucket{verb="GET",le="+Inf"} %d
apiserver_request_duration_seconds_bucket{verb="PATCH",le="0.1"} 5
apiserver_request_duration_seconds_bucket{verb="PATCH",le="1.0"} 8
apiserver_request_duration_seconds_bucket{verb="PATCH",le="+Inf"} 8
apiserver_request_duration_seconds_bucket{verb="WATCH",le="0.1"} 0
apiserver_request_duration_seconds_bucket{verb="WATCH",le="+Inf"} 1000
# TYPE apiserver_flowcontrol_rejected_requests_total counter
apiserver_flowcontrol_rejected_requests_total{flow_schema="a",reason="queue-full"} 2.0
apiserver_flowcontrol_rejected_requests_total{flow_schema="b",reason="time-out"} 3.0
"""


def test_the_servers_latency_is_that_of_ordinary_requests_between_two_looks() -> None:
    looks = latency.buckets(EXPOSITION % (10, 10, 10)), latency.buckets(EXPOSITION % (109, 110, 110))
    before, after = (each[latency.ALL] for each in looks)
    assert latency.total(before, after) == 100
    assert latency.quantile(before, after, 0.5) == 0.1
    assert latency.quantile(before, after, 0.995) == 1.0
    assert latency.quantile(after, after, 0.5) == 0.0


def test_the_servers_latency_is_told_by_kinds_of_requests() -> None:
    found = latency.buckets(EXPOSITION % (10, 10, 10))
    assert {kind: latency.total({}, each) for kind, each in found.items()} == {
        "all": 18,
        "get": 10,
        "list": 0,
        "write": 8,
    }
    assert latency.quantile({}, found["write"], 0.99) == 1.0


def test_refused_requests_are_counted() -> None:
    assert latency.refused(EXPOSITION % (0, 0, 0)) == 5


def test_memory_of_a_process_is_some() -> None:
    assert 1 < pss_mb(os.getpid()) < 10_000


def test_objects_are_ready_when_a_watch_first_shows_it() -> None:
    connection = Connection()
    connection.send = lambda *_: None  # type: ignore[method-assign]
    seen = Readiness(connection, "/api/v1/nodes", "hollow-")
    ready = b'{"type":"MODIFIED","object":{"metadata":{"name":"hollow-%d"},"spec":{%s},"status":{"status":"True","type":"Ready"}}}\n'
    tainted, free = ready % (1, b'"taints":[{}]'), ready % (2, b"")
    seen.take(tainted + free[:40])
    assert not seen.at
    seen.take(free[40:])
    assert list(seen.at) == ["hollow-2"]
    seen.check()
    seen.take(b'{"type":"ERROR","object":{"code":410}}\n')
    with pytest.raises(EdgeError):
        seen.check()


def test_last_words_are_what_was_logged_and_not_only_what_stood_behind_it() -> None:
    log = "2026-01-01T00:00:00.000Z W leader.lost\n" + "noise\n" * 50 + "the end " + "x" * 1000
    said = last_words(log)
    assert said.startswith("2026-01-01T00:00:00.000Z W leader.lost\n")
    assert "the end" in said and len(said) < 1000


def test_a_connection_that_the_server_closed_says_so() -> None:
    with pytest.raises(ConnectionResetError):
        asyncio.run(Connection().call("GET", "/"))
