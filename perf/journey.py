"""A pod from POST to Ready, and from DELETE to gone, on a running cluster. `python perf/journey.py [--json] [--data-dir DIR]`

Needs a cluster whose registry has the image of examples/hello. Times are those of a client that watches the pod.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from cybernetes.base.clock import SystemClock
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import connect
from cybernetes.client.target import PODS
from cybernetes.run.layout import DEFAULT_DATA_DIR, Layout

ROUNDS = 15
NAMESPACE = "default"
Object = dict[str, Any]


def _pod(name: str) -> Object:
    container = {
        "name": "ticker",
        "image": "registry.cybernetes:5000/hello:1",
        "args": ["tick", "/shared/tick"],
        "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
    }
    spec = {
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": "shared", "emptyDir": {}}],
    }
    return {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def _is_ready(kind: str, pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _is_gone(kind: str, pod: Object) -> bool:
    return kind == "DELETED"


async def _until(client: ApiClient, name: str, version: str, holds: Callable[[str, Object], bool]) -> None:
    events = client.watch(
        PODS, resource_version=version, namespace=NAMESPACE, field_selector=f"metadata.name={name}", timeout_s=60
    )
    async with contextlib.aclosing(events):
        async for event in events:
            if event.type != "BOOKMARK" and holds(event.type, msgspec.json.decode(event.object)):
                return
    raise TimeoutError(f"pod {name}: not within 60 s; `make up` puts its image into the registry")


async def _one(client: ApiClient, name: str) -> tuple[float, float]:
    """Seconds to Ready, seconds to gone."""
    began = time.perf_counter()
    created = await client.create(PODS, _pod(name), namespace=NAMESPACE)
    await _until(client, name, created["metadata"]["resourceVersion"], _is_ready)
    ready = time.perf_counter() - began
    await asyncio.sleep(0.3)
    began = time.perf_counter()
    deleted = await client.delete(PODS, name, namespace=NAMESPACE)
    await _until(client, name, deleted["metadata"]["resourceVersion"], _is_gone)
    return ready, time.perf_counter() - began


async def main(data_dir: Path) -> list[tuple[str, float, str]]:
    client = connect(Layout(data_dir).admin_kubeconfig, user_agent="perf", clock=SystemClock())
    try:
        await _one(client, "perf-warm")
        taken = [await _one(client, f"perf-{number}") for number in range(ROUNDS)]
    finally:
        await client.close()
    ready, gone = zip(*taken, strict=True)
    return [
        ("pod POST to Ready, p50", statistics.median(ready) * 1e3, "ms"),
        ("pod POST to Ready, slowest", max(ready) * 1e3, "ms"),
        ("pod DELETE to gone, p50", statistics.median(gone) * 1e3, "ms"),
        ("pod DELETE to gone, slowest", max(gone) * 1e3, "ms"),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--data-dir", type=Path, default=Path(DEFAULT_DATA_DIR))
    options = parser.parse_args()
    rows = uvloop.run(main(options.data_dir))
    if options.json:
        print(json.dumps([{"name": name, "value": round(value, 1), "unit": unit} for name, value, unit in rows]))
    else:
        for name, value, unit in rows:
            print(f"{name:45} {value:12,.1f} {unit}")
