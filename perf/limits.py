"""What this machine lets a server in Python do at best: aiohttp with an empty handler, SQLite's group commit.

perf/api.py asks for both between its own runs and tells its figures as shares of theirs. Shares say more than requests a
second: the speed of a virtual machine changes within minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import ssl
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web

from cybernetes.bench.connection import Connection, connect
from cybernetes.store.sqlite.schema import open_writer
from cybernetes.wire.http.tls import server_context

RUN_S = 1.0
# As long as a pod is in the store.
VALUE = b"x" * 1700
PATH = "/api/v1/namespaces/perf/pods"


@contextlib.contextmanager
def empty_server(certificate: Path, key: Path) -> Iterator[str]:
    """The URL of aiohttp on uvloop, in a process of its own, behind TLS, whose handler does nothing."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(certificate, key, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield f"https://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join(10)


def _serve(certificate: Path, key: Path, ready: Any) -> None:
    async def nothing(_: web.Request) -> web.Response:
        return web.Response()

    async def run() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", nothing)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context(certificate, key)).start()
        ready.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    uvloop.run(run())


async def connections(url: str, tls: ssl.SSLContext, count: int) -> list[Connection]:
    return [await connect(url, tls) for _ in range(count)]


async def answered(clients: Sequence[Connection], method: str, body: bytes) -> float:
    """Requests a second of an empty server with all clients busy."""
    done, deadline = 0, time.perf_counter() + RUN_S

    async def ask(client: Connection) -> None:
        nonlocal done
        while time.perf_counter() < deadline:
            status, _ = await client.call(method, PATH, body)
            assert status == 200, status
            done += 1

    began = time.perf_counter()
    await asyncio.gather(*map(ask, clients))
    return done / (time.perf_counter() - began)


def committed(folder: str, group: int) -> float:
    """Rows a second that SQLite takes, so many in each transaction, every transaction on disk before the next."""
    with tempfile.TemporaryDirectory(dir=folder) as inside:
        connection = open_writer(Path(inside) / "limit.db")
        connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, value BLOB)")
        began, rows = time.perf_counter(), 0
        while time.perf_counter() < began + RUN_S:
            with connection:
                connection.executemany("INSERT INTO rows VALUES (?, ?)", ((rows + n, VALUE) for n in range(group)))
            rows += group
        took = time.perf_counter() - began
        connection.close()
        return rows / took
