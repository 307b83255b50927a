"""What is told to who asks a supervisor that is slow, busy or gone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from cybernetes.base.errors import EdgeError
from cybernetes.base.private_socket import listen_private
from cybernetes.run import control
from cybernetes.run.supervise import STOP_TIMEOUT_S, ProcessStatus


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "supervisor.sock"


@pytest.fixture
def listening(path: Path) -> Iterator[socket.socket]:
    with closing(listen_private(path, 8)) as listener:
        yield listener


def test_a_supervisor_that_has_no_time_to_answer_runs(path: Path, listening: socket.socket) -> None:
    assert control.is_running(path)


def test_a_supervisor_that_was_killed_or_never_was_does_not(path: Path) -> None:
    assert not control.is_running(path)
    listen_private(path, 8).close()
    assert path.exists() and not control.is_running(path)


def test_an_answer_that_breaks_off_is_an_edge_error(path: Path, listening: socket.socket) -> None:
    def hang_up() -> None:
        with listening.accept()[0] as connection:
            connection.recv(100)
            connection.sendall(b'[{"name": ')

    thread = threading.Thread(target=hang_up)
    thread.start()
    with pytest.raises(EdgeError, match="broke off"):
        control.status(path)
    thread.join()


def test_who_waits_gives_up_on_a_process_that_ends_again_and_again(path: Path, listening: socket.socket) -> None:
    def answer(restarts: int) -> None:
        row = ProcessStatus("apiserver", 0, False, restarts, 0.0, "exit 1")
        with listening.accept()[0] as connection:
            connection.recv(100)
            connection.sendall(msgspec.json.encode([row]) + b"\n")

    # Ends of before don't count.
    counts = (7, 8, 7 + control.ENDS_MAX)
    thread = threading.Thread(target=lambda: [answer(each) for each in counts])
    thread.start()
    late = control.wait_ready(path, {"apiserver"}, timeout_s=60)
    thread.join()
    assert [(each.name, each.restarts) for each in late] == [("apiserver", 7 + control.ENDS_MAX)]


def test_who_asks_waits_longer_than_a_process_may_take_to_stop() -> None:
    assert control.ASK_TIMEOUT_S > STOP_TIMEOUT_S
