"""Folders that are volumes: anybody's to write, behind a door of root's, whole also after a crash."""

import stat
from pathlib import Path

from cybernetes.kubelet.volumes.local import make_folder, remove_folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_is_made_once_and_keeps_what_its_pods_make_of_it(tmp_path: Path) -> None:
    path = tmp_path / "volumes" / "pvc-1"
    make_folder(path)
    assert (mode(path), mode(path.parent)) == (0o777, 0o700)
    path.chmod(0o2770)
    make_folder(path)
    assert mode(path) == 0o2770


def test_one_that_was_half_made_gets_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "pvc-1"
    (tmp_path / ".pvc-1.new").mkdir(mode=0o700)
    make_folder(path)
    assert mode(path) == 0o777
    remove_folder(path)
    remove_folder(path)
    assert list(tmp_path.iterdir()) == []
