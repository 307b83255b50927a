"""Processes of one API server hear each other's numbers, and none waits for one that is gone."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from cybernetes.base.private_socket import listen_private
from cybernetes.run.start.siblings import Siblings


def test_each_hears_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "apiservers"

    def sibling(pid: int, numbers: bytes) -> Siblings:
        monkeypatch.setattr(os, "getpid", lambda: pid)
        return Siblings(folder, lambda: numbers)

    async def main() -> None:
        one, two = sibling(1, b"one" * 200_000), sibling(2, b"two")
        running = [asyncio.create_task(each.run()) for each in (one, two)]
        await asyncio.sleep(0)
        # One that was killed left its socket.
        listen_private(folder / "3", 1).close()
        assert await one.ask() == [b"two"]
        assert await two.ask() == [b"one" * 200_000]
        assert sorted(each.name for each in folder.iterdir()) == ["1", "2"]
        for each in running:
            each.cancel()
        await asyncio.wait(running)
        assert list(folder.iterdir()) == []

    asyncio.run(main())
