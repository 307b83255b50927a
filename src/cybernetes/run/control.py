"""Talks to a running supervisor."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import msgspec

from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.run.supervise import STOP_TIMEOUT_S, ProcessStatus

# Nobody is answered while the supervisor stops a process, or imports everything on a busy machine.
ASK_TIMEOUT_S = 6 * STOP_TIMEOUT_S
# A process that ended so often while it was waited for won't get ready: with the supervisor's pauses some six seconds.
ENDS_MAX = 6


def ask(control_socket: Path, verb: str) -> bytes:
    """One verb, one answer. Raises EdgeError when no supervisor listens, or its answer breaks off."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ASK_TIMEOUT_S)
            connection.connect(str(control_socket))
            connection.sendall(verb.encode() + b"\n")
            return _read_line(connection)
    except OSError as broken:
        raise EdgeError("ask supervisor", str(control_socket), str(broken), outcome=Outcome.NOT_DONE) from broken


def _read_line(connection: socket.socket) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n"):
        chunk = connection.recv(65536)
        if not chunk:
            raise ConnectionResetError("the answer broke off")
        received += chunk
    return bytes(received)


def status(control_socket: Path) -> list[ProcessStatus]:
    return msgspec.json.decode(ask(control_socket, "status"), type=list[ProcessStatus])


def is_running(control_socket: Path) -> bool:
    """Whether a supervisor listens, which need not have the time to answer now."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ASK_TIMEOUT_S)
        try:
            connection.connect(str(control_socket))
        except TimeoutError:
            return True
        except OSError:
            return False
        return True


def stop(control_socket: Path, lock: Path) -> None:
    """Ask the supervisor to stop everything and wait until it is gone."""
    ask(control_socket, "stop")
    deadline = time.monotonic() + 6 * STOP_TIMEOUT_S
    while time.monotonic() < deadline:
        if not holder(lock):
            return
        time.sleep(0.05)
    raise EdgeError("stop supervisor", str(control_socket), f"still running as process {holder(lock)}")


def holder(lock: Path) -> int:
    """Process id of the supervisor that holds the lock file; 0 when it is gone."""
    try:
        pid = int(lock.read_text())
    except (FileNotFoundError, ValueError):
        return 0
    return pid if os.path.exists(f"/proc/{pid}") and lock.exists() else 0


def wait_ready(control_socket: Path, names: set[str], timeout_s: float) -> list[ProcessStatus]:
    """Wait until all named processes have been ready; the ones that were not in time, or that only end anew."""
    deadline = time.monotonic() + timeout_s
    seen: set[str] = set()
    before: dict[str, int] = {}
    while True:
        try:
            now = status(control_socket)
        except EdgeError:
            now = []
        seen |= {each.name for each in now if each.ready}
        if names <= seen:
            return []
        late = [each for each in now if each.name in names - seen]
        hopeless = [each for each in late if each.restarts - before.setdefault(each.name, each.restarts) >= ENDS_MAX]
        if hopeless or time.monotonic() > deadline:
            return hopeless or late
        time.sleep(0.02)
