"""Starts processes the way a supervisor needs them: own session, own log, dying with their parent.

A component of ours is forked from the warm parent, not executed anew: the modules are imported
once and their pages stay shared, which saves a third of a second and some 25 MB a component.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
# Requests and reconciles make thousands of short-lived containers, which reference counts free. Looking for cycles
# after each 700 of them, as is the default, takes a tenth of the time and finds nothing.
GC_THRESHOLDS = (20_000, 20, 20)
_CLONE_NEWNET = 0x40000000
# Each watch is a connection, and each node holds some five: the usual 1024 are an API server's end at 200 nodes.
FILES_MAX = 1 << 20
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_libc = ctypes.CDLL(None, use_errno=True)


def fork_component(
    main: Callable[[], None], *, title: str, log: Path, environment: Mapping[str, str], network: str = ""
) -> int:
    """Fork a child that runs `main` and exits; the child's process id.

    title    what ps and pgrep show
    network  name of the network namespace the child enters, "" to stay
    """
    parent, pid = os.getpid(), _fork()
    if pid:
        return pid
    status = 1
    try:
        _enter_child(parent, log, network)
        os.environ.update(environment)
        set_title(title)
        spare_garbage_collection()
        main()
        status = 0
    except SystemExit as stopped:
        status = stopped.code if isinstance(stopped.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def spare_garbage_collection() -> None:
    """Look for cycles seldom from now on, and never among what is there already: modules, and what they made."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def exec_program(command: Sequence[str], *, log: Path, environment: Mapping[str, str], network: str = "") -> int:
    """Fork and execute another program; its process id."""
    parent, pid = os.getpid(), _fork()
    if pid:
        return pid
    try:
        _enter_child(parent, log, network)
        os.execvpe(command[0], list(command), {**os.environ, **environment})
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(127)


def _fork() -> int:
    """Fork with the stopping signals held back in the child, until it has left the parent's handlers behind.

    The child would otherwise take a SIGTERM that comes early with the parent's handler, and forget it.
    """
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    return pid


def _enter_child(parent: int, log: Path, network: str) -> None:
    os.setsid()
    for each in (*_STOPPING, signal.SIGCHLD):
        signal.signal(each, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
    die_with(parent)
    log_file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    os.dup2(log_file, 1)
    os.dup2(log_file, 2)
    os.closerange(3, 4096)
    if network:
        enter_network(network)


def die_with(parent: int) -> None:
    """Let the kernel end this process when its parent dies, so that no orphan serves with stale state.

    parent  the process that forked this one; when it is gone already, this one ends at once
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def enter_network(name: str) -> None:
    """Move this process into a named network namespace (only the network: mounts and cgroups stay)."""
    handle = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(handle, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter network namespace {name}")
    finally:
        os.close(handle)


def allow_many_files() -> None:
    """Raise this process's limit of open files to FILES_MAX, or as far as the machine lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def set_title(title: str) -> None:
    """Write the title over the argument vector that the kernel shows for this process."""
    _libc.prctl(_PR_SET_NAME, title.split()[-1].encode()[:15])
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    room = end - start
    ctypes.memmove(start, title.encode()[: room - 1].ljust(room, b"\0"), room)
