"""The API server's disk: SQLite's own files, through a layer that remembers what was not yet made durable.

enters   SQLite's writes and syncs
leaves   real files in a folder; after a power loss, a new folder with what survived
holds    synced bytes survive; of the others each write survives, is lost, or is cut, as the seed says
fails    as told: full, broken, slow
"""

from __future__ import annotations

import asyncio
import contextvars
import shutil
from collections import deque
from collections.abc import Callable
from pathlib import Path

import apsw

from cybernetes.base.random import Random
from cybernetes.sim.loop import OWNER
from cybernetes.store.sqlite.jobs import GROUP_MAX, Deliver, Job, Opening
from cybernetes.store.sqlite.writer import Writer

VFS_NAME = "simulated"
# What SQLite's default layer is called on Unix; a name, because the simulated one is the default meanwhile.
BELOW = "unix"
_SECTOR = 512


class Write:
    """A write that may be lost. `before` is what it replaced; shorter than `size` where it made the file longer."""

    __slots__ = ("before", "length", "offset", "size")

    def __init__(self, offset: int, size: int, before: bytes, length: int) -> None:
        self.offset = offset
        self.size = size
        self.before = before
        self.length = length


class Disk:
    """One machine's disk. `folder` moves when power is lost; the store is opened anew from there.

    full, broken   SQLite's writes or syncs fail meanwhile
    lying          syncs are answered, and nothing is made durable
    slow_s         each group of writes takes up to this long
    on_commit      called after each commit, before anybody hears of it; gone once it returns True
    """

    def __init__(self, root: Path, random: Random) -> None:
        self._root = root
        self._random = random
        self._lives = 0
        self._pending: dict[str, list[Write]] = {}
        self.folder = root / "0"
        self.folder.mkdir(parents=True)
        self.full = False
        self.broken = False
        self.lying = False
        self.slow_s = 0.0
        self.on_commit: Callable[[], bool] | None = None

    @property
    def path(self) -> Path:
        return self.folder / "state.db"

    def lose_power(self, *, keeps_all: bool = False) -> None:
        """What was not synced survives in part. keeps_all: only the program died, the system still has its writes."""
        old = self.folder
        self._lives += 1
        self.folder = self._root / str(self._lives)
        self.folder.mkdir()
        pending, self._pending = self._pending, {}
        for name in ("state.db", "state.db-wal"):
            if not (old / name).exists():
                continue
            shutil.copyfile(old / name, self.folder / name)
            writes = pending.get(str(old / name), [])
            if keeps_all:
                self._pending[str(self.folder / name)] = writes
            else:
                self._undo(self.folder / name, writes)

    def note(self, name: str, write: Write) -> None:
        self._pending.setdefault(name, []).append(write)

    def synced(self, name: str) -> None:
        if not self.lying:
            self._pending.pop(name, None)

    def _undo(self, path: Path, writes: list[Write]) -> None:
        fate = self._random.below(3)
        with path.open("r+b") as file:
            for write in reversed(writes):
                # Most often all is lost; else each write finds its own fate, the last ones also half of it.
                if fate and self._random.below(2):
                    continue
                cut = _SECTOR * self._random.below(1 + write.size // _SECTOR) if fate == 2 else 0
                if len(write.before) < write.size:
                    file.truncate(max(write.length, write.offset + cut))
                file.seek(write.offset + cut)
                file.write(write.before[cut:])


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__(BELOW, name, flags)
        self._disk = disk
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._kept = self._name.endswith((".db", "-wal"))
        # Nobody else writes to what is written here.
        self._length = self.xFileSize() if self._kept else 0

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._kept:
            if self._disk.full:
                raise apsw.FullError("database or disk is full")
            length, size = self._length, len(data)
            before = self.xRead(min(size, length - offset), offset) if offset < length else b""
            self._disk.note(self._name, Write(offset, size, before, length))
            self._length = max(length, offset + size)
        super().xWrite(data, offset)

    def xTruncate(self, length: int) -> None:
        super().xTruncate(length)
        self._length = length

    def xSync(self, flags: int) -> None:
        if self._disk.broken:
            raise apsw.IOError("disk I/O error")
        self._disk.synced(self._name)


class DiskLayer(apsw.VFS):
    """SQLite's default layer while it lives; one a process."""

    def __init__(self, disk: Disk) -> None:
        super().__init__(VFS_NAME, BELOW, makedefault=True)
        self._disk = disk

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> _File:
        return _File(self._disk, name, flags)


class DiskWriter:
    """The store's writer on the event loop; each group takes the disk's time."""

    def __init__(self, writer: Writer, disk: Disk, random: Random, deliver: Deliver) -> None:
        self._writer = writer
        self._disk = disk
        self._random = random
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        # Whoever writes: the disk belongs to whom opened the store.
        self._context = contextvars.copy_context()
        self._jobs: deque[Job] = deque()
        self._busy = False
        self._stopped = False
        self.opened = writer.opened

    def submit(self, job: Job) -> None:
        self._jobs.append(job)
        self._schedule()

    async def stop(self) -> None:
        while self._jobs:
            self._write()
        self._stopped = True
        self._writer.close()

    def _schedule(self) -> None:
        if not self._busy:
            self._busy = True
            takes_s = self._disk.slow_s or 0.002
            wait_s = takes_s * (1 + self._random.below(100)) / 100
            self._loop.call_later(wait_s, self._step, context=self._context)

    def _step(self) -> None:
        self._busy = False
        if self._stopped:
            return
        if self._jobs:
            self._write()
        more = self._writer.housekeep()
        if more or self._jobs:
            self._schedule()

    def _write(self) -> None:
        group = [self._jobs.popleft() for _ in range(min(GROUP_MAX, len(self._jobs)))]
        committed = self._writer.write(group)
        if self._disk.on_commit is not None and self._disk.on_commit():
            self._disk.on_commit = None
        owner = OWNER.get()
        # Between the commit and its news is the moment for a crash; a dead server must not hear it.
        if owner is None or owner.alive:
            self._deliver(committed)


class Launcher:
    """`launch` for SqliteStore.open."""

    def __init__(self, disk: Disk, random: Random) -> None:
        self._disk = disk
        self._random = random

    async def __call__(self, opening: Opening, _lock: int, deliver: Deliver) -> DiskWriter:
        return DiskWriter(Writer(opening), self._disk, self._random, deliver)
