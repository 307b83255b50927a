"""A file that is put aside when it grows too large, and those put aside that are deleted in time.

The names are those that Kubernetes' audit log has: `audit.log`, and `audit-2026-01-31T12-00-00.000.log` put aside.
Blocking: for a thread.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from cybernetes.base.clock import Clock

MEGABYTE = 1 << 20
DAY_S = 24 * 3600
_STAMP = re.compile(r"-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3})")


class Keep(msgspec.Struct, frozen=True):
    """0: without limit. max_size_mb of one file; max_age_days and max_backups of those put aside."""

    max_size_mb: int = 100
    max_age_days: int = 0
    max_backups: int = 0
    compress: bool = False


def put_aside(path: Path, now: float) -> Path:
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H-%M-%S.%f")[:-3]
    return path.with_name(f"{path.stem}-{stamp}{path.suffix}")


def outlived(names: Iterable[str], path: Path, keep: Keep, now: float) -> list[str]:
    """Of the names of a folder those of files put aside that are too many or too old."""
    aside = sorted((each for each in names if _put_aside_at(each, path) is not None), reverse=True)
    gone = set(aside[keep.max_backups :]) if keep.max_backups else set()
    if keep.max_age_days:
        oldest = now - keep.max_age_days * DAY_S
        gone.update(each for each in aside if (_put_aside_at(each, path) or 0.0) < oldest)
    return sorted(gone)


def _put_aside_at(name: str, path: Path) -> float | None:
    bare = name.removesuffix(".gz")
    if not bare.startswith(path.stem) or not bare.endswith(path.suffix):
        return None
    found = _STAMP.fullmatch(bare[len(path.stem) : len(bare) - len(path.suffix)])
    if found is None:
        return None
    return datetime.strptime(found[1], "%Y-%m-%dT%H-%M-%S.%f").replace(tzinfo=UTC).timestamp()


class RotatingFile:
    """path  `-` for standard output, which is not rotated"""

    def __init__(self, path: str, keep: Keep, clock: Clock) -> None:
        self._path = None if path == "-" else Path(path)
        self._keep = keep
        self._clock = clock
        self._descriptor: int | None = None
        self._size = 0

    def write(self, data: bytes) -> None:
        """All of it, in one file. Raises OSError."""
        if self._path is None:
            _write_all(sys.stdout.fileno(), data)
            return
        limit = self._keep.max_size_mb * MEGABYTE
        if self._descriptor is None:
            self._open(self._path)
        if limit and self._size and self._size + len(data) > limit:
            self._rotate(self._path)
        assert self._descriptor is not None
        _write_all(self._descriptor, data)
        self._size += len(data)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Who may read what others did is for the administrator to say.
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def _rotate(self, path: Path) -> None:
        self.close()
        now = self._clock.now()
        aside = put_aside(path, now)
        path.rename(aside)
        self._open(path)
        if self._keep.compress:
            _compress(aside)
        for name in outlived(os.listdir(path.parent), path, self._keep, now):
            (path.parent / name).unlink(missing_ok=True)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _compress(path: Path) -> None:
    packed = path.with_name(path.name + ".gz")
    handle = os.open(packed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with path.open("rb") as source, os.fdopen(handle, "wb") as raw, gzip.GzipFile("", "wb", fileobj=raw) as target:
        shutil.copyfileobj(source, target)
    path.unlink()
