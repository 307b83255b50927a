"""Bugs put in on purpose at the edges, to show that the checks find them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from cybernetes.base.random import Random
from cybernetes.store.api import Check

NAMES = ("bind-without-precondition", "ack-before-fsync", "watch-drops-event", "double-start")
# One frame of this many is dropped.
DROPPED = 150


class Plant:
    """name: one of NAMES, "" for none."""

    def __init__(self, name: str, random: Random) -> None:
        self._name = name
        self._random = random

    @property
    def lying_disk(self) -> bool:
        return self._name == "ack-before-fsync"

    @property
    def doubles(self) -> bool:
        return self._name == "double-start"

    def alter(self, checks: Sequence[Check]) -> Sequence[Check]:
        """Writes of pods go through whatever version they were decided on."""
        if self._name != "bind-without-precondition":
            return checks
        return [each for each in checks if not each.key.startswith("/core/pods/") or not each.revision]

    def harm(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return self._dropping(chunks) if self._name == "watch-drops-event" else chunks

    async def _dropping(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for chunk in chunks:
                lines = chunk.splitlines(keepends=True)
                kept = [line for line in lines if b'"BOOKMARK"' in line[:20] or self._random.below(DROPPED)]
                yield b"".join(kept)
        finally:
            await chunks.aclose()  # type: ignore[attr-defined]
