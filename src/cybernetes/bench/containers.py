"""Many real pods at once on a running cluster: all Ready, all gone.

Needs a cluster whose registry has the image of examples/hello. Pods belong to one Deployment; they end at SIGTERM.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.bench.result import Result, Tell
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import connect
from cybernetes.client.target import DEPLOYMENTS, NAMESPACES, PODS
from cybernetes.run.layout import Layout

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


async def run(data_dir: Path, pods: int, tell: Tell) -> Result:
    """Raises EdgeError where no cluster runs, TimeoutError when pods are not Ready, or not gone, in time."""
    kubeconfig = Layout(data_dir).admin_kubeconfig
    if not kubeconfig.exists():
        raise EdgeError("use", str(data_dir), "no cluster is there; start one with: make up", outcome=Outcome.NOT_DONE)
    client = connect(kubeconfig, user_agent="perf", clock=SystemClock())
    try:
        await client.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
        began = time.perf_counter()
        await client.create(DEPLOYMENTS, _deployment(pods), namespace=NAMESPACE)
        tell("waiting until all are Ready")
        await _until(client, lambda found: found.get("status", {}).get("readyReplicas", 0) == pods)
        ready_s = time.perf_counter() - began
        await asyncio.sleep(1)
        tell("waiting until all are gone")
        began = time.perf_counter()
        await client.delete(DEPLOYMENTS, "density", namespace=NAMESPACE, propagation="Background")
        await _no_pods(client)
        gone_s = time.perf_counter() - began
    finally:
        await client.delete(NAMESPACES, NAMESPACE)
        await client.close()
    figures = {"all_ready_s": ready_s, "all_gone_s": gone_s}
    return Result(workload="containers", pods=pods, pods_per_second=pods / ready_s, figures=figures)
