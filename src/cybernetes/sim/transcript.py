"""What happened, in order, as text; two runs of one seed must give the same."""

from __future__ import annotations

import asyncio
import hashlib


class Transcript:
    """Lines `SECONDS WHO WHAT`. `digest` names the whole text."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._hash = hashlib.sha256()
        self.lines: list[str] = []
        self.violations: list[str] = []

    def say(self, text: str) -> None:
        line = f"{self._loop.time():10.4f} {text}"
        self.lines.append(line)
        self._hash.update(line.encode() + b"\n")

    def broken(self, text: str) -> None:
        """A promise was broken. The run goes on to its next step, and then ends."""
        self.violations.append(f"{self._loop.time():10.4f} {text}")
        self.say(f"VIOLATION {text}")

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()
