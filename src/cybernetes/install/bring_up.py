"""`up`: the steps from a configuration to a running cluster. Each may be repeated; a running cluster is only completed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from importlib import resources
from pathlib import Path

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError, EdgeError, Outcome, Retry
from cybernetes.client.api import ApiClient, is_reason
from cybernetes.client.kubeconfig import connect
from cybernetes.client.target import NODES
from cybernetes.install import (
    cgroups,
    checks,
    containerd,
    fabric,
    first_objects,
    guardian,
    images,
    pki,
    programs,
    registry,
)
from cybernetes.install.joining import identity
from cybernetes.install.user_kubeconfig import merge_into_users
from cybernetes.run import components, control, files
from cybernetes.run import config as cluster_config
from cybernetes.run.changes import differences
from cybernetes.run.config import ClusterConfig
from cybernetes.run.layout import Layout
from cybernetes.run.supervise import ProcessStatus

START_TIMEOUT_S = 60
# How often `up` looks whether nodes are Ready.
_LOOK_S = 0.1
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
        guardian.start(config, layout)
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
