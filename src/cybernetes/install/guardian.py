"""Who looks after the supervisor: starts it again when it was killed, and does the chores of a cluster meanwhile.

enters   a configuration, whose files are written
leaves   a guardian and its supervisor, in the background; certificates renewed, authorities followed
holds    the guardian ends when the supervisor was asked to; a chore that fails is done again the next time
"""

from __future__ import annotations

import asyncio
import os
import select
import sys
import time
import traceback
from collections.abc import Callable
from typing import NamedTuple

from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import configure as configure_log
from cybernetes.base.private_file import write_private
from cybernetes.install import members, renewal
from cybernetes.run import components
from cybernetes.run.config import ClusterConfig
from cybernetes.run.layout import Layout
from cybernetes.run.process import set_title
from cybernetes.run.supervise import Supervisor

# The guardian starts a killed supervisor again; not faster than this, should it die at once.
_GUARD_PAUSE_S = 0.5
# How often certificates are looked at while the cluster runs, and whether another machine of the control plane leads a
# rotation: two small requests.
CHORE_EVERY_S = 3600.0
FOLLOW_EVERY_S = 5.0


def start(config: ClusterConfig, layout: Layout) -> None:
    """Start the supervisor in the background, guarded: killed, it is started again."""
    processes = components.plan(config, layout)
    sys.stdout.flush()
    if os.fork():
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        _detach(layout)
        set_title("cybernetes guardian")
        _guard(lambda: _supervise(config, layout, processes), _chores(config, layout))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _detach(layout: Layout) -> None:
    os.chdir("/")
    devnull = os.open(os.devnull, os.O_RDONLY)
    log = os.open(layout.log("supervisor"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    os.dup2(devnull, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)


class _Chore(NamedTuple):
    do: Callable[[], None]
    every_s: float


def _chores(config: ClusterConfig, layout: Layout) -> _Chore:
    """Renew certificates every hour; with several machines of the control plane look soon what the others do."""
    if not members.has_others(config):
        return _Chore(lambda: _renew(config, layout), CHORE_EVERY_S)
    renewed, said = time.monotonic(), ""

    def both() -> None:
        nonlocal renewed, said
        why = _follow(config, layout)
        if why != said:
            sys.stderr.write(f"authorities of other machines: {why or 'followed'}\n")
            said = why
        if time.monotonic() - renewed >= CHORE_EVERY_S:
            renewed = time.monotonic()
            _renew(config, layout)

    return _Chore(both, FOLLOW_EVERY_S)


def _guard(supervise: Callable[[], None], chore: _Chore) -> None:
    """Start `supervise` in a process of its own whenever it ends; do the chore now and then meanwhile."""
    while True:
        pid = os.fork()
        if pid == 0:
            supervise()
            os._exit(0)
        wait_for(pid, chore.do, chore.every_s)
        _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            os._exit(0)
        time.sleep(_GUARD_PAUSE_S)


def wait_for(pid: int, chore: Callable[[], None], every_s: float) -> None:
    """Until a child process ends; it is not reaped."""
    ended = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        while not poll.poll(every_s * 1000):
            chore()
    finally:
        os.close(ended)


def _renew(config: ClusterConfig, layout: Layout) -> None:
    """Write certificates of this machine's control plane that soon end anew; its processes take them up."""
    try:
        renewal.renew(config, layout)
    except (EdgeError, OSError, ValueError):
        traceback.print_exc()


def _follow(config: ClusterConfig, layout: Layout) -> str:
    """Where another machine of the control plane replaces an authority, do it here, too; why that can't be now, or ""."""
    try:
        asyncio.run(members.follow(config, layout))
    except (EdgeError, ApiError, OSError, ValueError) as failed:
        # Its API server may just start; the machine that leads waits for this one.
        return str(failed)
    return ""


def _supervise(config: ClusterConfig, layout: Layout, processes: list) -> None:
    try:
        set_title("cybernetes supervisor")
        configure_log(config.log_level)
        write_private(layout.supervisor_lock, f"{os.getpid()}\n".encode())
        Supervisor(layout, processes).run(lambda: components.preload(config))
        layout.supervisor_lock.unlink(missing_ok=True)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
