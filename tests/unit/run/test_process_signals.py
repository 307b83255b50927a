"""A process that is told to stop the moment it was started."""

import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cybernetes.run.process import die_with, exec_program, fork_component

PATIENCE_S = 60


@pytest.fixture(autouse=True)
def handled_by_the_parent() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, before)


def exit_status(pid: int) -> int:
    ended, _, _ = select.select([os.pidfd_open(pid)], [], [], PATIENCE_S)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


@pytest.mark.parametrize("attempt", range(5))
def test_a_program_does_not_forget_a_signal_that_came_before_it_ran(tmp_path: Path, attempt: int) -> None:
    pid = exec_program(("sleep", "60"), log=tmp_path / "log", environment={})
    os.kill(pid, signal.SIGTERM)
    assert os.WTERMSIG(exit_status(pid)) == signal.SIGTERM


@pytest.mark.parametrize("attempt", range(5))
def test_a_component_does_not_forget_a_signal_that_came_before_it_ran(tmp_path: Path, attempt: int) -> None:
    pid = fork_component(signal.pause, title="component", log=tmp_path / "log", environment={})
    os.kill(pid, signal.SIGTERM)
    assert os.WTERMSIG(exit_status(pid)) == signal.SIGTERM


def test_the_parent_hears_signals_after_it_has_started_a_process(tmp_path: Path) -> None:
    pid = exec_program(("true",), log=tmp_path / "log", environment={})
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert exit_status(pid) == 0


def test_a_child_whose_parent_ended_before_it_could_listen_for_that_ends_too() -> None:
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        me = os.getpid()
        if os.fork():
            os._exit(0)
        os.close(reading)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        while os.getppid() == me:
            os.sched_yield()
        die_with(me)
        signal.pause()
    os.close(writing)
    assert exit_status(parent) == 0
    ended, _, _ = select.select([reading], [], [], PATIENCE_S)
    assert ended, "the orphan lives"
    os.close(reading)
