"""Many real pods at once on a running cluster: all Ready, all gone. `python perf/density.py [--json] [--pods N] [--data-dir DIR]`

Needs a cluster whose registry has the image of examples/hello. Pods belong to one Deployment; they end at SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from cybernetes.base.clock import SystemClock
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import connect
from cybernetes.client.target import PODS, Target
from cybernetes.run.layout import DEFAULT_DATA_DIR, Layout

DEPLOYMENTS = Target("apps", "v1", "deployments", "Deployment")
NAMES = Target("", "v1", "namespaces", "Namespace", namespaced=False)
NAMESPACE = "perf-density"
LIMIT_S = 300
POLL_S = 0.1


def _deployment(replicas: int) -> dict[str, Any]:
    container = {
        "name": "ticker",
        "image": "registry.cybernetes:5000/hello:1",
        "args": ["tick", "/shared/tick"],
        "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
    }
    labels = {"app": "density"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "volumes": [{"name": "shared", "emptyDir": {}}]},
    }
    metadata = {"name": "density", "namespace": NAMESPACE}
    return {
        "metadata": metadata,
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


async def _until(client: ApiClient, holds: Callable[[dict[str, Any]], bool]) -> None:
    """The deployment's status is one small object, so that looking at it costs the cluster nothing."""
    deadline = time.monotonic() + LIMIT_S
    while not holds(await client.get(DEPLOYMENTS, "density", namespace=NAMESPACE)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {LIMIT_S} s")
        await asyncio.sleep(POLL_S)


async def _no_pods(client: ApiClient) -> None:
    deadline = time.monotonic() + LIMIT_S
    while (await client.list(PODS, namespace=NAMESPACE)).items:
        if time.monotonic() > deadline:
            raise TimeoutError(f"pods are left after {LIMIT_S} s")
        await asyncio.sleep(POLL_S)


async def main(data_dir: Path, pods: int) -> list[tuple[str, float, str]]:
    client = connect(Layout(data_dir).admin_kubeconfig, user_agent="perf", clock=SystemClock())
    try:
        await client.create(NAMES, {"metadata": {"name": NAMESPACE}})
        began = time.perf_counter()
        await client.create(DEPLOYMENTS, _deployment(pods), namespace=NAMESPACE)
        await _until(client, lambda found: found.get("status", {}).get("readyReplicas", 0) == pods)
        ready_s = time.perf_counter() - began
        await asyncio.sleep(1)
        began = time.perf_counter()
        await client.delete(DEPLOYMENTS, "density", namespace=NAMESPACE, propagation="Background")
        await _no_pods(client)
        gone_s = time.perf_counter() - began
    finally:
        await client.delete(NAMES, NAMESPACE)
        await client.close()
    return [
        (f"{pods} pods at once: all Ready", ready_s, "s"),
        (f"{pods} pods at once: Ready a second", pods / ready_s, "pods/s"),
        (f"{pods} pods at once: all gone", gone_s, "s"),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pods", type=int, default=100)
    parser.add_argument("--data-dir", type=Path, default=Path(DEFAULT_DATA_DIR))
    options = parser.parse_args()
    rows = uvloop.run(main(options.data_dir, options.pods))
    if options.json:
        print(json.dumps([{"name": name, "value": round(value, 2), "unit": unit} for name, value, unit in rows]))
    else:
        for name, value, unit in rows:
            print(f"{name:45} {value:12,.1f} {unit}")
