"""The log file: rotation, what is kept, what happens when the disk is slow or broken."""

import asyncio
import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from cybernetes.apiserver.audit.log import LogFile
from cybernetes.apiserver.audit.numbers import Numbers
from cybernetes.apiserver.audit.rotation import DAY_S, MEGABYTE, Keep, RotatingFile, outlived, put_aside
from cybernetes.base.clock import SystemClock

NOON = 1_760_000_000.0
PATH = Path("/var/log/audit.log")


def names(*ages_days: float) -> list[str]:
    return [put_aside(PATH, NOON - age * DAY_S).name for age in ages_days]


def test_a_file_put_aside_has_its_time_in_its_name():
    assert put_aside(PATH, NOON).name == "audit-2025-10-09T08-53-20.000.log"


def test_the_newest_backups_stay():
    assert outlived([*names(1, 2, 3), "audit.log"], PATH, Keep(max_backups=2), NOON) == names(3)


def test_old_backups_go_and_packed_ones_too():
    found = [*names(1), f"{names(9)[0]}.gz"]
    assert outlived(found, PATH, Keep(max_age_days=7), NOON) == [f"{names(9)[0]}.gz"]


def test_files_of_others_are_left_alone():
    others = ["audit.log", "audit-extra.log", "audit-2025.log", "other-2020-01-01T00-00-00.000.log", "passwd"]
    assert outlived(others, PATH, Keep(max_age_days=1, max_backups=1), NOON) == []


def test_a_file_that_grows_too_large_is_put_aside_whole(tmp_path):
    file = RotatingFile(str(tmp_path / "audit.log"), Keep(max_size_mb=1, compress=True), SystemClock())
    first = b"a" * (MEGABYTE - 1) + b"\n"
    file.write(first)
    file.write(b"b\n")
    file.close()
    assert (tmp_path / "audit.log").read_bytes() == b"b\n"
    (aside,) = tmp_path.glob("audit-*.log.gz")
    assert gzip.decompress(aside.read_bytes()) == first
    assert aside.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "audit.log").stat().st_mode & 0o777 == 0o600


def test_what_was_there_before_a_restart_is_kept(tmp_path):
    for line in (b"1\n", b"2\n"):
        file = RotatingFile(str(tmp_path / "audit.log"), Keep(), SystemClock())
        file.write(line)
        file.close()
    assert (tmp_path / "audit.log").read_bytes() == b"1\n2\n"


class Standing(SystemClock):
    """A clock that shows noon."""

    def now(self):
        return NOON


@pytest.mark.parametrize("compress", [False, True])
def test_files_that_are_put_aside_in_one_moment_have_names_of_their_own(tmp_path, compress):
    file = RotatingFile(str(tmp_path / "audit.log"), Keep(max_size_mb=1, compress=compress), Standing())
    lines = [b"%d %s\n" % (n, b"x" * 600_000) for n in range(4)]
    for line in lines:
        file.write(line)
    file.close()
    aside = [each for each in tmp_path.iterdir() if each.name != "audit.log"]
    kept = [gzip.decompress(each.read_bytes()) if compress else each.read_bytes() for each in aside]
    assert sorted([*kept, (tmp_path / "audit.log").read_bytes()]) == lines


WRITER = """
import sys
from cybernetes.apiserver.audit.rotation import Keep, RotatingFile
from cybernetes.base.clock import SystemClock
path, name, count = sys.argv[1:]
file = RotatingFile(path, Keep(max_size_mb=1), SystemClock())
for n in range(int(count)):
    file.write(f"{name} {n} {'x' * 50_000}\\n".encode())
file.close()
"""


