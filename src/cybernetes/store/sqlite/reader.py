"""Reads of one connection: entries now and in the past, and the log's events.

Reads run on the event loop: a thread would wait for the interpreter's lock at each row. So long ones are
generators that yield between steps of about a millisecond. Each step is a snapshot of its own, and still
the whole is of one revision, because the past can be read.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import apsw

from cybernetes.store.api import Batch, Compacted, Entry, Event, FutureRevision, Range
from cybernetes.store.keys import prefix_end
from cybernetes.store.sqlite.schema import FIRST_REVISION, first_id, open_reader, revision_of

STEP_ROWS = 128
# Counting looks at keys only, in pages that hold a hundred of them.
STEP_KEYS = 4096
STEP_HISTORY_ROWS = 256

_GET = """
SELECT log.key, log.value, log.id, log.created FROM latest JOIN log ON log.id = latest.id
WHERE latest.key = ? AND latest.created > 0
"""

_RANGE = """
SELECT log.key, log.value, log.id, log.created FROM latest JOIN log ON log.id = latest.id
WHERE latest.key >= :start AND latest.key < :end AND latest.created > 0 ORDER BY latest.key LIMIT :rows
"""

# The id of the key's version below :bound, or 0: a walk from the latest version back.
_VERSION = """
CASE WHEN latest.id < :bound THEN latest.id ELSE (
    WITH RECURSIVE past (id) AS (
        SELECT latest.id
        UNION ALL
        SELECT newer.previous FROM past JOIN log AS newer ON newer.id = past.id WHERE past.id >= :bound
    )
    SELECT id FROM past WHERE id < :bound
) END
"""

_RANGE_THEN = f"""
SELECT log.key, log.value, log.id, log.created FROM latest JOIN log ON log.id = {_VERSION}
WHERE latest.key >= :start AND latest.key < :end AND log.value IS NOT NULL ORDER BY latest.key LIMIT :rows
"""

# Keys that did not change since are counted without reading their values. The last column says where to go on.
_COUNT_THEN = f"""
SELECT total(CASE WHEN latest.id < :bound THEN latest.created > 0 ELSE EXISTS (
    SELECT 1 FROM log WHERE log.id = {_VERSION} AND log.value IS NOT NULL
) END), count(*), max(key) FROM (
    SELECT key, id, created FROM latest WHERE key >= :start AND key < :end ORDER BY key LIMIT :rows
) AS latest
"""

_HISTORY = """
SELECT log.id, log.key, log.value, old.value, log.created
FROM log LEFT JOIN log AS old ON old.id = log.previous
WHERE log.id >= ? AND log.id < ? AND log.key >= ? AND log.key < ? ORDER BY log.id
"""

_HISTORY_STEP_END = "SELECT id FROM log WHERE id >= ? AND id < ? ORDER BY id LIMIT 1 OFFSET ?"

# Any blob is above any text.
_NO_END = b""


class Reader:
    """Belongs to one thread. Raises apsw.Error when the disk fails."""

    def __init__(self, path: Path) -> None:
        self._connection = open_reader(path)

    def close(self) -> None:
        self._connection.close()

    def revision(self) -> int:
        last: Any = self._connection.execute("SELECT max(id) FROM log").get
        return max(revision_of(last or 0), self._mark("compacted"), FIRST_REVISION)

    def next_lease_end(self) -> float | None:
        ends: Any = self._connection.execute("SELECT min(ends) FROM leases").get
        return ends

    def get(self, key: str) -> Entry | None:
        for row in self._connection.execute(_GET, (key,)):
            return _entry(row)
        return None

    def get_then(self, key: str, revision: int) -> Entry | None:
        bounds = {"start": key, "end": key + "\0", "rows": 1, "bound": first_id(revision + 1)}
        with self._connection:
            self.refuse_unreadable(revision, self.revision())
            for row in self._connection.execute(_RANGE_THEN, bounds):
                return _entry(row)
        return None

    def range(self, prefix: str, *, start: str, limit: int, revision: int) -> Generator[None, None, Range]:
        """See Store.range; yields between steps."""
        bounds: dict[str, Any] = {"start": max(prefix, start), "end": prefix_end(prefix) or _NO_END}
        entries: list[Entry] = []
        at = revision
        while True:
            rows = min(STEP_ROWS, limit - len(entries)) if limit else STEP_ROWS
            with self._connection:
                current = self.revision()
                at = at or current
                self.refuse_unreadable(at, current)
                sql = _RANGE if at == current else _RANGE_THEN
                bounds |= {"rows": rows, "bound": first_id(at + 1)}
                wanted = bounds if sql is _RANGE_THEN else {name: bounds[name] for name in ("start", "end", "rows")}
                found = [_entry(row) for row in self._connection.execute(sql, wanted)]
            entries += found
            if len(found) < rows:
                return Range(entries, at, len(entries))
            bounds["start"] = found[-1].key + "\0"
            if len(entries) == limit:
                return Range(entries, at, len(entries) + (yield from self._count(prefix, bounds, at)))
            yield

    def history(self, prefix: str, after: int, upto: int) -> Generator[list[Batch], None, None]:
        """Batches with after < revision <= upto: lists of them, in order, also empty ones."""
        while after < upto:
            with self._connection:
                self.refuse_unreadable(after, upto)
                end = self._history_step_end(after, upto)
                bounds = (first_id(after + 1), first_id(end + 1), prefix, prefix_end(prefix) or _NO_END)
                batches = _batches(self._connection.execute(_HISTORY, bounds))
            yield batches
            after = end

    def refuse_unreadable(self, revision: int, current: int) -> None:
        if revision > current:
            raise FutureRevision(revision, current)
        oldest = self._mark("compacted")
        if revision < oldest:
            raise Compacted(revision, oldest)

    def _count(self, prefix: str, bounds: dict[str, Any], at: int) -> Generator[None, None, int]:
        """Keys of the range from bounds["start"] on, as of `at`."""
        count = 0
        bounds["rows"] = STEP_KEYS
        while True:
            with self._connection:
                self.refuse_unreadable(at, at)
                row: Any = self._connection.execute(_COUNT_THEN, bounds).fetchone()
            alive, seen, last = row
            count += int(alive)
            if seen < STEP_KEYS:
                return count
            bounds["start"] = last + "\0"
            yield

    def _history_step_end(self, after: int, upto: int) -> int:
        """The revision up to which the next step reads: some rows further, never within a revision."""
        bounds = (first_id(after + 1), first_id(upto + 1), STEP_HISTORY_ROWS)
        row_id: Any = self._connection.execute(_HISTORY_STEP_END, bounds).get
        return upto if row_id is None else max(after + 1, revision_of(row_id) - 1)

    def _mark(self, name: str) -> int:
        value: Any = self._connection.execute("SELECT value FROM marks WHERE name = ?", (name,)).get
        return value


def _batches(rows: apsw.Cursor) -> list[Batch]:
    grouped: dict[int, list[Event]] = {}
    for row_id, key, value, previous, created in rows:
        revision = revision_of(row_id)
        grouped.setdefault(revision, []).append(Event(key, value, previous, revision, created))
    return [Batch(revision, tuple(events)) for revision, events in grouped.items()]


def _entry(row: tuple[Any, ...]) -> Entry:
    key, value, row_id, created = row
    return Entry(key, value, revision_of(row_id), created)
