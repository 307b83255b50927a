"""Forgets old versions, a few rows at a time, in the writer's own transactions.

The mark `compacted` moves at once and decides what can be read; `swept` follows it through the log.
A row at or below the mark makes the version that it replaced unreachable; a deletion at or below the
mark is unreachable itself. So one pass over new rows of the log finds all there is to remove.
"""

from __future__ import annotations

from typing import Any

import apsw

from cybernetes.store.sqlite.schema import first_id

_SWEPT_NEXT = "SELECT id, key, previous, value IS NULL FROM log WHERE id > ? AND id < ? ORDER BY id LIMIT ?"
_LAST_LATEST = "DELETE FROM latest WHERE key = ? AND id = ? AND created = 0"


class Sweep:
    """The mark, and how far the log below it was swept."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.mark: int = self._read("compacted")
        self._swept: int = self._read("swept")

    @property
    def pending(self) -> bool:
        return self.mark > 0 and self._swept < first_id(self.mark + 1) - 1

    def move(self, revision: int) -> None:
        """Must run inside a transaction; nothing below `revision` is readable from here on."""
        self._write("compacted", revision)
        self.mark = revision

    def step(self, rows: int) -> None:
        """Look at the next `rows` rows of the log; must run inside a transaction."""
        bound = first_id(self.mark + 1)
        found: list[Any] = self._connection.execute(_SWEPT_NEXT, (self._swept, bound, rows)).fetchall()
        for row_id, key, previous, deletion in found:
            if previous:
                self._connection.execute("DELETE FROM log WHERE id = ?", (previous,))
            if deletion:
                self._connection.execute(_LAST_LATEST, (key, row_id))
                self._connection.execute("DELETE FROM log WHERE id = ?", (row_id,))
        self._swept = found[-1][0] if len(found) == rows else bound - 1
        self._write("swept", self._swept)

    def reload(self) -> None:
        """After a rollback: what the file says."""
        self.mark = self._read("compacted")
        self._swept = self._read("swept")

    def _read(self, name: str) -> int:
        return self._connection.execute("SELECT value FROM marks WHERE name = ?", (name,)).get

    def _write(self, name: str, value: int) -> None:
        self._connection.execute("UPDATE marks SET value = ? WHERE name = ?", (value, name))
