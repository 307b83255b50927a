"""A private socket is never seen before it listens, and never by others."""

import socket
import stat
import tempfile
from pathlib import Path

import pytest

from cybernetes.base.private_socket import listen_private


def test_who_sees_the_path_can_connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "control.sock"
    seen_before: list[bool] = []
    listen = socket.socket.listen

    def watched(self: socket.socket, backlog: int) -> None:
        seen_before.append(path.exists())
        listen(self, backlog)

    monkeypatch.setattr(socket.socket, "listen", watched)
    with listen_private(path, 8) as listener, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))
        accepted, _ = listener.accept()
        accepted.close()
    assert seen_before == [False]
    assert [each.name for each in tmp_path.iterdir()] == ["control.sock"]


def test_it_takes_the_place_of_what_a_dead_process_left(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    listen_private(path, 8).close()
    (tmp_path / "control.sock.new").touch()
    with listen_private(path, 8), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_failure_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    (path / "taken").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        listen_private(path, 8)
    assert [each.name for each in tmp_path.iterdir()] == ["control.sock"]


def test_it_may_have_the_longest_name_that_the_kernel_takes() -> None:
    # Not below `tmp_path`, which may be too long itself.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        deep = Path(folder, "d" * (107 - len(folder) - len("/") - len("/s.sock")))
        deep.mkdir()
        path = deep / "s.sock"
        assert len(str(path)) == 107
        with listen_private(path, 8), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(path))
