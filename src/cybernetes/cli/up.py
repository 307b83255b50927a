from __future__ import annotations

import time
from pathlib import Path

import click
import msgspec

from cybernetes.cli import options
from cybernetes.cli.progress import step
from cybernetes.install import bring_up, fabric, machine
from cybernetes.run import config as cluster_config
from cybernetes.run import control
from cybernetes.run.config import (
    COMPONENTS,
    PROCESSES_MAX,
    ApiServerConfig,
    ClusterConfig,
    NetworkConfig,
    NodeConfig,
    StoreConfig,
)
from cybernetes.run.layout import DEFAULT_DATA_DIR, Layout


@click.command()
@options.data_dir
@click.option(
    "--nodes",
    type=click.IntRange(1, 50),
    default=None,
    help="Nodes on this one machine, of a new cluster.  [default: 1]",
)
@click.option(
    "--store", type=click.Choice(["sqlite", "etcd"]), default=None, help="What keeps the state.  [default: sqlite]"
)
@click.option("--only", default="", help=f"Run only these components, by commas: {', '.join(COMPONENTS)}.")
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="Port of the API server.  [default: 6443]")
@click.option(
    "--apiservers",
    type=click.IntRange(1, PROCESSES_MAX),
    default=None,
    help="Processes of the API server, on one port and one store.  [default: 1]",
)
@click.option("--dual-stack", is_flag=True, help="Addresses of IPv4 and of IPv6 for pods, and Services that ask.")
@options.service_range
@options.pod_range
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A ClusterConfig file; flags go before it.",
)
@click.option(
    "--apiserver-arg",
    "api_server_args",
    multiple=True,
    metavar="NAME=VALUE",
    help="A flag of kube-apiserver, such as audit-log-maxage=7; may be repeated.",
)
@click.option(
    "--merge-kubeconfig/--no-merge-kubeconfig",
    default=None,
    help="Make the cluster the current context of your kubeconfig.  [default: yes for whole clusters]",
)
def command(
    data_dir: Path,
    nodes: int | None,
    store: str | None,
    only: str,
    port: int | None,
    apiservers: int | None,
    dual_stack: bool,
    service_range: str | None,
    pod_range: str | None,
    config_file: Path | None,
    api_server_args: tuple[str, ...],
    merge_kubeconfig: bool | None,
) -> None:
    """Start a cluster on this machine, or finish starting it.

    Returns when everything is ready; the cluster runs on in the background until `cybernetes down`.

    \b
    cybernetes up                                     one node: this machine
    cybernetes up --nodes 3                           three nodes on this machine, a network namespace each
    cybernetes up --dual-stack                        IPv4 and IPv6
    cybernetes up --only apiserver --data-dir DIR     just the API server, on loopback; DIR/admin.kubeconfig
    """
    layout = Layout(data_dir)
    chosen = _components(only)
    existing = _existing(layout, config_file)
    if existing and nodes not in (None, len(existing.nodes)):
        raise click.ClickException(
            f"the cluster in {data_dir} was made with --nodes {len(existing.nodes)}; for another number take it away first: "
            + options.command("down", data_dir)
        )
    network = options.with_ranges(existing.network if existing else NetworkConfig(), service_range, pod_range)
    if dual_stack:
        network = cluster_config.dual_stack(network)
    if existing and network != existing.network:
        _check_change(existing.network, network, layout)
    config = _on_network(existing, network) if existing else _new(chosen, nodes or 1, network)
    args = {name.removeprefix("--"): value for name, _, value in (each.partition("=") for each in api_server_args)}
    server = {name: value for name, value in (("port", port), ("processes", apiservers)) if value is not None}
    config = options.with_apiserver_args(_with_flags(config, chosen, store, server), args)
    began = time.monotonic()
    bring_up.up(config, layout, step)
    whole = not config.only
    if merge_kubeconfig or (merge_kubeconfig is None and whole):
        click.echo(f"\ncontext {config.name!r} is in {bring_up.publish_kubeconfig(layout)}")
    click.echo(f"\nready after {time.monotonic() - began:.1f} s. Type next:")
    default = whole and data_dir == DEFAULT_DATA_DIR
    prefix = "cybernetes kubectl" if default else f"kubectl --kubeconfig {layout.admin_kubeconfig}"
    click.echo(f"  {prefix} get {'nodes' if whole else 'namespaces'}")
    click.echo(f"  {options.command('status', data_dir)}")


