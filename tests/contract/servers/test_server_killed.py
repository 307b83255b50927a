"""One API server that is killed at any moment: what was acknowledged stays, watchers miss and repeat nothing."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest
from tests.contract.servers.history import check
from tests.contract.servers.killing import record
from tests.contract.servers.several import several_servers

# More of them by hand: `HISTORY_KILLS=200`.
KILLS = int(os.environ.get("HISTORY_KILLS", "2"))
LATEST_S = 1.0


@pytest.mark.parametrize("store", ["sqlite", "etcd"])
def test_a_killed_server_loses_nothing_and_repeats_nothing(tmp_path: Path, store: str) -> None:
    moments = random.Random(os.environ.get("HISTORY_SEED", store))
    with several_servers(tmp_path, store, count=1) as servers:
        victims = [("apiserver", moments.random() * LATEST_S) for _ in range(KILLS)]
        history = asyncio.run(record(servers, victims))
    check(history)
    assert len(history.acknowledged) > KILLS
    assert any(history.watched[0])
