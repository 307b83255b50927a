"""The file's tables, its connections, its version.

A version of a key is a row of `log`; its id is `revision << ID_BITS | position in the transaction`, so
that ids are ordered as events are. `previous` is the id of the version that it replaced, 0 for none:
the past of a key is a chain that starts in `latest`. A deletion is a row without value, and stays in
`latest` with `created` 0 until compaction passes it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import apsw

from cybernetes.base.errors import EdgeError, Outcome, Retry

ID_BITS = 20
# Below the first id of revision 2: what an empty store answers, as etcd does.
FIRST_REVISION = 1
# Larger than SQLite's 4 KiB: two pods fit into a page, a page of `latest` is still cheap to write (perf/store.py).
PAGE_BYTES = 8192
WRITER_CACHE_KIB = 8 << 10
READER_CACHE_KIB = 4 << 10
# The WAL is copied into the file after this many pages, and cut to twice this much when it grew beyond.
WAL_PAGES = 2000
WAL_BYTES_KEPT = 2 * WAL_PAGES * PAGE_BYTES
# Readers only wait for a checkpoint's last step; longer means another program holds the file.
BUSY_MS = 2000

SCHEMA_VERSION = 1

_TABLES = """
CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    value BLOB,
    created INTEGER NOT NULL,
    previous INTEGER NOT NULL
);
CREATE TABLE latest (
    key TEXT PRIMARY KEY,
    id INTEGER NOT NULL,
    created INTEGER NOT NULL,
    lease INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX leased ON latest (lease) WHERE lease > 0;
CREATE TABLE leases (id INTEGER PRIMARY KEY AUTOINCREMENT, ends REAL NOT NULL);
CREATE INDEX lease_ends ON leases (ends);
CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO marks VALUES ('compacted', 0), ('swept', 0);
"""

# From a version to the next one; each runs inside the transaction that raises the number.
MIGRATIONS: dict[int, Callable[[apsw.Connection], None]] = {}


def first_id(revision: int) -> int:
    return revision << ID_BITS


def revision_of(row_id: int) -> int:
    return row_id >> ID_BITS


def ensure_private(path: Path) -> None:
    """Only the owner may read the file; SQLite gives its WAL the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        path.chmod(0o600)


def open_writer(path: Path) -> apsw.Connection:
    """The one connection that writes, its tables made or brought to SCHEMA_VERSION. Raises EdgeError."""
    connection = apsw.Connection(str(path), statementcachesize=64)
    connection.set_busy_timeout(BUSY_MS)
    connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES_KEPT}")
    connection.execute(f"PRAGMA cache_size=-{WRITER_CACHE_KIB}")
    _bring_up(connection, path)
    return connection


def open_reader(path: Path) -> apsw.Connection:
    """A connection that can't write; checkpoints are the writer's alone."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, statementcachesize=32)
    connection.set_busy_timeout(BUSY_MS)
    connection.execute("PRAGMA query_only=1")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute(f"PRAGMA cache_size=-{READER_CACHE_KIB}")
    return connection


def _bring_up(connection: apsw.Connection, path: Path) -> None:
    version = connection.pragma("user_version")
    if version > SCHEMA_VERSION:
        raise EdgeError(
            "open",
            str(path),
            f"its format {version} is newer than this program's {SCHEMA_VERSION}; use the newer program",
            outcome=Outcome.NOT_DONE,
            retry=Retry.NEVER,
        )
    with connection:
        if version == 0:
            connection.execute(_TABLES)
        for step in range(max(version, 1), SCHEMA_VERSION):
            MIGRATIONS[step](connection)
        if version != SCHEMA_VERSION:
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
