"""Programs in a chroot, and the root of the mount namespace that they are in."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cybernetes.install import own_root

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(os.geteuid() != 0 or not Path("/bin/busybox").exists(), reason="needs root and busybox"),
]
NAME = Path("marker-of-the-chroot")


@pytest.fixture
def chroot(tmp_path: Path) -> Iterator[Path]:
    """A folder with busybox, /proc and a file that says where one is."""
    root = tmp_path / "root"
    for name in ("bin", "proc"):
        (root / name).mkdir(parents=True)
    for name in ("busybox", "sh", "cat"):
        shutil.copy("/bin/busybox", root / "bin" / name)
    (root / NAME).write_text("chroot")
    with ExitStack() as stack:
        subprocess.run(["mount", "--rbind", "/proc", root / "proc"], check=True)
        stack.callback(subprocess.run, ["umount", "--lazy", root / "proc"], check=True)
        subprocess.run(["mount", "--make-rslave", root / "proc"], check=True)
        yield root


def rejoined(root: Path, *before: str) -> str:
    """What a process finds that enters the mount namespace of one that was started in the chroot."""
    with subprocess.Popen(
        ["chroot", str(root), *before, "/bin/busybox", "sh", "-c", "echo started; exec /bin/busybox sleep 60"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "started\n"
            command = ["nsenter", f"--mount=/proc/{process.pid}/ns/mnt", "cat", f"/{NAME}"]
            environment = {**os.environ, "PATH": "/bin:" + os.environ["PATH"]}
            return subprocess.run(command, capture_output=True, text=True, check=False, env=environment).stdout
        finally:
            process.kill()


def test_a_chroot_is_left_by_whoever_joins_its_processes(chroot: Path) -> None:
    assert rejoined(chroot) == ""


def test_whoever_joins_a_process_in_its_own_root_finds_the_same_files(chroot: Path) -> None:
    shutil.copy(Path(own_root.__file__).with_name("own_root"), chroot / "bin" / "own_root")
    (chroot / "place").mkdir()
    assert rejoined(chroot, "/bin/own_root", "/place") == "chroot"


def test_a_runtimes_stand_in_calls_it_from_the_folder_where_it_was_called(tmp_path: Path) -> None:
    written = own_root.script("pwd", tmp_path / "runtimes")
    told = subprocess.run([str(written)], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert told.stdout.strip() == str(tmp_path)


def test_a_stand_in_works_from_a_folder_that_is_gone(tmp_path: Path) -> None:
    written, gone = own_root.script("pwd", tmp_path / "runtimes"), tmp_path / "gone"
    gone.mkdir()
    command = f"cd {gone} && rmdir {gone} && exec {written}"
    told = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "/"


def test_a_stand_in_that_is_running_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shims outlive a cluster that was killed, and call their runtime when a container ends."""
    monkeypatch.setattr(own_root, "_BINARY", Path("/bin/sleep"))
    first = own_root.script("runc", tmp_path)
    with subprocess.Popen([tmp_path / "own_root", "60"]) as running:
        try:
            assert own_root.script("runc", tmp_path) == first
            assert running.poll() is None
        finally:
            running.kill()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["own_root", "place", "runc"]
