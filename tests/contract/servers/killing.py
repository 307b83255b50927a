"""Writers and watchers at work while API servers are killed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from tests.contract.servers.history import MAPS, SPACE, History, watch, write
from tests.contract.servers.several import Servers

WRITERS = 4
WATCHERS = 3
BETWEEN_S = 0.5


async def record(servers: Servers, victims: Iterable[tuple[str, float]]) -> History:
    """What happens while these processes are killed, each so many seconds after the former is back."""
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
                for victim, after_s in victims:
                    await asyncio.sleep(after_s)
                    restarts = servers.processes()[victim].restarts
                    servers.kill(victim)
                    await asyncio.to_thread(servers.wait_back, victim, restarts)
                enough = len(history.acknowledged) + WRITERS
                while len(history.acknowledged) < enough:  # noqa: ASYNC110 -- of writers that go on
                    await asyncio.sleep(0.02)
                stop.set()
            end = await client.list(MAPS, namespace=SPACE)
            last.set_result(max(int(each["metadata"]["resourceVersion"]) for each in end.objects()))
    finally:
        await client.close()
    return history
