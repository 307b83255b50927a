"""One process writes a file: the lock says whose it is."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome

# The writer of a process that was killed works off what it had read, and then lets go of the file.
LOCK_TIMEOUT_S = 10.0
LOCK_RETRY_S = 0.05


async def hold(path: Path, clock: Clock) -> int:
    """A descriptor whose lock keeps the file ours; it goes with the last process that holds it."""
    descriptor = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    deadline = clock.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError as error:
            if clock.monotonic() >= deadline:
                os.close(descriptor)
                message = "another process writes it; one process owns a file"
                raise EdgeError("open", str(path), message, outcome=Outcome.NOT_DONE) from error
        await clock.sleep(LOCK_RETRY_S)
