"""API server: requests a second, lists, watch delivery, memory. `python perf/api.py [--json] [--store memory] [--profile FILE]`

The server runs in a process of its own on SQLite, behind TLS; the load comes from here over plain keep-alive
connections. Pods are those of a deployment, 1.2 kB as sent. With --profile py-spy records the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
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

from apiserver_fixture import serving_apiserver
from cybernetes.base.clock import SystemClock
from cybernetes.wire.http.tls import client_context

CLIENTS = 8
RUN_S = 3.0
PODS = 5000
# Objects that surely exist after a run of creations, however slow the machine.
KNOWN = 100
WATCHERS = 50
EVENTS = 1000

Row = tuple[str, float, str]


def pod(name: str) -> bytes:
    container = {
        "name": "app",
        "image": "registry.example/shop/web:1.4.2",
        "command": ["/bin/web", "--listen=:8080"],
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": f"SETTING_{i}", "value": f"value-{i}"} for i in range(6)],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/web"}],
    }
    obj = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web", "pod-template-hash": "5d4f8c7b9"}},
        "spec": {
            "containers": [container],
            "volumes": [{"name": "config", "configMap": {"name": "web"}}],
            "automountServiceAccountToken": False,
        },
    }
    return json.dumps(obj).encode()


def config_map(name: str) -> bytes:
    return json.dumps({"metadata": {"name": name}, "data": {"key": "x" * 200}}).encode()


class Connection(asyncio.Protocol):
    """One keep-alive connection; a request at a time. No library, so that the load costs less than the server."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        # Where the answer ends in the buffer, -1 before its head is there.
        self._length = -1
        self._start = 0
        self._status = 0
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None
        self.on_chunk: Callable[[bytes], None] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self.on_chunk is not None:
            self.on_chunk(data)
            return
        self._buffer += data
        if self._length < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            at = head.find(b"content-length:")
            self._status = int(head[9:12])
            self._start = end + 4
            self._length = self._start + (int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0)
        if len(self._buffer) >= self._length and self._waiting is not None:
            body = bytes(self._buffer[self._start :])
            self._buffer.clear()
            self._length = -1
            waiting, self._waiting = self._waiting, None
            waiting.set_result((self._status, body))

    def send(self, method: str, path: str, body: bytes = b"", accept: str = "application/json") -> None:
        assert self._transport is not None
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nUser-Agent: perf/1\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._transport.write(head.encode() + b"\r\n" + body)

    async def call(
        self, method: str, path: str, body: bytes = b"", accept: str = "application/json"
    ) -> tuple[int, bytes]:
        self._waiting = asyncio.get_running_loop().create_future()
        self.send(method, path, body, accept)
        return await self._waiting


async def connect(url: str, tls: ssl.SSLContext) -> Connection:
    host, _, port = url.removeprefix("https://").partition(":")
    _, protocol = await asyncio.get_running_loop().create_connection(Connection, host, int(port), ssl=tls)
    return protocol


async def rate(
    name: str, connections: list[Connection], call: Callable[[Connection, int], Awaitable[int]], want: int, server: int
) -> list[Row]:
    """Calls a second with all connections busy, and what one costs the server's own process."""
    deadline, done, number = time.perf_counter() + RUN_S, 0, 0
    before = cpu_s(server)

    async def work(connection: Connection) -> None:
        nonlocal done, number
        while time.perf_counter() < deadline:
            number += 1
            status = await call(connection, number)
            assert status == want, f"{status}, expected {want}"
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*map(work, connections))
    took = time.perf_counter() - started
    return [(name, done / took, "/s"), (f"{name}: processor time", (cpu_s(server) - before) / done * 1e6, "us")]


async def measure(url: str, tls: ssl.SSLContext, server: int) -> list[Row]:
    connections = [await connect(url, tls) for _ in range(CLIENTS)]
    first = connections[0]
    rows: list[Row] = [("memory, empty cluster", memory_mb(server), "MB")]
    await first.call("POST", "/api/v1/namespaces", b'{"metadata":{"name":"perf"}}')
    await first.call("POST", "/api/v1/namespaces/perf/serviceaccounts", b'{"metadata":{"name":"default"}}')

    async def create_map(connection: Connection, n: int) -> int:
        return (await connection.call("POST", "/api/v1/namespaces/perf/configmaps", config_map(f"m-{n}")))[0]

    async def create_pod(connection: Connection, n: int) -> int:
        return (await connection.call("POST", "/api/v1/namespaces/perf/pods", pod(f"p-{n}")))[0]

    async def get(connection: Connection, n: int) -> int:
        return (await connection.call("GET", f"/api/v1/namespaces/perf/pods/p-{n % KNOWN + 1}"))[0]

    async def patch(connection: Connection, n: int) -> int:
        path = f"/api/v1/namespaces/perf/configmaps/m-{n % KNOWN + 1}"
        body = json.dumps({"metadata": {"name": f"m-{n % KNOWN + 1}"}, "data": {"n": str(n)}}).encode()
        return (await connection.call("PUT", path, body))[0]

    rows += await rate("create config maps", connections, create_map, 201, server)
    rows += await rate("update config maps", connections, patch, 200, server)
    rows += await rate("create pods", connections, create_pod, 201, server)
    rows += await rate("get a pod", connections, get, 200, server)
    await fill(connections)
    rows += await lists(first)
    rows += await watches(url, tls, first)
    rows.append(("memory after all", memory_mb(server), "MB"))
    return rows


