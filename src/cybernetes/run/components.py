"""The one list of what makes a cluster: every process, what it needs first, and how it is started."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import signal
import socket
from collections.abc import Coroutine
from pathlib import Path

import msgspec

from cybernetes.base.errors import EdgeError, Retry
from cybernetes.base.log import Log
from cybernetes.base.log import configure as configure_log
from cybernetes.run import files
from cybernetes.run.config import ClusterConfig, NodeConfig
from cybernetes.run.layout import Layout
from cybernetes.run.process import allow_many_files, spare_garbage_collection
from cybernetes.run.start import Setting
from cybernetes.run.supervise import Process

_log = Log("run")


class Component(msgspec.Struct, frozen=True):
    """module: where `serve(setting)` is. per_node: one for each node, instead of one for the cluster."""

    name: str
    module: str
    after: tuple[str, ...] = ()
    per_node: bool = False


COMPONENTS = (
    Component("store", "store"),
    Component("apiserver", "apiserver", after=("etcd", "store")),
    Component("controller-manager", "controllers", after=("apiserver",)),
    Component("scheduler", "scheduler", after=("apiserver",)),
    Component("kubelet", "kubelet", after=("apiserver", "containerd"), per_node=True),
    Component("proxy", "proxy", after=("apiserver",), per_node=True),
    Component("network", "network", after=("apiserver",), per_node=True),
    # It answers from what it knew last, so that names work before the API server does.
    Component("dns", "dns", per_node=True),
)


def plan(config: ClusterConfig, layout: Layout) -> list[Process]:
    """Every process of this configuration, those that others need first."""
    processes = _etcd(config, layout)
    for each in COMPONENTS:
        if not each.per_node and _runs(each.name, config):
            processes += _processes(each, config, layout)
    if not config.runs("kubelet"):
        return processes
    processes += _registry(config, layout)
    for node in config.nodes:
        processes.append(_containerd(layout, node))
        processes += [
            _process(each, config, layout, node) for each in COMPONENTS if each.per_node and config.runs(each.name)
        ]
    return processes


def _runs(name: str, config: ClusterConfig) -> bool:
    """Whether a process of this name is there; the store has one only where several API servers share it."""
    if name == "store":
        return config.runs("apiserver") and config.has_store_process
    return config.runs(name)


def _processes(component: Component, config: ClusterConfig, layout: Layout) -> list[Process]:
    """One, or several of the same that share their work: `apiserver`, `apiserver-2`, ..."""
    first = _process(component, config, layout)
    count = config.api_server.processes if component.name == "apiserver" else 1
    return [first, *(msgspec.structs.replace(first, name=f"{first.name}-{number}") for number in range(2, count + 1))]


def _process(component: Component, config: ClusterConfig, layout: Layout, node: NodeConfig | None = None) -> Process:
    setting = Setting(config, layout, node)
    return Process(
        name=_process_name(component.name, node),
        main=lambda: _main(component, setting, config.log_level, "text"),
        after=tuple(_process_name(each, node) if _is_per_node(each) else each for each in component.after),
        network=node.network if node else "",
    )


def _process_name(name: str, node: NodeConfig | None) -> str:
    return f"{name}-{node.name}" if node else name


def _is_per_node(name: str) -> bool:
    return name == "containerd" or any(each.name == name and each.per_node for each in COMPONENTS)


def preload(config: ClusterConfig) -> None:
    """Import what the components need, so that every one forked from here shares those pages."""
    for each in COMPONENTS:
        # gRPC starts threads when it is imported; a fork must not copy half of them.
        if _runs(each.name, config) and each.name != "kubelet":
            importlib.import_module(f"cybernetes.run.start.{each.module}")


def run(name: str, config: ClusterConfig, layout: Layout, *, node: str, log_level: str, log_format: str) -> None:
    """One component in this process, until it is told to stop."""
    component = next(each for each in COMPONENTS if each.name == name)
    chosen = None
    if component.per_node:
        chosen = next((each for each in config.nodes if each.name == node or not node), None)
        if chosen is None:
            known = ", ".join(each.name for each in config.nodes) or "none"
            raise EdgeError(
                "run", name, f"no node {node!r} in the configuration; there are: {known}", retry=Retry.NEVER
            )
    _main(component, Setting(config, layout, chosen), log_level, log_format)


def _main(component: Component, setting: Setting, log_level: str, log_format: str) -> None:
    import uvloop

    configure_log(log_level, log_format)
    allow_many_files()
    serve = importlib.import_module(f"cybernetes.run.start.{component.module}").serve
    # Again, where it was forked: its own modules are there now.
    spare_garbage_collection()
    try:
        uvloop.run(_until_told_to_stop(serve(setting)))
    except (EdgeError, BaseExceptionGroup) as ended:
        why = refusal(ended)
        if why is None:
            raise
        _log.error("component.refused", why=why)
        raise SystemExit(1) from ended


def refusal(ended: BaseException) -> str | None:
    """What somebody has to mend before the component can start, where that is all that ended it: no bug, no passing fault."""
    if isinstance(ended, BaseExceptionGroup):
        found = [refusal(each) for each in ended.exceptions]
        return None if None in found else "; ".join(each for each in found if each)
    return str(ended) if isinstance(ended, EdgeError) and ended.retry is Retry.NEVER else None


async def _until_told_to_stop(serving: Coroutine[object, object, None]) -> None:
    task = asyncio.ensure_future(serving)
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _etcd(config: ClusterConfig, layout: Layout) -> list[Process]:
    if config.store.kind != "etcd" or config.store.endpoints:
        return []
    server, authority = files.etcd_server(layout), files.etcd_ca(layout).certificate
    command = (
        "etcd",
        f"--data-dir={layout.etcd}",
        "--listen-client-urls=https://127.0.0.1:2379",
        "--advertise-client-urls=https://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:0",
        f"--cert-file={server.certificate}",
        f"--key-file={server.key}",
        "--client-cert-auth",
        f"--trusted-ca-file={authority}",
        "--log-level=warn",
        "--logger=zap",
    )
    return [Process(name="etcd", command=command, notifies=False, probe=lambda: _answers("127.0.0.1", 2379))]


def _registry(config: ClusterConfig, layout: Layout) -> list[Process]:
    if not config.runs_registry:
        return []
    command = ("docker-registry", "serve", str(layout.registry_config))
    address = config.api_address
    return [Process(name="registry", command=command, notifies=False, probe=lambda: _answers(address, 5000))]


def _containerd(layout: Layout, node: NodeConfig) -> Process:
    places = layout.node(node.name)
    return Process(
        name=f"containerd-{node.name}",
        command=("containerd", "--config", str(places.containerd_config)),
        # For the runtimes that it starts: they need not copy themselves where nobody can write them (install/programs.py).
        # Its shim it looks for along PATH.
        environment={
            "_LIBCONTAINER_CLONED_BINARY": "1",
            "PATH": f"{places.shims}:{os.environ.get('PATH', os.defpath)}",
        },
        network=node.network,
        notifies=False,
        probe=lambda: _accepts(places.containerd_socket),
    )


def _answers(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.1)
        return probe.connect_ex((address, port)) == 0


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0.1)
        return probe.connect_ex(str(path)) == 0
