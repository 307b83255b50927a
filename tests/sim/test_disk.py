"""What a power loss leaves of SQLite's files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own: the simulated disk becomes SQLite's default there.
PROGRAM = """
import sys
from pathlib import Path
import apsw
from cybernetes.base.random import SeededRandom
from cybernetes.sim.disk import Disk, DiskLayer

disk = Disk(Path(sys.argv[1]), SeededRandom(int(sys.argv[3])))
layer = DiskLayer(disk)
disk.lying = sys.argv[2] == "lying"
connection = apsw.Connection(str(disk.path))
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("PRAGMA synchronous=FULL")
connection.execute("CREATE TABLE t (n INTEGER)")
for n in range(20):
    connection.execute("INSERT INTO t VALUES (?)", (n,))
connection.execute("BEGIN")
connection.execute("INSERT INTO t VALUES (99)")
disk.lose_power()
found = apsw.Connection(str(disk.path), vfs="unix")
try:
    print([n for n, in found.execute("SELECT n FROM t ORDER BY n")])
except apsw.SQLError:
    print([])
"""


def survivors(folder: Path, disk: str, seed: int) -> list[int]:
    command = (sys.executable, "-c", PROGRAM, str(folder), disk, str(seed))
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [int(each) for each in answer.stdout.strip().strip("[]").split(",") if each.strip()]


@pytest.mark.parametrize("seed", range(4))
def test_committed_rows_survive_and_others_do_not(tmp_path: Path, seed: int) -> None:
    assert survivors(tmp_path, "honest", seed) == list(range(20))


def test_a_disk_that_lies_loses_what_was_committed(tmp_path: Path) -> None:
    lost = [seed for seed in range(3) if survivors(tmp_path / str(seed), "lying", seed) != list(range(20))]
    assert lost
