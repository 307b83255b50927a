"""Hollow nodes: real kubelets, many in a process, each on a runtime and a machine in memory.

`python -m cybernetes.bench.hollow KUBECONFIG FIRST COUNT` runs nodes hollow-FIRST and so on until it is told to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections import deque
from pathlib import Path

import uvloop

from cybernetes.base.clock import SystemClock
from cybernetes.base.log import configure
from cybernetes.base.random import SystemRandom
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import connect
from cybernetes.kubelet.config import KubeletConfig
from cybernetes.kubelet.fake_host import FakeHost, FakeProber
from cybernetes.kubelet.loop import Kubelet
from cybernetes.kubelet.runtime.fake import FakeRuntime
from cybernetes.run.process import GC_THRESHOLDS

IMAGE = "registry.example/app:1"
PREFIX = "hollow-"
MAX_PODS = 110
# Kubelets of one client: each holds two watches, and a client has 512 connections.
PER_CLIENT = 200
# Kubelets that start at once; a burst of all would only wait for each other.
STARTING_AT_ONCE = 25


def name_of(n: int) -> str:
    return f"{PREFIX}{n}"


async def run(kubeconfig: Path, first: int, count: int) -> None:
    """Until cancelled."""
    clock = SystemClock()
    clients = [connect(kubeconfig, user_agent="kubelet", clock=clock) for _ in range(0, count, PER_CLIENT)]
    try:
        async with asyncio.TaskGroup() as group:
            for n in range(count):
                kubelet = hollow_kubelet(clients[n // PER_CLIENT], clock, first + n)
                group.create_task(kubelet.run(), name=name_of(first + n))
                if n % STARTING_AT_ONCE == STARTING_AT_ONCE - 1:
                    await clock.sleep(1.0)
    finally:
        for each in clients:
            await each.close()


def hollow_kubelet(client: ApiClient, clock: SystemClock, n: int) -> Kubelet:
    runtime = FakeRuntime(clock, [IMAGE])
    # What a test would look at; here it would only grow.
    runtime.calls = deque(maxlen=0)
    config = KubeletConfig(
        node_name=name_of(n),
        node_ip=f"10.{192 + (n >> 16)}.{n >> 8 & 255}.{n & 255}",
        cgroup_root="/",
        max_pods=MAX_PODS,
    )
    host = FakeHost(cpu_count=32, memory_bytes=64 << 30)
    return Kubelet(client, runtime, clock, SystemRandom(), config, host, FakeProber())


def main() -> None:
    kubeconfig, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    configure("error")
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    uvloop.run(_until_told_to_stop(kubeconfig, first, count))


async def _until_told_to_stop(kubeconfig: Path, first: int, count: int) -> None:
    task = asyncio.ensure_future(run(kubeconfig, first, count))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    main()
