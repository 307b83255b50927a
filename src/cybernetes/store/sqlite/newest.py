"""The newest revision on disk, in memory that all processes of the machine see.

Eight bytes at an even place are written and read in one piece. Asking the file instead takes 25 us, and an API server
asks at every read whether others wrote.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

_BYTES = 8


class Newest:
    """Whoever writes the file tells; everybody reads. Raises OSError when it can't be opened."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, _BYTES)
            self._memory = mmap.mmap(descriptor, _BYTES)
        finally:
            os.close(descriptor)
        self._cell = memoryview(self._memory).cast("q")

    def tell(self, revision: int) -> None:
        self._cell[0] = revision

    def read(self) -> int:
        return self._cell[0]

    def close(self) -> None:
        self._cell.release()
        self._memory.close()


def newest_of(path: Path) -> Path:
    """Where the newest revision of a store's file is."""
    return path.with_name(f"{path.name}.newest")
