"""Keeps a cluster's processes alive: starts them in order, restarts them with backoff, stops them in reverse.

One thread and no event loop: components are forked from here, and a fork is only safe from a
process that has neither. Talks over a control socket (one JSON line in, one out); `status`
prints what it answers.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from cybernetes.base.log import Log
from cybernetes.base.private_socket import listen_private
from cybernetes.run.layout import Layout
from cybernetes.run.notify import NotifyListener
from cybernetes.run.process import exec_program, fork_component

RESTART_FIRST_S = 0.2
RESTART_LIMIT_S = 10.0
# A process that ran this long has recovered: its next restart is quick again.
STABLE_AFTER_S = 30.0
# Longer than the API server drains and containerd takes to close its database.
STOP_TIMEOUT_S = 10.0
LOG_BYTES_MAX = 16 * 1024 * 1024
CONTROL_BACKLOG = 8
log = Log("supervisor")


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process to keep alive.

    main      what a component of ours runs after the fork; None for other programs
    command   what another program is executed as
    after     names of processes that must be ready first
    network   network namespace; "" for the machine's own
    notifies  whether readiness is said over the notify socket; otherwise `probe` tells
    probe     cheap check of readiness for programs that don't notify
    """

    name: str
    main: Callable[[], None] | None = None
    command: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    network: str = ""
    notifies: bool = True
    probe: Callable[[], bool] | None = None


class _Running(msgspec.Struct):
    process: Process
    pid: int = 0
    ready: bool = False
    started_at: float = 0.0
    restarts: int = 0
    failures: int = 0
    start_after: float = 0.0
    asked: bool = False
    last_exit: str = ""


class ProcessStatus(msgspec.Struct):
    name: str
    pid: int
    ready: bool
    restarts: int
    uptime_s: float
    last_exit: str