async def fill(connections: list[Connection]) -> None:
    """A namespace with exactly PODS pods."""
    await connections[0].call("POST", "/api/v1/namespaces", b'{"metadata":{"name":"full"}}')
    await connections[0].call("POST", "/api/v1/namespaces/full/serviceaccounts", b'{"metadata":{"name":"default"}}')

    async def some(connection: Connection, numbers: range) -> None:
        for n in numbers:
            await connection.call("POST", "/api/v1/namespaces/full/pods", pod(f"p-{n}"))

    await asyncio.gather(*(some(each, range(i, PODS, CLIENTS)) for i, each in enumerate(connections)))


async def lists(connection: Connection) -> list[Row]:
    rows = []
    for name, path, accept in (
        ("list 5,000 pods", "/api/v1/namespaces/full/pods", "application/json"),
        ("list a page of 500 pods", "/api/v1/namespaces/full/pods?limit=500", "application/json"),
        (
            "list 5,000 pods by a label that none has",
            "/api/v1/namespaces/full/pods?labelSelector=x%3Dy",
            "application/json",
        ),
        (
            "table of 500 pods",
            "/api/v1/namespaces/full/pods?limit=500",
            "application/json;as=Table;v=v1;g=meta.k8s.io",
        ),
    ):
        took = []
        for _ in range(5):
            started = time.perf_counter()
            status, body = await connection.call("GET", path, accept=accept)
            took.append((time.perf_counter() - started) * 1000)
            assert status == 200, body[:200]
        rows.append((name, sorted(took)[len(took) // 2], "ms"))
    return rows


class Arrivals:
    """Counts one event's frames at all watchers."""

    def __init__(self, watchers: int) -> None:
        self.all = asyncio.Event()
        self._watchers = watchers
        self._seen = 0

    def expect(self) -> None:
        self._seen = 0
        self.all.clear()

    def chunk(self, data: bytes) -> None:
        self._seen += data.count(b'"type":"MODIFIED"')
        if self._seen >= self._watchers:
            self.all.set()


async def watches(url: str, tls: ssl.SSLContext, writer: Connection) -> list[Row]:
    """From the moment at which a write is sent to its event at the watchers: one alone, and the last of many."""
    rows = []
    for count in (1, WATCHERS):
        times: list[float] = []
        arrivals = Arrivals(count)
        watchers = [await connect(url, tls) for _ in range(count)]
        for each in watchers:
            each.on_chunk = arrivals.chunk
            each.send("GET", "/api/v1/namespaces/perf/configmaps?watch=1&fieldSelector=metadata.name%3Dm-1")
        await asyncio.sleep(0.5)
        for n in range(EVENTS // 10):
            arrivals.expect()
            body = json.dumps({"metadata": {"name": "m-1"}, "data": {"n": str(n)}}).encode()
            status, _ = await writer.call("PUT", "/api/v1/namespaces/perf/configmaps/m-1", body)
            answered = time.perf_counter()
            assert status == 200
            await arrivals.all.wait()
            times.append((time.perf_counter() - answered) * 1000)
        times.sort()
        who = "one watcher" if count == 1 else f"the last of {count} watchers"
        rows.append((f"write answered to event at {who}, p50", times[len(times) // 2], "ms"))
        rows.append((f"write answered to event at {who}, p99", times[int(len(times) * 0.99)], "ms"))
    return rows


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def serve(folder: str, kind: str, ready: Any) -> None:
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
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="perf-api-", dir=".") as folder:
        ours, theirs = context.Pipe()
        server = context.Process(target=serve, args=(folder, options.store, theirs), daemon=True)
        server.start()
        theirs.close()
        url, ca, certificate, key = ours.recv()
        assert server.pid is not None
        spy = None
        if options.profile:
            command = ["py-spy", "record", "-p", str(server.pid), "-o", options.profile, "-f", "raw", "-r", "200"]
            spy = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            rows = uvloop.run(measure(url, client_context(ca, certificate, key), server.pid))
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
