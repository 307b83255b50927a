"""The supervisor against real processes: forks, restarts, order, readiness, stop."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cybernetes.install.renewal import restart
from cybernetes.run import control
from cybernetes.run.layout import Layout
from cybernetes.run.notify import notify_ready
from cybernetes.run.supervise import Process, ProcessStatus, Supervisor

PATIENCE_S = 60


def serve_until_stopped() -> None:
    notify_ready()
    signal.pause()


def end_at_once() -> None:
    raise SystemExit(3)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Layout]]:
    supervisors: list[tuple[int, Layout]] = []

    def run(*processes: Process) -> Layout:
        layout = Layout(tmp_path)
        layout.run.mkdir(parents=True)
        layout.logs.mkdir(parents=True)
        pid = os.fork()
        if pid == 0:
            try:
                Supervisor(layout, processes).run()
            finally:
                os._exit(0)
        supervisors.append((pid, layout))
        return layout

    yield run
    for pid, _ in supervisors:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


def wait_for(layout: Layout, holds: Callable[[dict[str, ProcessStatus]], bool]) -> dict[str, ProcessStatus]:
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while time.monotonic() < deadline:
        if layout.control_socket.exists():
            rows = {row.name: row for row in control.status(layout.control_socket)}
            if holds(rows):
                return rows
        pause.wait(0.02)
    raise AssertionError(f"never held: {rows}")


def test_a_process_is_ready_once_it_has_said_so(start: Callable[..., Layout]) -> None:
    layout = start(Process(name="server", main=serve_until_stopped))
    row = wait_for(layout, lambda rows: rows["server"].ready)["server"]
    assert row.restarts == 0
    assert row.pid > 0


def test_a_process_starts_only_after_those_it_needs(start: Callable[..., Layout]) -> None:
    layout = start(
        Process(name="never", main=lambda: signal.pause() and None),
        Process(name="dependent", main=serve_until_stopped, after=("never",)),
    )
    rows = wait_for(layout, lambda rows: rows["never"].pid > 0)
    assert rows["dependent"].pid == 0


def test_a_killed_process_comes_back_with_another_pid(start: Callable[..., Layout]) -> None:
    layout = start(Process(name="server", main=serve_until_stopped))
    first = wait_for(layout, lambda rows: rows["server"].ready)["server"].pid
    os.kill(first, signal.SIGKILL)
    row = wait_for(layout, lambda rows: rows["server"].ready and rows["server"].pid != first)["server"]
    assert row.restarts == 1
    assert row.last_exit == "SIGKILL"


def test_a_process_that_is_told_to_start_again_does_so_without_a_pause(start: Callable[..., Layout]) -> None:
    layout = start(Process(name="server", main=serve_until_stopped))
    pid = 0
    # As failures these would take minutes.
    for _ in range(12):
        pid = wait_for(layout, lambda rows, pid=pid: rows["server"].ready and rows["server"].pid != pid)["server"].pid
        control.ask(layout.control_socket, "restart server")
    assert wait_for(layout, lambda rows: rows["server"].restarts == 12)["server"].last_exit


def test_what_has_read_the_newest_files_is_left_alone(start: Callable[..., Layout]) -> None:
    layout = start(
        Process(name="apiserver", main=serve_until_stopped), Process(name="apiserver-2", main=serve_until_stopped)
    )
    first = wait_for(layout, lambda rows: all(each.ready for each in rows.values()))
    assert restart(layout, ["apiserver", "registry"], older_than=0) == []
    assert restart(layout, ["apiserver", "registry"]) == ["apiserver", "apiserver-2"]
    now = {each.name: each for each in control.status(layout.control_socket)}
    assert all(now[name].ready and now[name].pid != first[name].pid for name in first)


def test_a_process_that_ends_at_once_is_restarted_ever_more_slowly(start: Callable[..., Layout]) -> None:
    layout = start(Process(name="broken", main=end_at_once))
    began = time.monotonic()
    row = wait_for(layout, lambda rows: rows["broken"].restarts >= 3)["broken"]
    assert time.monotonic() - began > 0.2 + 0.4
    assert row.last_exit == "exit 3"


def test_a_process_is_held_between_two_tries_too(start: Callable[..., Layout]) -> None:
    layout = start(Process(name="broken", main=end_at_once), Process(name="witness", main=end_at_once))
    wait_for(layout, lambda rows: rows["broken"].restarts >= 1 and rows["broken"].pid == 0)
    control.ask(layout.control_socket, "hold broken")
    now = {row.name: row.restarts for row in control.status(layout.control_socket)}
    later = wait_for(layout, lambda rows: rows["witness"].restarts >= now["witness"] + 2)
    assert later["broken"].restarts == now["broken"]


def test_another_program_is_ready_when_its_probe_says_so(start: Callable[..., Layout], tmp_path: Path) -> None:
    marker = tmp_path / "serves"
    command = ("sh", "-c", f"touch {marker}; exec sleep 60")
    layout = start(Process(name="program", command=command, notifies=False, probe=marker.exists))
    assert wait_for(layout, lambda rows: rows["program"].ready)["program"].pid > 0


def test_stop_ends_every_process(start: Callable[..., Layout]) -> None:
    layout = start(
        Process(name="a", main=serve_until_stopped), Process(name="b", command=("sleep", "60"), notifies=False)
    )
    rows = wait_for(layout, lambda rows: rows["a"].ready and rows["b"].pid > 0)
    control.ask(layout.control_socket, "stop")
    deadline = time.monotonic() + PATIENCE_S
    while layout.control_socket.exists() and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    assert not layout.control_socket.exists()
    assert not any(Path(f"/proc/{row.pid}/exe").exists() for row in rows.values())


def test_processes_die_with_their_supervisor(start: Callable[..., Layout], tmp_path: Path) -> None:
    layout = start(Process(name="server", main=serve_until_stopped))
    pid = wait_for(layout, lambda rows: rows["server"].ready)["server"].pid
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_S
    while Path(f"/proc/{pid}/exe").exists() and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    assert not Path(f"/proc/{pid}/exe").exists()


def test_a_forked_component_shows_its_own_name(start: Callable[..., Layout]) -> None:
    layout = start(Process(name="kubelet-a", main=serve_until_stopped))
    pid = wait_for(layout, lambda rows: rows["kubelet-a"].ready)["kubelet-a"].pid
    shown = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0")
    assert shown == b"cybernetes kubelet-a"
