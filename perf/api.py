"""API server: requests a second, lists, watch delivery, memory. `python perf/api.py [--json] [--store memory] [--profile FILE]`

The server runs in a process of its own on SQLite, behind TLS; the load comes from here over plain keep-alive
connections, as root in a network namespace that has no packet rules: tracking connections, which a cluster or a
firewall on this machine begins, costs a third of what goes over loopback. Pods are those of a deployment, 1.2 kB as
sent. With --profile py-spy records the server.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import math
import multiprocessing
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import limits
from apiserver_fixture import serving_apiserver
from cybernetes.base.clock import SystemClock
from cybernetes.bench.api import config_map, pod
from cybernetes.bench.connection import Connection, connect, pss_mb
from cybernetes.bench.kernel_rules import leave_the_machine
from cybernetes.run.process import GC_THRESHOLDS
from cybernetes.wire.http.tls import client_context

CLIENTS = (1, 8, 32)
RUN_S = 3.0
# Of one run: together as many objects as kube-apiserver makes in its runs of this load, so that what is in memory after
# all of it can be compared.
CREATED_MAX = 5000
PODS = 5000
# Objects that surely exist after a run of creations, however slow the machine.
KNOWN = 100
# Watches of one collection, and how many writes they are measured over.
WATCHERS = (1, 100)
WRITES = 100
FAN_OUTS = (0, 1, 100, 1000)
# Connections that were closed give their memory back a second later.
SETTLED_S = 2.0
WRITERS = 8
GET = ("GET", b"")

Row = tuple[str, float, str]


async def rate(
    name: str,
    connections: list[Connection],
    call: Callable[[Connection, int], Awaitable[int]],
    want: int,
    server: int,
    most: float = math.inf,
) -> list[Row]:
    """Calls a second with all connections busy, and the processor time of server and store for one.

    most  after so many calls the run is over, if its time is not
    """
    count = len(connections)
    deadline, done, number = time.perf_counter() + RUN_S, 0, 0
    before = cpu_s(server)

    async def work(connection: Connection) -> None:
        nonlocal done, number
        while number < most and time.perf_counter() < deadline:
            number += 1
            status = await call(connection, number)
            assert status == want, f"{status}, expected {want}"
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*map(work, connections))
    took = time.perf_counter() - started
    title = f"{name}, {count} client{'s' if count > 1 else ''}"
    return [(title, done / took, "/s"), (f"{title}: processor time", (cpu_s(server) - before) / done * 1e6, "us")]


async def measure(url: str, tls: ssl.SSLContext, server: int, empty: str, folder: str) -> list[Row]:
    """empty   the URL of a server that does nothing
    folder  on the disk of the server's store
    """
    connections = [await connect(url, tls) for _ in range(max(CLIENTS))]
    idle = [await connect(empty, tls) for _ in range(max(CLIENTS))]
    first = connections[0]
    rows: list[Row] = [("memory, empty cluster", pss_mb(server), "MB")]
    await namespace(first, "perf")
    made = 0

    async def create_map(connection: Connection, n: int) -> int:
        return (await connection.call("POST", "/api/v1/namespaces/perf/configmaps", config_map(f"m-{made + n}")))[0]

    async def create_pod(connection: Connection, n: int) -> int:
        return (await connection.call("POST", "/api/v1/namespaces/perf/pods", pod(f"p-{made + n}")))[0]

    async def get(connection: Connection, n: int) -> int:
        return (await connection.call("GET", f"/api/v1/namespaces/perf/pods/p-{n % KNOWN + 1}"))[0]

    async def update(connection: Connection, n: int) -> int:
        name = f"m-{n % KNOWN + 1}"
        return await write(connection, name, n)

    for name, call, want, most, asked in (
        ("create config maps", create_map, 201, CREATED_MAX, ("POST", config_map("m"))),
        ("create pods", create_pod, 201, CREATED_MAX, ("POST", pod("p"))),
        ("get a pod", get, 200, math.inf, GET),
        ("update config maps", update, 200, math.inf, ("PUT", config_map("m"))),
    ):
        for count in CLIENTS:
            ours = await rate(name, connections[:count], call, want, server, most)
            rows += [*ours, share(ours[0], await limits.answered(idle[:count], *asked), "an empty handler of aiohttp")]
            if asked is not GET:
                rows.append(share(ours[0], limits.committed(folder, count), f"SQLite with {count} in a transaction"))
            made += 1_000_000
        made = 0
    await fill(connections[:8], "full", PODS)
    rows += await lists(first, server)
    rows += await deliveries(url, tls, first)
    rows += await fan_outs(url, tls, first, server)
    rows += await storm(url, tls, connections[:WRITERS])
    await asyncio.sleep(SETTLED_S)
    rows.append(("memory of server and store after all", pss_mb(server), "MB"))
    return rows


def share(row: Row, limit: float, what: str) -> Row:
    """How a rate stands to what the machine can do at best at that moment."""
    return (f"{row[0]}: times what {what} does", row[1] / limit, "x")


async def namespace(connection: Connection, name: str) -> None:
    await connection.call("POST", "/api/v1/namespaces", json.dumps({"metadata": {"name": name}}).encode())
    path = f"/api/v1/namespaces/{name}/serviceaccounts"
    await connection.call("POST", path, b'{"metadata":{"name":"default"}}')


async def write(connection: Connection, name: str, n: int) -> int:
    """Change a config map; the status."""
    body = json.dumps({"metadata": {"name": name}, "data": {"n": str(n), "key": "x" * 1000}}).encode()
    return (await connection.call("PUT", f"/api/v1/namespaces/perf/configmaps/{name}", body))[0]


async def fill(connections: list[Connection], name: str, pods: int) -> None:
    """A namespace with exactly so many pods."""
    await namespace(connections[0], name)

    async def some(connection: Connection, numbers: range) -> None:
        for n in numbers:
            await connection.call("POST", f"/api/v1/namespaces/{name}/pods", pod(f"p-{n}"))

    await asyncio.gather(*(some(each, range(i, pods, len(connections))) for i, each in enumerate(connections)))


async def lists(connection: Connection, server: int) -> list[Row]:
    rows: list[Row] = []
    pods, table = "/api/v1/namespaces/full/pods", "application/json;as=Table;v=v1;g=meta.k8s.io"
    for name, path, accept in (
        ("list 5,000 pods, consistent", pods, "application/json"),
        ("list 5,000 pods, from the cache", f"{pods}?resourceVersion=0", "application/json"),
        ("list a page of 500 pods", f"{pods}?limit=500", "application/json"),
        ("list 5,000 pods by a label that none has", f"{pods}?labelSelector=x%3Dy", "application/json"),
        ("table of 500 pods", f"{pods}?limit=500", table),
    ):
        took = []
        before = cpu_s(server)
        for _ in range(9):
            started = time.perf_counter()
            status, body = await connection.call("GET", path, accept=accept)
            took.append((time.perf_counter() - started) * 1000)
            assert status == 200, body[:200]
        rows.append((name, min(took), "ms"))
        rows.append((f"{name}: processor time", (cpu_s(server) - before) / len(took) * 1e3, "ms"))
    return rows


class Deliveries:
    """When the frames of one event came at each watcher."""

    def __init__(self, watchers: int) -> None:
        self.all = asyncio.Event()
        self.times: list[float] = []
        self._watchers = watchers

    def expect(self) -> None:
        self.times = []
        self.all.clear()

    def chunk(self, data: bytes) -> None:
        count = data.count(b'"type":"MODIFIED"')
        if count:
            self.times += [time.perf_counter()] * count
            if len(self.times) >= self._watchers:
                self.all.set()


async def watching(url: str, tls: ssl.SSLContext, count: int, on_chunk: Callable[[bytes], None]) -> list[Connection]:
    """Watches of all config maps of the namespace from now on."""
    first = await connect(url, tls)
    path = "/api/v1/namespaces/perf/configmaps"
    _, listed = await first.call("GET", f"{path}?limit=1")
    now = json.loads(listed)["metadata"]["resourceVersion"]
    watchers = [first, *[await connect(url, tls) for _ in range(count - 1)]] if count else []
    for each in watchers:
        each.on_chunk = on_chunk
        each.send("GET", f"{path}?watch=1&resourceVersion={now}")
    await asyncio.sleep(0.5 + count / 1000)
    return watchers


async def deliveries(url: str, tls: ssl.SSLContext, writer: Connection) -> list[Row]:
    """From the moment at which a write was answered to its event at each of the watchers."""
    rows: list[Row] = []
    for count in WATCHERS:
        times: list[float] = []
        arrivals = Deliveries(count)
        watchers = await watching(url, tls, count, arrivals.chunk)
        for n in range(WRITES):
            arrivals.expect()
            status = await write(writer, "m-1", n)
            answered = time.perf_counter()
            assert status == 200
            await arrivals.all.wait()
            times += [max(0.0, each - answered) * 1000 for each in arrivals.times]
        times.sort()
        who = f"{count} watcher{'s' if count > 1 else ''}"
        rows.append((f"write answered to event at {who}, p50", times[len(times) // 2], "ms"))
        rows.append((f"write answered to event at {who}, p99", times[int(len(times) * 0.99)], "ms"))
        for each in watchers:
            each.close()
    return rows


async def fan_outs(url: str, tls: ssl.SSLContext, writer: Connection, server: int) -> list[Row]:
    """What a write costs server and store in all, and for each watcher that hears of it."""
    rows: list[Row] = []
    alone = 0.0
    for count in FAN_OUTS:
        arrivals = Deliveries(count)
        watchers = await watching(url, tls, count, arrivals.chunk)
        before = cpu_s(server)
        # The kernel counts in steps of ten milliseconds.
        writes = WRITES if count > 1 else 5 * WRITES
        for n in range(writes):
            arrivals.expect()
            assert await write(writer, "m-1", n) == 200
            if count:
                await arrivals.all.wait()
        cost = (cpu_s(server) - before) / writes * 1e6
        for each in watchers:
            each.close()
        who = f"{count} watcher{'s' if count > 1 else ''}" if count else "no watcher"
        rows.append((f"a write with {who}: processor time", cost, "us"))
        if count > 1:
            rows.append((f"an event to each of {who}: processor time", (cost - alone) / count, "us"))
        elif not count:
            alone = cost
    return rows


async def storm(url: str, tls: ssl.SSLContext, writers: list[Connection]) -> list[Row]:
    """Events a second that 100 watchers get together while eight clients write as fast as they can."""
    seen = 0

    def count(data: bytes) -> None:
        nonlocal seen
        seen += data.count(b'"type":"MODIFIED"')

    watchers = await watching(url, tls, 100, count)
    started = time.perf_counter()

    async def work(connection: Connection, number: int) -> None:
        n = 0
        while time.perf_counter() < started + RUN_S:
            n += 1
            assert await write(connection, f"m-{number + 1}", n) == 200

    await asyncio.gather(*(work(each, i) for i, each in enumerate(writers)))
    took = time.perf_counter() - started
    for each in watchers:
        each.close()
    return [("events to 100 watchers of eight writers", seen / took, "/s")]


def family(pid: int) -> list[int]:
    """The process and its children: the server, and the store's writer."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, listed)]