def test_several_processes_write_one_file_and_put_it_aside_once(tmp_path):
    count, path = 60, str(tmp_path / "audit.log")
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, path, name, str(count)]) for name in "abc"]
    assert [each.wait(60) for each in writers] == [0, 0, 0]
    files = sorted(tmp_path.glob("audit*.log"))
    assert all(each.stat().st_size <= MEGABYTE for each in files)
    # Whole files only: nobody put one aside that another had just begun.
    assert all(each.stat().st_size > MEGABYTE - 60_000 for each in files if each.name != "audit.log")
    lines = [line.rsplit(" ", 1) for each in files for line in each.read_text().splitlines()]
    assert {len(padding) for _, padding in lines} == {50_000}
    assert sorted(head for head, _ in lines) == sorted(f"{name} {n}" for name in "abc" for n in range(count))


def counted(numbers: Numbers, name: str) -> float:
    return sum(s.value for metric in numbers.collect() for s in metric.samples if s.name == name)


async def written(backend: LogFile, lines: list[bytes]) -> None:
    task = asyncio.create_task(backend.run())
    for line in lines:
        await backend.room()
        backend.put(line)
    task.cancel()
    await asyncio.wait((task,))


def test_nothing_is_lost_when_the_server_is_stopped(tmp_path):
    path = tmp_path / "audit.log"
    lines = [b"%d\n" % i for i in range(500)]

    async def scenario():
        backend = LogFile(RotatingFile(str(path), Keep(), SystemClock()), Numbers(), SystemClock(), waiting_max=50)
        await written(backend, lines)

    asyncio.run(scenario())
    assert path.read_bytes() == b"".join(lines)


class Slow:
    """A file whose first write waits until it is let go."""

    def __init__(self) -> None:
        import threading

        self.data = b""
        self.writing, self.go = threading.Event(), threading.Event()

    def write(self, data: bytes) -> None:
        self.writing.set()
        self.go.wait(10)
        self.data += data

    def close(self) -> None:
        return None


def test_a_slow_disk_holds_new_requests_back_and_loses_nothing():
    async def scenario():
        slow, numbers = Slow(), Numbers()
        backend = LogFile(slow, numbers, SystemClock(), waiting_max=2)
        task = asyncio.create_task(backend.run())
        backend.put(b"1\n")
        await asyncio.to_thread(slow.writing.wait, 60)
        backend.put(b"2\n")
        waiting = asyncio.create_task(backend.room())
        await asyncio.wait((waiting,), timeout=0)
        assert not waiting.done()
        slow.go.set()
        await waiting
        task.cancel()
        await asyncio.wait((task,))
        assert slow.data == b"1\n2\n"
        assert counted(numbers, "apiserver_audit_error_total") == 0

    asyncio.run(scenario())


def test_stopping_while_the_disk_writes_writes_nothing_twice():
    async def scenario():
        slow = Slow()
        backend = LogFile(slow, Numbers(), SystemClock())
        task = asyncio.create_task(backend.run())
        backend.put(b"1\n")
        await asyncio.to_thread(slow.writing.wait, 60)
        backend.put(b"2\n")
        task.cancel()
        await asyncio.wait((task,), timeout=0)
        slow.go.set()
        await asyncio.wait((task,))
        assert slow.data == b"1\n2\n"

    asyncio.run(scenario())


class Broken:
    def __init__(self) -> None:
        self.tries = 0

    def write(self, data: bytes) -> None:
        self.tries += 1
        raise OSError(28, "No space left on device")

    def close(self) -> None:
        return None


def test_a_broken_disk_lets_requests_go_on_and_counts_what_is_lost():
    async def scenario():
        numbers, broken = Numbers(), Broken()
        backend = LogFile(broken, numbers, SystemClock(), waiting_max=2)
        task = asyncio.create_task(backend.run())
        for i in range(10):
            backend.put(b"%d\n" % i)
        async with asyncio.timeout(60):
            await backend.room()
        task.cancel()
        await asyncio.wait((task,))
        assert broken.tries >= 1
        assert counted(numbers, "apiserver_audit_error_total") == 10

    asyncio.run(scenario())
