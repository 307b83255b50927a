"""The kernel's table, by nft(8), in the network namespace that the process is in."""

from __future__ import annotations

import asyncio
import subprocess

from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.network.policy.script import TABLE

_TIMEOUT_S = 30.0


class KernelFilter:
    async def run(self, script: str) -> None:
        """All of it in one transaction, or nothing. Raises EdgeError."""
        await asyncio.to_thread(_run, script)


def _run(script: str) -> None:
    try:
        done = subprocess.run(
            ("nft", "-f", "-"), input=script, text=True, capture_output=True, check=False, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise EdgeError("run", "nft", str(failed)) from failed
    if done.returncode:
        raise EdgeError("change", f"table inet {TABLE}", done.stderr.strip()[:1000], outcome=Outcome.NOT_DONE)
