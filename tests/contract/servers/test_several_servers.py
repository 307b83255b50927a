"""Several API servers on one store: what was acknowledged stays, watchers miss and repeat nothing, whatever is killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.contract.servers.history import check
from tests.contract.servers.killing import BETWEEN_S, record
from tests.contract.servers.several import several_servers

# Each API server once; the process that writes the file too.
VICTIMS = {"sqlite": ("apiserver-2", "store", "apiserver"), "etcd": ("apiserver-2", "apiserver")}


@pytest.mark.parametrize("store", ["sqlite", "etcd"])
def test_killed_servers_lose_nothing_and_repeat_nothing(tmp_path: Path, store: str) -> None:
    with several_servers(tmp_path, store) as servers:
        assert {"apiserver", "apiserver-2"} <= set(servers.processes())
        history = asyncio.run(record(servers, [(each, BETWEEN_S) for each in VICTIMS[store]]))
    check(history)
    assert history.acknowledged
