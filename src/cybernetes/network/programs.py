"""nft(8) and iptables(8), in the network namespace that the process is in."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from cybernetes.base.errors import EdgeError, Outcome

_TIMEOUT_S = 30.0


def run(command: Sequence[str], script: str, target: str) -> str:
    """What it prints; `script` is its standard input, `target` what it is about. Blocks. Raises EdgeError."""
    try:
        done = subprocess.run(command, input=script, text=True, capture_output=True, check=False, timeout=_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise EdgeError("run", command[0], str(failed)) from failed
    if done.returncode:
        # Of a long script it may be about every line.
        raise EdgeError("change", target, done.stderr.strip()[:1000], outcome=Outcome.NOT_DONE)
    return done.stdout


def nft(script: str, target: str) -> str:
    """All of the script in one transaction, or nothing."""
    return run(("nft", "-f", "-"), script, target)
