"""What a store reads of the file, on the event loop: long reads let others run between their steps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import apsw

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.store.api import Batch, Entry, Range
from cybernetes.store.sqlite.reader import Reader
from cybernetes.store.sqlite.schema import FIRST_REVISION

T = TypeVar("T")


class Reads:
    """refuse: raises why nothing may be read any more. Each method raises EdgeError when the disk fails."""

    def __init__(self, path: Path, reader: Reader, clock: Clock, refuse: Callable[[], None]) -> None:
        self._path = path
        self._reader = reader
        self._clock = clock
        self._refuse = refuse

    def close(self) -> None:
        self._reader.close()

    def next_lease_end(self) -> float | None:
        return self._reader.next_lease_end()

    def get(self, key: str, revision: int = 0) -> Entry | None:
        self._refuse()
        with translated("read", self._path):
            return self._reader.get_then(key, revision) if revision else self._reader.get(key)

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Range:
        return await self._stepwise(self._reader.range(prefix, start=start, limit=limit, revision=revision))

    def refuse_watch(self, prefix: str, after: int) -> None:
        self._refuse()
        with translated("read", self._path):
            self._reader.refuse_unreadable(after or FIRST_REVISION, self._reader.revision())

    async def history(self, prefix: str, after: int, upto: int) -> AsyncIterator[Batch]:
        steps = self._reader.history(prefix, after, upto)
        while True:
            self._refuse()
            with translated("read", self._path):
                batches = next(steps, None)
            if batches is None:
                return
            for batch in batches:
                yield batch
            await self._clock.sleep(0)

    async def _stepwise(self, steps: Generator[None, None, T]) -> T:
        """Run a read to its end, letting others run between its steps."""
        while True:
            self._refuse()
            with translated("read", self._path):
                try:
                    next(steps)
                except StopIteration as end:
                    return end.value
            await self._clock.sleep(0)


@contextmanager
def translated(operation: str, path: Path) -> Iterator[None]:
    """Turns the disk's errors into EdgeError."""
    try:
        yield
    except (apsw.Error, OSError) as error:
        message = f"{error}; check the file and its disk"
        raise EdgeError(operation, str(path), message, outcome=Outcome.NOT_DONE) from error
