"""`up`: the steps from a configuration to a running cluster. Each may be repeated; a running cluster is only completed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError, EdgeError, Outcome, Retry
from cybernetes.base.log import configure as configure_log
from cybernetes.client.api import ApiClient, is_reason
from cybernetes.client.kubeconfig import connect
from cybernetes.client.target import NODES
from cybernetes.install import (
    cgroups,
    checks,
    containerd,
    fabric,
    first_objects,
    images,
    members,
    pki,
    programs,
    registry,
    renewal,
)
from cybernetes.install.joining import identity
from cybernetes.install.user_kubeconfig import merge_into_users
from cybernetes.run import components, control, files
from cybernetes.run import config as cluster_config
from cybernetes.run.changes import differences
from cybernetes.run.config import ClusterConfig
from cybernetes.run.layout import Layout
from cybernetes.run.private import write_private
from cybernetes.run.process import set_title
from cybernetes.run.supervise import ProcessStatus, Supervisor

START_TIMEOUT_S = 60
# How often `up` looks whether nodes are Ready.
_LOOK_S = 0.1
# The guardian starts a killed supervisor again; not faster than this, should it die at once.
_GUARD_PAUSE_S = 0.5
# How often certificates are looked at while the cluster runs, and whether another machine of the control plane leads a
# rotation: two small requests.
CHORE_EVERY_S = 3600.0
FOLLOW_EVERY_S = 5.0
Step = Callable[[str], contextlib.AbstractContextManager[None]]


def up(config: ClusterConfig, layout: Layout, step: Step) -> None:
    """Bring the cluster up. Raises EdgeError that says what to do."""
    if not control.is_running(layout.control_socket):
        if _runs_nodes(config):
            with step("checking this machine"):
                check(config, layout)
        elif config.runs("apiserver"):
            _report(checks.ports(config, layout))
        with step("writing keys, certificates and configuration"):
            _write_files(config, layout)
        start_supervisor(config, layout)
    else:
        _refuse_others(config, layout)
    _wait_for_processes(config, layout, step)


def _refuse_others(config: ClusterConfig, layout: Layout) -> None:
    """Raises EdgeError when what runs can't be completed to what is wanted: a supervisor's processes are fixed."""
    wanted = {each.name for each in components.plan(config, layout)}
    there = {each.name for each in control.status(layout.control_socket)}
    missing = sorted(wanted - there)
    beyond = sorted(each for each in there - wanted if each == "store" or each.startswith("apiserver"))
    changes = [*(f"{each} does not run" for each in missing), *(f"{each} runs" for each in beyond)]
    changes = changes or differences(cluster_config.read(layout.config), config)
    if changes:
        why = f"{', '.join(changes)}; stop it first: {layout.command('down --keep-data')}"
        raise EdgeError("change", "the running cluster", why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)


def _runs_nodes(config: ClusterConfig) -> bool:
    return bool(config.nodes) and config.runs("kubelet")


def check(config: ClusterConfig, layout: Layout) -> None:
    """Raises EdgeError with all that keeps this machine from running the configuration, and how to mend it."""
    _report(checks.run_all(config, layout))


def _report(findings: Iterable[checks.Finding]) -> None:
    wrong = [each for each in findings if each.level == "error"]
    if wrong:
        text = "".join(f"\n  {each.subject}: {each.text}; mend: {each.mend}" for each in wrong)
        raise EdgeError("start on", "this machine", text, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)


def _write_files(config: ClusterConfig, layout: Layout) -> None:
    for folder in (layout.run, layout.logs):
        folder.mkdir(parents=True, exist_ok=True)
    layout.data_dir.chmod(0o700)
    cluster_config.write(layout.config, config)
    if config.joined:
        asyncio.run(identity.obtain(layout, config))
    else:
        pki.ensure(config, layout)
    if not layout.audit_policy.exists():
        layout.audit_policy.write_bytes(
            resources.files("cybernetes.install").joinpath("audit-policy.yaml").read_bytes()
        )
        layout.audit_policy.chmod(0o600)
    if not _runs_nodes(config):
        return
    fabric.ensure(config)
    cgroups.hide_strays(layout.run)
    cgroups.favor_changes()
    capabilities = containerd.probe()
    for node in config.nodes:
        places = layout.node(node.name)
        containerd.write_configuration(places, capabilities, pki.registry_hosts(config, layout))
        programs.place(places, capabilities)
    if config.runs_registry:
        registry.write_configuration(
            layout.registry_config,
            storage=layout.registry,
            address=f"{cluster_config.bracketed(config.api_address)}:{registry.REGISTRY_PORT}",
            certificate=files.registry(layout).certificate,
            key=files.registry(layout).key,
            client_ca=files.ca(layout).certificate,
        )


def start_supervisor(config: ClusterConfig, layout: Layout) -> None:
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


def _wait_for_processes(config: ClusterConfig, layout: Layout, step: Step) -> None:
    waited = {each.name for each in components.plan(config, layout)}
    runtimes = {name for name in waited if name.startswith("containerd")}
    first = waited & {"etcd", "apiserver"}
    if first:
        with step("waiting for the API server"):
            _wait(layout, first)
            if "apiserver" in first:
                asyncio.run(first_objects.make(config, layout))
    if runtimes:
        with step("importing the pause image"):
            _wait(layout, runtimes)
            for node in config.nodes:
                images.import_pause(layout.node(node.name))
    if waited - first - runtimes:
        with step("waiting for all processes"):
            _wait(layout, waited)
    if runtimes and config.runs("network"):
        with step("waiting for the nodes to be Ready"):
            asyncio.run(_wait_for_nodes(config, layout))


async def _wait_for_nodes(config: ClusterConfig, layout: Layout) -> None:
    missing = {node.name for node in config.nodes}
    # A machine that joined has no administrator's rights; a kubelet may read its own node.
    who = layout.kubeconfig(f"kubelet-{config.nodes[0].name}") if config.joined else layout.admin_kubeconfig
    client = connect(who, user_agent="cybernetes-up", clock=SystemClock())
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while missing:
                missing -= {name for name in missing if await _is_ready(client, name)}
                await asyncio.sleep(_LOOK_S)
    except TimeoutError as late:
        names = ", ".join(sorted(missing))
        why = f"not Ready after {START_TIMEOUT_S} s; look at: cybernetes kubectl describe nodes"
        raise EdgeError("start node", names, why) from late
    finally:
        await client.close()


async def _is_ready(client: ApiClient, name: str) -> bool:
    try:
        node = await client.get(NODES, name)
    except ApiError as refusal:
        if not is_reason(refusal, "NotFound"):
            raise
        return False
    conditions = node.get("status", {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _wait(layout: Layout, names: set[str]) -> None:
    late = control.wait_ready(layout.control_socket, names, START_TIMEOUT_S)
    if late:
        raise EdgeError("start", ", ".join(each.name for each in late) or "the supervisor", _why(layout, late))


def _why(layout: Layout, late: list[ProcessStatus]) -> str:
    texts = ["not ready"]
    for each in late:
        log = layout.log(each.name)
        lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
        ended = f" ended {each.restarts} times, at last with {each.last_exit}" if each.restarts else ""
        texts.append(f"\n{each.name}{ended} (see: {layout.command(f'logs {each.name}')}):")
        texts += [f"\n  {line}" for line in lines]
    return "".join(texts)


def publish_kubeconfig(layout: Layout) -> Path:
    """Merge the cluster's context into the user's kubeconfig; the file changed."""
    return merge_into_users(layout.admin_kubeconfig)
