"""Writes groups of jobs: one SQLite transaction, one fsync, each job with checks and revision of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.store.api import (
    Batch,
    Check,
    Compacted,
    Conflict,
    Delete,
    Entry,
    Event,
    FutureRevision,
    Put,
    lease_gone,
)
from cybernetes.store.sqlite.compact import Sweep
from cybernetes.store.sqlite.jobs import (
    Committed,
    Compact,
    Expire,
    Failed,
    Grant,
    Job,
    Opened,
    Opening,
    Refusal,
    Txn,
    refusal,
)
from cybernetes.store.sqlite.schema import FIRST_REVISION, ID_BITS, open_writer, revision_of

# A group also sweeps: more rows than it wrote, so that compaction ends under any load.
SWEEP_ROWS_PER_JOB = 4
SWEEP_ROWS_IDLE = 256
# Pages given back to the file system in one idle step, once a quarter of the file is free.
VACUUM_PAGES = 64
FREE_SHARE = 4
# The size is asked for again after so many bytes of values.
MEASURE_EVERY_BYTES = 1 << 20


class Writer:
    """Opens the file, raises EdgeError when it can't; blocks while it works.

    _revision   of the last commit; _next, of the group at work, runs ahead of it
    _failed     why the state of the file is unknown; set once, and then all is refused
    """

    def __init__(self, opening: Opening) -> None:
        self._path = Path(opening.path)
        self._limits = opening.limits
        try:
            self._connection = open_writer(self._path)
            self._compaction = Sweep(self._connection)
            self._revision = self._stored_revision()
            self._used_bytes = self._measure()
        except (apsw.Error, OSError) as error:
            message = f"{error}; check the file and its folder"
            raise EdgeError("open", opening.path, message, outcome=Outcome.NOT_DONE) from error
        self._failed: Failed | None = None
        self._unmeasured = 0
        self._next = self._revision

    @property
    def opened(self) -> Opened:
        return Opened(self._revision, self._used_bytes)

    def close(self) -> None:
        self._connection.close()

    def write(self, jobs: list[Job]) -> Committed:
        """One transaction for all jobs. Never raises: what failed is in the answers."""
        if self._failed is not None:
            return Committed([self._failed] * len(jobs), [], self._used_bytes, self._failed)
        answers: list[int | Refusal] = []
        batches: list[Batch] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                answers.append(self._answer(job, batches))
            self._sweep(SWEEP_ROWS_PER_JOB * len(jobs))
        except apsw.Error as error:
            refused = self._rolled_back(error)
            return Committed([refused] * len(jobs), [], self._used_bytes, self._failed)
        try:
            self._connection.execute("COMMIT")
        except apsw.Error as error:
            self._failed = self._unknown(error)
            return Committed([self._failed] * len(jobs), [], self._used_bytes, self._failed)
        self._revision = self._next
        self._measure_sometimes(batches)
        return Committed(answers, batches, self._used_bytes)

    def housekeep(self) -> bool:
        """One small step of compaction or of giving back space; False when there is nothing to do."""
        if self._failed is not None:
            return False
        try:
            if self._compaction.pending:
                self._connection.execute("BEGIN IMMEDIATE")
                self._sweep(SWEEP_ROWS_IDLE)
                self._connection.execute("COMMIT")
                self._used_bytes = self._measure()
                return True
            return self._give_back()
        except apsw.Error as error:
            # Nothing of a client's is at stake: the next group finds out whether the disk still fails.
            self._rolled_back(error)
            return False

    def _answer(self, job: Job, batches: list[Batch]) -> int | Refusal:
        try:
            match job:
                case Txn(checks, writes):
                    return self._txn(checks, writes, batches)
                case Grant(ends):
                    self._connection.execute("INSERT INTO leases (ends) VALUES (?)", (ends,))
                    return self._connection.last_insert_rowid()
                case Expire(now):
                    return self._expire(now, batches)
                case Compact(revision):
                    return self._compact(revision)
        except (Conflict, Compacted, FutureRevision, EdgeError) as error:
            return refusal(error)

    def _txn(self, checks: Sequence[Check], writes: Sequence[Put | Delete], batches: list[Batch]) -> int:
        known = {check.key: self._held(check) for check in checks}
        for write in writes:
            if isinstance(write, Put):
                self._refuse_put(write)
        return self._write_all(writes, known, batches)

    def _held(self, check: Check) -> tuple[int, int] | None:
        found = self._latest(check.key)
        row_id, created = found or (0, 0)
        if check.revision != (revision_of(row_id) if created else 0):
            entry = Entry(check.key, self._value(row_id) or b"", revision_of(row_id), created) if created else None
            raise Conflict(check.key, entry)
        return found

    def _refuse_put(self, write: Put) -> None:
        if self._used_bytes > self._limits.hard_bytes:
            raise self._full(write.key)
        if write.lease and not self._connection.execute("SELECT 1 FROM leases WHERE id = ?", (write.lease,)).get:
            raise lease_gone(write.key, write.lease)

    def _write_all(
        self, writes: Sequence[Put | Delete], known: dict[str, tuple[int, int] | None], batches: list[Batch]
    ) -> int:
        revision = self._next + 1
        events: list[Event] = []
        for write in writes:
            found = known[write.key] if write.key in known else self._latest(write.key)
            event = self._write_one(write, found, (revision << ID_BITS) + len(events))
            if event is not None:
                events.append(event)
        if events:
            self._next = revision
            batches.append(Batch(revision, tuple(events)))
        return self._next

    def _write_one(self, write: Put | Delete, found: tuple[int, int] | None, row_id: int) -> Event | None:
        old_id, old_created = found or (0, 0)
        if isinstance(write, Put):
            value, created, lease = write.value, old_created or revision_of(row_id), write.lease
            kept = created
        elif old_created:
            value, created, lease = None, old_created, 0
            kept = 0
        else:
            return None
        previous = self._value(old_id) if old_created else None
        self._connection.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?)", (row_id, write.key, value, created, old_id))
        self._connection.execute("INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?)", (write.key, row_id, kept, lease))
        return Event(write.key, value, previous, revision_of(row_id), created)

    def _latest(self, key: str) -> tuple[int, int] | None:
        for row in self._connection.execute("SELECT id, created FROM latest WHERE key = ?", (key,)):
            return row
        return None

    def _value(self, row_id: int) -> bytes | None:
        for row in self._connection.execute("SELECT value FROM log WHERE id = ?", (row_id,)):
            return row[0]
        return None

    def _expire(self, now: float, batches: list[Batch]) -> int:
        """The lease that ended, 0 for none."""
        due = "SELECT id FROM leases WHERE ends <= ? ORDER BY ends, id LIMIT 1"
        lease: Any = self._connection.execute(due, (now,)).get
        if lease is None:
            return 0
        keys = self._connection.execute("SELECT key FROM latest WHERE lease = ? ORDER BY key", (lease,)).fetchall()
        self._write_all([Delete(str(key)) for (key,) in keys[: 1 << ID_BITS]], {}, batches)
        self._connection.execute("DELETE FROM leases WHERE id = ?", (lease,))
        return lease

    def _compact(self, revision: int) -> int:
        if revision > self._next:
            raise FutureRevision(revision, self._next)
        if revision < self._compaction.mark:
            raise Compacted(revision, self._compaction.mark)
        self._compaction.move(revision)
        return revision

    def _sweep(self, rows: int) -> None:
        if self._compaction.pending:
            self._compaction.step(rows)

    def _give_back(self) -> bool:
        free, pages = self._connection.pragma("freelist_count"), self._connection.pragma("page_count")
        if free <= max(VACUUM_PAGES, pages // FREE_SHARE):
            return False
        self._connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()
        return True

    def _measure_sometimes(self, batches: list[Batch]) -> None:
        self._unmeasured += sum(len(event.value or b"") for batch in batches for event in batch.events)
        # Above the limit every group measures, so that writes go on as soon as deletions made room.
        if self._unmeasured > MEASURE_EVERY_BYTES or self._used_bytes > self._limits.hard_bytes:
            self._unmeasured = 0
            self._used_bytes = self._measure()

    def _measure(self) -> int:
        pragma = self._connection.pragma
        return (pragma("page_count") - pragma("freelist_count")) * pragma("page_size")

    def _stored_revision(self) -> int:
        last = self._connection.execute("SELECT max(id) FROM log").get or 0
        # Compaction may have removed the last row, a deletion; its revision must not be given again.
        return max(revision_of(last), self._compaction.mark, FIRST_REVISION)

    def _rolled_back(self, error: apsw.Error) -> Failed:
        """Undo the group; nothing of it is on disk, and the next one may succeed."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._compaction.reload()
            self._next = self._revision
        except apsw.Error as worse:
            self._failed = self._unknown(worse)
            return self._failed
        return Failed("write", str(self._path), f"{error}; nothing was written", Outcome.NOT_DONE, Retry.LATER)

    def _unknown(self, error: apsw.Error) -> Failed:
        message = f"{error}; the write may have happened; open the store again"
        return Failed("write", str(self._path), message, Outcome.UNKNOWN, Retry.NEVER)

    def _full(self, key: str) -> EdgeError:
        message = (
            f"the store {self._path} holds {self._used_bytes >> 20} MiB and its limit is "
            f"{self._limits.hard_bytes >> 20} MiB; delete objects or raise the limit"
        )
        return EdgeError("write", key, message, outcome=Outcome.NOT_DONE, retry=Retry.LATER)
