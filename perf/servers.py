"""Several API servers on one store: processor time a request and memory, process by process. `python perf/servers.py`

Options: [--store sqlite|etcd] [--servers 1 2 ...] [--rounds N]. The numbers of servers take turns, so that a noisy
machine is noisy for all; the best of the rounds is told. Clients run here, and compete for the same cores: requests a
second say less than the processor time of each process, which says where the limit is with cores enough.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from perf.api import namespace, write
from tests.contract.servers.several import Servers, several_servers

from cybernetes.bench.api import config_map, pod
from cybernetes.bench.connection import Connection, connect, cpu_s
from cybernetes.client import kubeconfig
from cybernetes.wire.http.tls import client_context

CLIENTS = 16
RUN_S = 3.0
KNOWN = 100
WATCHERS = 100
SPACE = "/api/v1/namespaces/perf"

Rows = dict[str, float]
Call = Callable[[Connection, int], Awaitable[int]]


async def measure(servers: Servers) -> Rows:
    access = kubeconfig.access(kubeconfig.load([servers.layout.admin_kubeconfig]))
    tls = client_context(access.authority, access.certificate, access.key)
    url = f"https://127.0.0.1:{servers.port}"
    connections = [await connect(url, tls) for _ in range(CLIENTS)]
    await namespace(connections[0], "perf")
    pids = {name: each.pid for name, each in servers.processes().items()}
    rows: Rows = {f"memory, empty: {name}, MB": family_mb(pid) for name, pid in pids.items()}

    async def create_map(connection: Connection, n: int) -> int:
        return (await connection.call("POST", f"{SPACE}/configmaps", config_map(f"m-{n}")))[0]

    async def create_pod(connection: Connection, n: int) -> int:
        return (await connection.call("POST", f"{SPACE}/pods", pod(f"p-{n}")))[0]

    async def get(connection: Connection, n: int) -> int:
        return (await connection.call("GET", f"{SPACE}/pods/p-{n % KNOWN + 1}"))[0]

    async def update(connection: Connection, n: int) -> int:
        return await write(connection, f"m-{n % KNOWN + 1}", n)

    for name, call, want in (
        ("create config maps", create_map, 201),
        ("create pods", create_pod, 201),
        ("get a pod", get, 200),
        ("update config maps", update, 200),
    ):
        rows |= await rate(name, connections, call, want, pids)
    # Only one server is asked: what it costs another is what hearing of a write costs.
    rows |= await rate("update, one client", connections[:1], update, 200, pids)
    watchers = [await connect(url, tls) for _ in range(WATCHERS)]
    for each in watchers:
        each.on_chunk = len
        each.send("GET", f"{SPACE}/configmaps?watch=1")
    await asyncio.sleep(1.0)
    rows |= await rate(f"update before {WATCHERS} watchers", connections, update, 200, pids)
    for each in (*watchers, *connections):
        each.close()
    return rows | {f"memory, after all: {name}, MB": family_mb(pid) for name, pid in pids.items()}


async def rate(name: str, connections: list[Connection], call: Call, want: int, pids: dict[str, int]) -> Rows:
    """With all connections busy: calls a second, and what one costs each process."""
    loop = asyncio.get_running_loop()
    before, done, number = {each: cpu_s(pid) for each, pid in pids.items()}, 0, 0
    began = loop.time()

    async def work(connection: Connection) -> None:
        nonlocal done, number
        while loop.time() < began + RUN_S:
            number += 1
            status = await call(connection, number)
            assert status == want, f"{name}: {status}, expected {want}"
            done += 1

    await asyncio.gather(*map(work, connections))
    took = loop.time() - began
    cost = {each: (cpu_s(pid) - before[each]) / done * 1e6 for each, pid in pids.items()}
    rows = {f"{name}: requests/s": done / took, f"{name}: processor time of all, us": sum(cost.values())}
    return rows | {f"{name}: of which {each}, us": used for each, used in cost.items()}


def family_mb(pid: int) -> float:
    """Memory of a process and its children; of what processes share, their share of it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(_share_kb(each) for each in (str(pid), *children)) / 1024


def _share_kb(pid: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=("sqlite", "etcd"), default="sqlite")
    parser.add_argument("--servers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    best: dict[int, Rows] = {count: {} for count in options.servers}
    for _ in range(options.rounds):
        for count, rows in best.items():
            with (
                tempfile.TemporaryDirectory(prefix="perf-servers-") as folder,
                several_servers(Path(folder), options.store, count) as servers,
            ):
                for name, value in uvloop.run(measure(servers)).items():
                    pick = max if name.endswith("/s") else min
                    rows[name] = pick(rows.get(name, value), value)
    for count, rows in best.items():
        print(f"{count} API server{'s' if count > 1 else ''} on {options.store}")
        for name, value in rows.items():
            print(f"  {name:60} {value:10.1f}")


if __name__ == "__main__":
    main()
