"""Hollow nodes: real kubelets, many in a process, each on a runtime and a machine in memory.

`python -m cybernetes.bench.hollow DATA_DIR FIRST COUNT` runs nodes hollow-FIRST and so on until it is told to stop.
Each byte on its standard input lets one of them start.

own     of each node: its identity and certificate, its connections, its watches, lease, status, events; runtime and
        machine, in memory
shared  by the nodes of a process: the interpreter and its loop. Certificates come from the cluster's authority at once;
        nothing listens on port 10250
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections import deque
from pathlib import Path

import uvloop

from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.log import configure
from cybernetes.base.random import SystemRandom
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import Access, transport
from cybernetes.kubelet.config import KubeletConfig
from cybernetes.kubelet.fake_host import FakeHost, FakeProber
from cybernetes.kubelet.loop import Kubelet
from cybernetes.kubelet.runtime.fake import FakeRuntime
from cybernetes.run import config as cluster_config
from cybernetes.run import files
from cybernetes.run.layout import Layout
from cybernetes.run.process import allow_many_files, spare_garbage_collection

IMAGE = "registry.example/app:1"
PREFIX = "hollow-"
MAX_PODS = 110


def name_of(n: int) -> str:
    return f"{PREFIX}{n}"


async def run(data_dir: Path, first: int, count: int) -> None:
    """Until cancelled. data_dir: of the cluster, with its authority's key."""
    clock, random = SystemClock(), SystemRandom()
    layout = Layout(data_dir)
    server = cluster_config.read(layout.config).server_url
    authority = files.ca(layout).read()
    clients = []
    admitted = await _standard_input()
    try:
        async with asyncio.TaskGroup() as group:
            for n in range(first, first + count):
                await admitted.readexactly(1)
                access = access_of(name_of(n), server, authority, pki.Terms(clock.now(), random))
                client = ApiClient(transport(access), user_agent="kubelet", clock=clock)
                clients.append(client)
                group.create_task(hollow_kubelet(client, clock, n).run(), name=name_of(n))
    finally:
        for each in clients:
            await each.close()


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def access_of(name: str, server: str, authority: pki.Credential, terms: pki.Terms) -> Access:
    """How a node reaches the API server, as itself."""
    own = pki.client(authority, f"system:node:{name}", ["system:nodes"], terms)
    return Access(server=server, authority=authority.certificate, certificate=own.certificate, key=own.key)


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
    data_dir, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    configure("error")
    allow_many_files()
    spare_garbage_collection()
    uvloop.run(_until_told_to_stop(data_dir, first, count))


async def _until_told_to_stop(data_dir: Path, first: int, count: int) -> None:
    task = asyncio.ensure_future(run(data_dir, first, count))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    main()
