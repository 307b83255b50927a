"""API server on a store of 150,000 pods: start, memory, and whether requests cost more than on an empty one. `python perf/api_scale.py [--json]`

The pods are written straight into the store, in the form that the server stores; then a server starts on it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import ssl
import sys
import tempfile
import time
from pathlib import Path

import orjson
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import api
from cybernetes.apiserver import stored
from cybernetes.base.clock import SystemClock
from cybernetes.bench.connection import pss_mb
from cybernetes.bench.kernel_rules import leave_the_machine
from cybernetes.store.api import Put
from cybernetes.store.sqlite.store import SqliteStore
from cybernetes.wire.http.tls import client_context

PODS = 150_000
LISTED = 100_000
# As many writes as one transaction takes.
BATCH = 128
# Calls of each kind, and how often they are repeated: the best repetition counts.
CALLS = 300
REPEATS = 6
FEW = 100


async def fill(path: Path, example: bytes, pods: int) -> None:
    """So many copies of a pod as the server made it: a tenth bound to nodes, two thirds in one namespace."""
    obj = orjson.loads(example)
    store = await SqliteStore.open(path, clock=SystemClock())
    for start in range(0, pods, BATCH):
        puts = []
        for n in range(start, min(start + BATCH, pods)):
            namespace = "large" if n < LISTED else "rest"
            metadata = {**obj["metadata"], "name": f"p-{n}", "namespace": namespace, "uid": f"{n:032x}"}
            spec = {**obj["spec"], "nodeName": f"node-{n % 1000}"} if n % 10 == 0 else obj["spec"]
            value = stored.encode({**obj, "metadata": metadata, "spec": spec}, "v1", "Pod")
            puts.append(Put(f"/core/pods/{namespace}/p-{n}", value))
        await store.txn([], puts)
    await store.close()


class Server:
    """A server in a process of its own, ready."""

    def __init__(self, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        started = time.perf_counter()
        self.process = context.Process(target=api.serve, args=(str(folder), "sqlite", theirs), daemon=True)
        self.process.start()
        theirs.close()
        url, ca, certificate, key = ours.recv()
        self.start_s = time.perf_counter() - started
        self.url: str = url
        self.tls: ssl.SSLContext = client_context(ca, certificate, key)
        assert self.process.pid is not None
        self.pid: int = self.process.pid

    def stop(self) -> None:
        self.process.terminate()
        self.process.join(20)


def peak_mb(pid: int) -> float:
    """The most memory since `forget_peak`."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


async def one_by_one(connection: api.Connection, what: str, round_: int) -> None:
    """CALLS calls of one kind."""
    pods = "/api/v1/namespaces/perf/pods"
    for n in range(CALLS):
        if what == "create a pod":
            status, _ = await connection.call("POST", pods, api.pod(f"p-{round_}-{n}"))
        elif what == "get a pod":
            status, _ = await connection.call("GET", f"{pods}/k-{n % FEW}")
        elif what == "list a page of 100 pods":
            status, _ = await connection.call("GET", "/api/v1/pods?limit=100")
        else:
            status, _ = await connection.call("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1")
        assert status in (200, 201), status


async def costs(servers: tuple[Server, Server]) -> dict[str, list[float]]:
    """Microseconds of processor time of server and store, of a call of each kind at each of the servers.

    They take turns, so that whatever else the machine does meets both.
    """
    connections = [await api.connect(each.url, each.tls) for each in servers]
    for connection in connections:
        await api.namespace(connection, "perf")
        for n in range(FEW):
            await connection.call("POST", "/api/v1/namespaces/perf/pods", api.pod(f"k-{n}"))
    found: dict[str, list[float]] = {}
    for what in ("create a pod", "get a pod", "list a page of 100 pods", "list the pods of a node"):
        best = [float("inf")] * len(servers)
        for round_ in range(REPEATS):
            for i, (server, connection) in enumerate(zip(servers, connections, strict=True)):
                before = api.cpu_s(server.pid)
                await one_by_one(connection, what, round_)
                best[i] = min(best[i], (api.cpu_s(server.pid) - before) / CALLS * 1e6)
        found[what] = best
    return found


async def example(url: str, tls: ssl.SSLContext) -> bytes:
    connection = await api.connect(url, tls)
    await api.namespace(connection, "perf")
    status, body = await connection.call("POST", "/api/v1/namespaces/perf/pods", api.pod("example"))
    assert status == 201, body
    return body


async def list_all(url: str, tls: ssl.SSLContext, server: int) -> list[api.Row]:
    connection = await api.connect(url, tls)
    forget_peak(server)
    before = peak_mb(server)
    started = time.perf_counter()
    status, body = await connection.call("GET", "/api/v1/namespaces/large/pods")
    took = time.perf_counter() - started
    assert status == 200
    more = peak_mb(server) - before
    return [
        ("list of 100,000 pods", took, "s"),
        ("list of 100,000 pods: size", len(body) / 2**20, "MB"),
        ("list of 100,000 pods: memory it takes", more, "MB"),
    ]


def measure(folder: Path) -> list[api.Row]:
    small = Server(folder / "small")
    large: Server | None = None
    try:
        body = asyncio.run(example(small.url, small.tls))
        empty_mb = pss_mb(small.pid)
        uvloop.run(fill(folder / "large/state.db", body, PODS))
        large = Server(folder / "large")
        rows: list[api.Row] = [
            ("start to ready, 150,000 pods", large.start_s, "s"),
            ("start to ready, 150,000 pods: processor time", api.cpu_s(large.pid), "s"),
        ]
        memory = pss_mb(large.pid)
        rows.append(("memory of server and store, 150,000 pods", memory, "MB"))
        rows.append(("memory of one more pod", (memory - empty_mb) / PODS * 1024, "KB"))
        rows += uvloop.run(list_all(large.url, large.tls, large.pid))
        for what, (alone, among_many) in uvloop.run(costs((small, large))).items():
            rows.append((f"{what}: processor time", alone, "us"))
            rows.append((f"{what}: times as much among 150,000 pods", among_many / alone, ""))
    finally:
        small.stop()
        if large is not None:
            large.stop()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if os.geteuid() == 0:
        leave_the_machine()
    with tempfile.TemporaryDirectory(prefix="perf-api-", dir=".") as folder:
        for each in ("small", "large"):
            (Path(folder) / each).mkdir()
        rows = measure(Path(folder))
    if options.json:
        print(json.dumps([{"name": name, "value": value, "unit": unit} for name, value, unit in rows]))
        return
    for name, value, unit in rows:
        print(f"{name:60} {value:10.2f} {unit}")


if __name__ == "__main__":
    main()