def cpu_s(pid: int) -> float:
    ticks = 0
    for each in family(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def serve(folder: str, kind: str, ready: Any) -> None:
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)

    async def run() -> None:
        store: Any = None
        if kind == "sqlite":
            from cybernetes.store.sqlite.store import SqliteStore

            store = await SqliteStore.open(Path(folder) / "state.db", clock=SystemClock())
        async with serving_apiserver(Path(folder), store=store) as api:
            await api.server.ready()
            ready.send((api.url, api.ca, api.certificate, api.key))
            await asyncio.Event().wait()

    uvloop.run(run())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--store", choices=("sqlite", "memory"), default="sqlite")
    parser.add_argument("--profile", help="write a py-spy record of the server there")
    options = parser.parse_args()
    if os.geteuid() == 0:
        leave_the_machine()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="perf-api-", dir=".") as folder:
        ours, theirs = context.Pipe()
        started = time.perf_counter()
        server = context.Process(target=serve, args=(folder, options.store, theirs), daemon=True)
        server.start()
        theirs.close()
        url, ca, certificate, key = ours.recv()
        start_s = time.perf_counter() - started
        assert server.pid is not None
        spy = None
        if options.profile:
            command = ["py-spy", "record", "-p", str(server.pid), "-o", options.profile, "-f", "raw", "-r", "200"]
            spy = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            rows: list[Row] = [("start to ready, empty store", start_s, "s")]
            tls = client_context(ca, certificate, key)
            with limits.empty_server(Path(folder) / "serving.crt", Path(folder) / "serving.key") as empty:
                rows += uvloop.run(measure(url, tls, server.pid, empty, folder))
        finally:
            if spy is not None:
                spy.send_signal(2)
                spy.wait()
            server.terminate()
            server.join(10)
    if options.json:
        print(json.dumps([{"name": name, "value": value, "unit": unit} for name, value, unit in rows]))
        return
    for name, value, unit in rows:
        print(f"{name:55} {value:10.2f} {unit}")


if __name__ == "__main__":
    main()
