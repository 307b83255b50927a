"""What a node's containerd runs: where it is put, and that nobody can write it."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cybernetes.base.errors import EdgeError
from cybernetes.install import programs
from cybernetes.install.removal import unmount_below


def test_the_machine_s_plugins_are_beside_the_one_of_our_own(tmp_path: Path) -> None:
    machines, folder = tmp_path / "machine", tmp_path / "node"
    machines.mkdir()
    for name in ("portmap", "loopback"):
        (machines / name).write_text(name)
    programs.place_plugins(folder, machines)
    (machines / "bridge").write_text("bridge")
    (machines / "portmap").rename(machines / "ptp")
    (folder / "bridge").write_text("an administrator's")
    programs.place_plugins(folder, machines)
    assert {each.name for each in folder.iterdir()} == {"cybernetes", "loopback", "ptp", "bridge"}
    assert (folder / "ptp").read_text() == "portmap"
    assert (folder / "bridge").read_text() == "an administrator's"
    done = subprocess.run([folder / "loopback"], env={"CNI_COMMAND": "VERSION"}, capture_output=True, check=True)
    assert b'"1.0.0"' in done.stdout


@pytest.mark.privileged
def test_a_runtime_s_copy_can_be_run_and_replaced_but_not_written(tmp_path: Path) -> None:
    try:
        for _ in range(2):
            copy = programs.read_only_copy("cat", tmp_path)
            with subprocess.Popen([copy], stdin=subprocess.PIPE) as running:
                seen = os.open(f"/proc/{running.pid}/exe", os.O_RDONLY)
                running.stdin.close()  # type: ignore[union-attr]
            # What CVE-2019-5736 does once the program has ended.
            with pytest.raises(OSError, match="Read-only") as refused:
                os.open(f"/proc/self/fd/{seen}", os.O_WRONLY)
            os.close(seen)
            assert refused.value.errno == errno.EROFS
        assert Path("/proc/self/mountinfo").read_text().count(f" {copy} ") == 1
        assert copy.read_bytes() == Path(str(shutil.which("cat"))).read_bytes()
    finally:
        unmount_below(tmp_path)
    assert f" {copy} " not in Path("/proc/self/mountinfo").read_text()


def test_a_runtime_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="no-such-runtime"):
        programs.read_only_copy("no-such-runtime", tmp_path)
