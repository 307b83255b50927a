"""Several API servers on one store: what was acknowledged stays, watchers miss and repeat nothing, whatever is killed."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.contract.servers.history import MAPS, SPACE, History, check, watch, write
from tests.contract.servers.several import Servers, several_servers

WRITERS = 4
WATCHERS = 3
BETWEEN_S = 0.5


async def record(servers: Servers, victims: list[str]) -> History:
    """What happens while these processes are killed, one after the other."""
    history, stop = History(), asyncio.Event()
    last: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    client = servers.client()
    try:
        start = int((await client.list(MAPS, namespace=SPACE)).resource_version)
        async with asyncio.TaskGroup() as watching:
            for _ in range(WATCHERS):
                history.watched.append([])
                watching.create_task(watch(servers.client, start, history.watched[-1], last))
            async with asyncio.TaskGroup() as writing:
                for number in range(WRITERS):
                    writing.create_task(write(number, servers.client, history, stop))
                for victim in victims:
                    await asyncio.sleep(BETWEEN_S)
                    restarts = servers.processes()[victim].restarts
                    servers.kill(victim)
                    await asyncio.to_thread(servers.wait_back, victim, restarts)
                await asyncio.sleep(BETWEEN_S)
                stop.set()
            end = await client.list(MAPS, namespace=SPACE)
            last.set_result(max(int(each["metadata"]["resourceVersion"]) for each in end.objects()))
    finally:
        await client.close()
    return history


@pytest.mark.parametrize("store", ["etcd"])
def test_killed_servers_lose_nothing_and_repeat_nothing(tmp_path: Path, store: str) -> None:
    if store == "etcd" and shutil.which("etcd") is None:
        pytest.skip("etcd is not installed: apt-get install etcd-server")
    with several_servers(tmp_path, store) as servers:
        assert {"apiserver", "apiserver-2"} <= set(servers.processes())
        history = asyncio.run(record(servers, ["apiserver-2", "apiserver", "apiserver-2"]))
    check(history)
    assert len(history.acknowledged) > 50
