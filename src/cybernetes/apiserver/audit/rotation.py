"""A file that is put aside when it grows too large, and those put aside that are deleted in time.

The names are those that Kubernetes' audit log has: `audit.log`, and `audit-2026-01-31T12-00-00.000.log` put aside.
Several processes may write one file: whoever writes holds a lock on it, and looks whether it is still the one of that
name. Blocking: for a thread.
"""

from __future__ import annotations

import fcntl
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

    def write(self, data: bytes) -> None:
        """All of it, in one file. Raises OSError."""
        if self._path is None:
            _write_all(sys.stdout.fileno(), data)
            return
        try:
            descriptor = self._locked(self._path)
            while self._is_full(descriptor, len(data)):
                self._rotate(self._path)
                descriptor = self._locked(self._path)
            _write_all(descriptor, data)
        finally:
            # What went wrong may have closed it, and so let go of the lock.
            if self._descriptor is not None:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_full(self, descriptor: int, more: int) -> bool:
        limit, size = self._keep.max_size_mb * MEGABYTE, os.fstat(descriptor).st_size
        return bool(limit and size and size + more > limit)

    def _locked(self, path: Path) -> int:
        """The file of that name, which nobody else writes or puts aside until it is unlocked."""
        while True:
            if self._descriptor is None:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                # Who may read what others did is for the administrator to say.
                self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if _is_at(self._descriptor, path):
                return self._descriptor
            self.close()

    def _rotate(self, path: Path) -> None:
        now = self._clock.now()
        aside = _free_name(path, now)
        path.rename(aside)
        # Who waits for the lock finds that this is not the file of that name any more.
        self.close()
        if self._keep.compress:
            _compress(aside)
        for name in outlived(os.listdir(path.parent), path, self._keep, now):
            (path.parent / name).unlink(missing_ok=True)


def _free_name(path: Path, now: float) -> Path:
    """A name that no file put aside has: small files fill within the millisecond that names tell apart."""
    while True:
        aside = put_aside(path, now)
        if not aside.exists() and not _packed(aside).exists():
            return aside
        now += 0.001


def _packed(aside: Path) -> Path:
    return aside.with_name(aside.name + ".gz")


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _compress(path: Path) -> None:
    packed = _packed(path)
    handle = os.open(packed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with path.open("rb") as source, os.fdopen(handle, "wb") as raw, gzip.GzipFile("", "wb", fileobj=raw) as target:
        shutil.copyfileobj(source, target)
    path.unlink()
