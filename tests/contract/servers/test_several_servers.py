"""Several API servers on one store: what was acknowledged stays, watchers miss and repeat nothing, whatever is killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.contract.servers.history import check
from tests.contract.servers.killing import BETWEEN_S, record
from tests.contract.servers.several import Servers, several_servers

# Each API server once; the process that writes the file too.
VICTIMS = {"sqlite": ("apiserver-2", "store", "apiserver"), "etcd": ("apiserver-2", "apiserver")}


async def scrapes(servers: Servers) -> list[float]:
    """How many requests were answered, as several clients hear it one after the other."""
    found = []
    for _ in range(6):
        client = servers.client()
        body = (await client.raw("GET", "/metrics")).body
        assert isinstance(body, bytes)
        lines = [line for line in body.decode().splitlines() if line.startswith("apiserver_request_total{")]
        found.append(sum(float(line.rpartition(" ")[2]) for line in lines))
        await client.close()
    return found


@pytest.mark.parametrize("store", ["sqlite", "etcd"])
def test_killed_servers_lose_nothing_and_repeat_nothing(tmp_path: Path, store: str) -> None:
    with several_servers(tmp_path, store) as servers:
        assert {"apiserver", "apiserver-2"} <= set(servers.processes())
        counted = asyncio.run(scrapes(servers))
        assert counted == sorted(counted), "whoever is asked tells of both"
        history = asyncio.run(record(servers, [(each, BETWEEN_S) for each in VICTIMS[store]]))
    check(history)
    assert history.acknowledged
