"""The connections of a server that are open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from cybernetes.base.memory import give_back

if TYPE_CHECKING:
    from cybernetes.wire.http.connection import Connection

# A connection with TLS takes 45 kB: after so many left, three megabytes are worth a few milliseconds.
LEFT_MANY = 64
# A connection that is lost is still held by its task, which ends a few turns of the loop later.
SETTLED_S = 1.0


class Crowd:
    """left_many  called a while after so many fewer are open than were at most since it was called"""

    def __init__(self, left_many: Callable[[], None] = give_back, settled_s: float = SETTLED_S) -> None:
        self._open: set[Connection] = set()
        self._most = 0
        self._left_many = left_many
        self._settled_s = settled_s
        self._settling = False

    def __iter__(self) -> Iterator[Connection]:
        """Over those that are open now, whatever happens to them meanwhile."""
        return iter(list(self._open))

    def join(self, connection: Connection) -> None:
        self._open.add(connection)
        self._most = max(self._most, len(self._open))

    def leave(self, connection: Connection) -> None:
        self._open.discard(connection)
        if not self._settling and self._most - len(self._open) >= LEFT_MANY:
            self._settling = True
            asyncio.get_running_loop().call_later(self._settled_s, self._settle)

    def _settle(self) -> None:
        self._settling = False
        self._most = len(self._open)
        self._left_many()
