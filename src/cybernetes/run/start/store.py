"""The process that writes the store's file, where several API servers share it."""

from __future__ import annotations

from pathlib import Path

from cybernetes.base.clock import SystemClock
from cybernetes.run.layout import Layout
from cybernetes.run.notify import notify_ready
from cybernetes.run.start import Setting
from cybernetes.store.sqlite.server import StoreServer


async def serve(setting: Setting) -> None:
    server = await StoreServer.open(prepared(setting.layout), clock=SystemClock())
    await server.serve(setting.layout.store_socket, notify_ready)


def prepared(layout: Layout) -> Path:
    """The store's file, in a folder that only its owner can enter."""
    folder = layout.store.parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    # SQLite gives the files beside it the mode of the first.
    layout.store.touch(mode=0o600)
    layout.store.chmod(0o600)
    return layout.store
