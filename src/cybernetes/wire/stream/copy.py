"""Joins two byte streams, as a proxy does."""

from __future__ import annotations

import asyncio

from cybernetes.wire.http.message import Duplex


async def join(a: Duplex, b: Duplex) -> None:
    """Copy both ways until one side ends; both are closed then."""
    try:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(_copy(a, b), name="copy")
            second = group.create_task(_copy(b, a), name="copy")
            done, _ = await asyncio.wait((first, second), return_when=asyncio.FIRST_COMPLETED)
            for task in (first, second):
                if task not in done:
                    task.cancel()
    finally:
        await a.close()
        await b.close()


async def _copy(source: Duplex, sink: Duplex) -> None:
    try:
        while data := await source.read():
            await sink.write(data)
    except OSError:
        # The other side is gone: nothing is left to copy, which `join` sees as the end.
        return