class Supervisor:
    def __init__(self, layout: Layout, processes: Sequence[Process]) -> None:
        self._layout = layout
        self._running = {each.name: _Running(process=each) for each in processes}
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._notify = NotifyListener(layout.notify_socket)
        self._control = listen_private(layout.control_socket, CONTROL_BACKLOG)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self, preload: Callable[[], None] = lambda: None) -> None:
        """Until `stop` comes over the control socket, or SIGTERM.

        preload: imports what further processes need, while they wait for the first
        """
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_terminate)
        signal.signal(signal.SIGINT, self._on_terminate)
        self._selector.register(self._notify.socket, selectors.EVENT_READ, self._on_notify)
        self._selector.register(self._control, selectors.EVENT_READ, self._on_control)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._on_wake)
        log.info("supervisor.started", pid=os.getpid(), processes=len(self._running))
        self._start_due()
        preload()
        while not self._stopping:
            self._start_due()
            for key, _ in self._selector.select(self._wait_s()):
                key.data()
            self._reap()
            self._probe()
        self._stop_all()

    def _on_terminate(self, *_: object) -> None:
        self._stopping = True

    def _wait_s(self) -> float:
        now = time.monotonic()
        if any(each.pid and not each.ready and each.process.probe for each in self._running.values()):
            return 0.02
        due = [
            each.start_after - now
            for each in self._running.values()
            if not each.pid and now < each.start_after < float("inf")
        ]
        return min([*due, 5.0])

    def _start_due(self) -> None:
        now = time.monotonic()
        for each in self._running.values():
            if each.pid or each.start_after > now:
                continue
            if all(self._running[name].ready for name in each.process.after if name in self._running):
                self._start(each)

    def _start(self, each: _Running) -> None:
        process = each.process
        log_file = self._layout.log(process.name)
        _rotate(log_file)
        environment = {"NOTIFY_SOCKET": str(self._layout.notify_socket), **process.environment}
        if process.main is not None:
            each.pid = fork_component(
                process.main,
                title=f"cybernetes {process.name}",
                log=log_file,
                environment=environment,
                network=process.network,
            )
        else:
            each.pid = exec_program(process.command, log=log_file, environment=environment, network=process.network)
        each.started_at = time.monotonic()
        each.ready = not process.notifies and process.probe is None
        log.info("process.started", name=process.name, pid=each.pid, restarts=each.restarts)

    def _reap(self) -> None:
        by_pid = {each.pid: each for each in self._running.values() if each.pid}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in by_pid:
                self._on_exit(by_pid[pid], status)

    def _on_exit(self, each: _Running, status: int) -> None:
        now = time.monotonic()
        each.last_exit = _describe_exit(status)
        each.failures = 0 if each.asked or now - each.started_at > STABLE_AFTER_S else each.failures + 1
        delay = 0.0 if each.asked else min(RESTART_LIMIT_S, RESTART_FIRST_S * 2 ** max(0, each.failures - 1))
        each.asked = False
        each.start_after = now + delay
        each.restarts += 1
        log.warning(
            "process.ended", name=each.process.name, pid=each.pid, exit=each.last_exit, restart_in_s=round(delay, 2)
        )
        each.pid, each.ready = 0, False

    def _probe(self) -> None:
        for each in self._running.values():
            if each.pid and not each.ready and each.process.probe and each.process.probe():
                self._mark_ready(each)

    def _mark_ready(self, each: _Running) -> None:
        each.ready = True
        log.info("process.ready", name=each.process.name, took_ms=round((time.monotonic() - each.started_at) * 1000))

    def _on_notify(self) -> None:
        by_pid = {each.pid: each for each in self._running.values() if each.pid}
        for pid in self._notify.ready_processes():
            if pid in by_pid and not by_pid[pid].ready:
                self._mark_ready(by_pid[pid])

    def _on_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 512)

    def _on_control(self) -> None:
        connection, _ = self._control.accept()
        with connection:
            connection.settimeout(1)
            try:
                verb = connection.recv(256).decode().strip()
                if verb:
                    connection.sendall(self._answer(verb) + b"\n")
            except (OSError, UnicodeDecodeError) as broken:
                log.warning("control.failed", error=broken)

    def _answer(self, verb: str) -> bytes:
        if verb == "stop":
            self._stopping = True
            return b"[]"
        if verb.startswith("restart "):
            return self._restart(verb.removeprefix("restart "))
        if verb.startswith("hold "):
            return self._hold(verb.removeprefix("hold "))
        return msgspec.json.encode([self._status(each) for each in self._running.values()])

    def _restart(self, name: str) -> bytes:
        each = self._running.get(name)
        if each is None:
            return msgspec.json.encode({"error": f"no process {name}"})
        if each.pid:
            each.asked = True
            os.kill(each.pid, signal.SIGTERM)
        each.start_after = 0
        return b"[]"

    def _hold(self, name: str) -> bytes:
        """Stop a process and leave it stopped until it is restarted by name."""
        each = self._running.get(name)
        if each is not None:
            if each.pid:
                _stop(each.pid)
            each.pid, each.ready, each.start_after = 0, False, float("inf")
            log.info("process.held", name=name)
        return b"[]"

    def _status(self, each: _Running) -> ProcessStatus:
        now = time.monotonic()
        return ProcessStatus(
            name=each.process.name,
            pid=each.pid,
            ready=each.ready,
            restarts=each.restarts,
            uptime_s=round(now - each.started_at, 1) if each.pid else 0.0,
            last_exit=each.last_exit,
        )

    def _stop_all(self) -> None:
        for each in reversed(self._running.values()):
            if each.pid:
                _stop(each.pid)
                log.info("process.stopped", name=each.process.name)
        self._layout.control_socket.unlink(missing_ok=True)
        self._control.close()


def _stop(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline:
        done, _ = os.waitpid(pid, os.WNOHANG)
        if done:
            return
        signal.sigtimedwait([signal.SIGCHLD], 0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _rotate(path: Path) -> None:
    """Keep one older log, so that a process that restarts for ever can't fill the disk."""
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.replace(path.with_suffix(".log.1"))


def _describe_exit(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"exit {os.WEXITSTATUS(status)}"
