"""The connections of a server that are open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from cybernetes.base.memory import give_back

if TYPE_CHECKING:
    from cybernetes.wire.http.connection import Connection

# A connection with TLS takes 40 kB: after so many left, five megabytes are worth a few milliseconds.
LEFT_MANY = 128


class Crowd:
    """left_many  called whenever so many fewer are open than were at most since it was called"""

    def __init__(self, left_many: Callable[[], None] = give_back) -> None:
        self._open: set[Connection] = set()
        self._most = 0
        self._left_many = left_many

    def __iter__(self) -> Iterator[Connection]:
        """Over those that are open now, whatever happens to them meanwhile."""
        return iter(list(self._open))

    def join(self, connection: Connection) -> None:
        self._open.add(connection)
        self._most = max(self._most, len(self._open))

    def leave(self, connection: Connection) -> None:
        self._open.discard(connection)
        if self._most - len(self._open) >= LEFT_MANY:
            self._most = len(self._open)
            self._left_many()
