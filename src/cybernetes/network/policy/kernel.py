"""The kernel's table, of the network namespace that the process is in."""

from __future__ import annotations

import asyncio

from cybernetes.network.policy.script import TABLE
from cybernetes.network.programs import nft


class KernelFilter:
    async def run(self, script: str) -> None:
        """All of it in one transaction, or nothing. Raises EdgeError."""
        await asyncio.to_thread(nft, script, f"table inet {TABLE}")