def _components(only: str) -> tuple[str, ...]:
    chosen = tuple(each.strip() for each in only.split(",") if each.strip())
    unknown = [each for each in chosen if each not in COMPONENTS]
    if unknown:
        raise click.UsageError(f"--only: no component {unknown[0]!r}; there are {', '.join(COMPONENTS)}")
    return chosen


def _existing(layout: Layout, config_file: Path | None) -> ClusterConfig | None:
    if config_file is not None:
        return cluster_config.read(config_file)
    return cluster_config.read(layout.config) if layout.config.exists() else None


def _new(chosen: tuple[str, ...], nodes: int, network: NetworkConfig) -> ClusterConfig:
    if chosen and "apiserver" not in chosen:
        text = ", ".join(chosen)
        raise click.UsageError(
            f"--only {text}: nothing runs without an API server; add apiserver, or name one by --config"
        )
    if chosen and "kubelet" not in chosen:
        return ClusterConfig(only=chosen, network=network, api_server=ApiServerConfig(port=machine.free_port(6443)))
    families = network.families
    if nodes == 1:
        address = machine.address(families[0])
        planned: tuple[NodeConfig, ...] = (
            NodeConfig(name=machine.name(), address=address, second_address=machine.second_address(families)),
        )
    else:
        address, planned = fabric.machine_address(families[0]), fabric.plan_nodes(nodes, families)
    api_server = ApiServerConfig(bind_address=_ANYWHERE[families[0]], advertise_address=address)
    return ClusterConfig(only=chosen, nodes=planned, network=network, api_server=api_server)


def _check_change(old: NetworkConfig, new: NetworkConfig, layout: Layout) -> None:
    """Raises ClickException for what an existing cluster can't become, or not while it runs."""
    if (old.service_ranges[0], old.pod_ranges[0]) != (new.service_ranges[0], new.pod_ranges[0]):
        why = f"the cluster has addresses of {old.service_range} and {old.pod_range}; only a second family can be added"
        raise click.ClickException(f"{why}. For others take it away first: {options.command('down', layout.data_dir)}")
    if control.is_running(layout.control_socket):
        stop = options.command("down --keep-data", layout.data_dir)
        raise click.ClickException(f"ranges of a cluster that runs can't be changed; stop it first: {stop}")


def _on_network(config: ClusterConfig, network: NetworkConfig) -> ClusterConfig:
    """A configuration of before; its nodes get an address of a family that is new."""
    if network == config.network:
        return config
    planned = {each.name: each.second_address for each in fabric.plan_nodes(len(config.nodes), network.families)}
    here = machine.second_address(network.families)
    nodes = [
        msgspec.structs.replace(
            each, second_address=each.second_address or (planned.get(each.name, "") if each.network else here)
        )
        for each in config.nodes
    ]
    return msgspec.structs.replace(config, network=network, nodes=tuple(nodes))


# The second one takes connections of both families.
_ANYWHERE = {4: "0.0.0.0", 6: "::"}


def _with_flags(
    config: ClusterConfig, chosen: tuple[str, ...], store: str | None, server: dict[str, int]
) -> ClusterConfig:
    if chosen:
        config = msgspec.structs.replace(config, only=chosen)
    if store is not None:
        config = msgspec.structs.replace(config, store=StoreConfig(kind=store))  # type: ignore[arg-type]
    if server:
        config = msgspec.structs.replace(config, api_server=msgspec.structs.replace(config.api_server, **server))
    return config
