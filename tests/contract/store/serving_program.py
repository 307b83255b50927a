"""Serves a store's file to others, until killed: FILE SOCKET."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from cybernetes.base.clock import SystemClock
from cybernetes.store.sqlite.server import StoreServer


async def main(path: str, address: str) -> None:
    server = await StoreServer.open(Path(path), clock=SystemClock())
    await server.serve(Path(address), lambda: print("ready", flush=True))


asyncio.run(main(*sys.argv[1:]))
