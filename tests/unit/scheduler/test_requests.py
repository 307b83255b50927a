"""What a pod counts as on a node."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from cybernetes.scheduler.objects import PodObject, PodSpec
from cybernetes.scheduler.pods import Interner
from cybernetes.scheduler.requests import pod_requests


def container(cpu: str = "", memory: str = "", **more: Any) -> dict[str, Any]:
    requests = {name: value for name, value in (("cpu", cpu), ("memory", memory)) if value}
    return {"name": "c", "image": "i", "resources": {"requests": requests}, **more}


def spec(**fields: Any) -> PodSpec:
    return msgspec.json.decode(json.dumps({"containers": [container()], **fields}).encode(), type=PodSpec)


@pytest.mark.parametrize(
    ("fields", "cpu_milli"),
    [
        ({"containers": [container("100m"), container("0.2")]}, 300),
        ({"containers": [container("100m")], "initContainers": [container("500m")]}, 500),
        # A sidecar runs beside everything that starts after it.
        (
            {
                "containers": [container("100m")],
                "initContainers": [container("200m", restartPolicy="Always"), container("500m")],
            },
            700,
        ),
        (
            {
                "containers": [container("100m")],
                "initContainers": [container("500m"), container("200m", restartPolicy="Always")],
            },
            500,
        ),
        ({"containers": [container("100m")], "overhead": {"cpu": "50m"}}, 150),
        ({"containers": [container("100m")], "resources": {"requests": {"cpu": "2"}}}, 2000),
        ({"containers": [container("1.5m")]}, 2),
    ],
)
def test_the_largest_sum_at_one_time_counts(fields: dict[str, Any], cpu_milli: int) -> None:
    assert pod_requests(spec(**fields)).of("cpu") == cpu_milli


def test_containers_without_requests_are_compared_with_defaults() -> None:
    found = pod_requests(spec(containers=[container(), container("1")]))
    assert found.amounts == (("cpu", 1000),)
    assert (found.scored_cpu_milli, found.scored_memory_bytes) == (1100, 400 * 2**20)


def test_a_running_pod_keeps_what_it_has_until_it_has_shrunk() -> None:
    manifest = {
        "metadata": {"name": "p", "namespace": "n"},
        "spec": {"nodeName": "a", "containers": [container("100m", "1Gi")]},
        "status": {
            "containerStatuses": [
                {"name": "c", "resources": {"requests": {"cpu": "500m"}}, "allocatedResources": {"memory": "512Mi"}}
            ]
        },
    }
    entry = Interner().entry(msgspec.json.decode(json.dumps(manifest).encode(), type=PodObject))
    assert entry.shape.requests.amounts == (("cpu", 500), ("memory", 2**30))
