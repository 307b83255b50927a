"""Asks the other processes of this machine's API server for their metrics, and tells them its own.

Each listens at a socket of its owner's in one folder, named by its process id; who connects is told, and hung up on.
What a killed process left there is taken away by who finds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from cybernetes.base.log import Log
from cybernetes.base.private_socket import listen_private

log = Log("apiserver.siblings")

# A process that has not told its numbers by then is left out: a scraper waits for ten seconds.
PATIENCE_S = 2.0
BACKLOG = 16


class Siblings:
    """tell: this process's numbers."""

    def __init__(self, folder: Path, tell: Callable[[], bytes]) -> None:
        self._folder = folder
        self._own = folder / str(os.getpid())
        self._tell = tell

    async def run(self) -> None:
        """Tell who asks, until cancelled."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        server = await asyncio.start_unix_server(self._answer, sock=listen_private(self._own, BACKLOG))
        try:
            async with server:
                await server.serve_forever()
        finally:
            self._own.unlink(missing_ok=True)

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Who asks may have lost patience.
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                writer.write(self._tell())
                await writer.drain()
        writer.close()

    async def ask(self) -> list[bytes]:
        """What each of the others told. Who does not answer is missing."""
        others = sorted(each for each in self._folder.iterdir() if each.name.isdigit() and each != self._own)
        answers = await asyncio.gather(*(_ask(each) for each in others))
        return [each for each in answers if each]


async def _ask(path: Path) -> bytes:
    try:
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return await reader.read()
            finally:
                writer.close()
    except ConnectionRefusedError:
        _take_away(path)
    except (OSError, TimeoutError) as broken:
        log.warning("siblings.silent", process=path.name, why=str(broken) or "no answer in time")
    return b""


def _take_away(path: Path) -> None:
    path.unlink(missing_ok=True)
