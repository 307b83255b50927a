"""Reads of one connection: entries now and in the past, and the log's events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cybernetes.store.api import Batch, Compacted, Entry, Event, FutureRevision, Range
from cybernetes.store.keys import prefix_end
from cybernetes.store.sqlite.schema import FIRST_REVISION, first_id, open_reader, revision_of

# Rows of one piece of history: a few megabytes of pods, read in some milliseconds.
HISTORY_ROWS = 500

_GET = """
SELECT log.key, log.value, log.id, log.created FROM latest JOIN log ON log.id = latest.id
WHERE latest.key = ? AND latest.created > 0
"""

_RANGE = """
SELECT log.key, log.value, log.id, log.created FROM latest JOIN log ON log.id = latest.id
WHERE latest.key >= :start AND latest.key < :end AND latest.created > 0 ORDER BY latest.key LIMIT :limit
"""

_COUNT = "SELECT count(*) FROM latest WHERE key >= :start AND key < :end AND created > 0"

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
WHERE latest.key >= :start AND latest.key < :end AND log.value IS NOT NULL ORDER BY latest.key LIMIT :limit
"""

# Keys that did not change since are counted without reading their values.
_COUNT_THEN = f"""
SELECT total(CASE WHEN latest.id < :bound THEN latest.created > 0 ELSE EXISTS (
    SELECT 1 FROM log WHERE log.id = {_VERSION} AND log.value IS NOT NULL
) END) FROM latest WHERE key >= :start AND key < :end
"""

_HISTORY = """
SELECT log.id, log.key, log.value, old.value, log.created
FROM log LEFT JOIN log AS old ON old.id = log.previous
WHERE log.id >= ? AND log.id < ? AND log.key >= ? AND log.key < ? ORDER BY log.id
"""

# Any blob is above any text.
_NO_END = b""
_ALL = -1


class Reader:
    """Belongs to one thread. Raises apsw.Error when the disk fails."""

    def __init__(self, path: Path, brief: tuple[str, ...] = ()) -> None:
        self._connection = open_reader(path)
        self._brief = brief

    def close(self) -> None:
        self._connection.close()

    def revision(self) -> int:
        last = self._connection.execute("SELECT max(id) FROM log").get
        return max(revision_of(last or 0), self._mark("compacted"), FIRST_REVISION)

    def next_lease_end(self) -> float | None:
        return self._connection.execute("SELECT min(ends) FROM leases").get

    def get(self, key: str) -> Entry | None:
        for row in self._connection.execute(_GET, (key,)):
            return _entry(row)
        return None

    def get_then(self, key: str, revision: int) -> Entry | None:
        found = self.range(key, start=key, limit=1, revision=revision)
        return next((entry for entry in found.entries if entry.key == key), None)

    def range(self, prefix: str, *, start: str, limit: int, revision: int) -> Range:
        with self._connection:
            current = self.revision()
            at = revision or current
            self.refuse_unreadable(prefix, at, current)
            bounds = {"start": max(prefix, start), "end": prefix_end(prefix) or _NO_END, "limit": limit or _ALL}
            if at < current:
                bounds["bound"] = first_id(at + 1)
            rows = self._connection.execute(_RANGE if at == current else _RANGE_THEN, bounds)
            entries = [_entry(row) for row in rows]
            count = len(entries)
            if limit and count == limit:
                count = int(self._connection.execute(_COUNT if at == current else _COUNT_THEN, bounds).get)
        return Range(entries, at, count)

    def history(self, prefix: str, after: int, upto: int) -> list[Batch]:
        """The next batches above `after`, whole revisions; none when there are no more up to `upto`."""
        batches: list[Batch] = []
        events: list[Event] = []
        with self._connection:
            self.refuse_unreadable(prefix, after, upto)
            bounds = (first_id(after + 1), first_id(upto + 1), prefix, prefix_end(prefix) or _NO_END)
            rows = self._connection.execute(_HISTORY, bounds)
            for read, (row_id, key, value, previous, created) in enumerate(rows):
                revision = revision_of(row_id)
                if events and events[-1].revision != revision:
                    batches.append(Batch(events[-1].revision, tuple(events)))
                    events = []
                    if read >= HISTORY_ROWS:
                        break
                events.append(Event(key, value, previous, revision, created))
        if events:
            batches.append(Batch(events[-1].revision, tuple(events)))
        return batches

    def refuse_unreadable(self, prefix: str, revision: int, current: int) -> None:
        if revision > current:
            raise FutureRevision(revision, current)
        oldest = self._mark("compacted")
        if any(each.startswith(prefix) or prefix.startswith(each) for each in self._brief):
            oldest = max(oldest, self._mark("brief_compacted"))
        if revision < oldest:
            raise Compacted(revision, oldest)

    def _mark(self, name: str) -> int:
        return self._connection.execute("SELECT value FROM marks WHERE name = ?", (name,)).get


def _entry(row: tuple[Any, ...]) -> Entry:
    key, value, row_id, created = row
    return Entry(key, value, revision_of(row_id), created)
