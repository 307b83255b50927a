from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from cybernetes.cli import options
from cybernetes.cli.progress import step
from cybernetes.run.layout import Layout

if TYPE_CHECKING:
    from cybernetes.install.joining.discovery import Found
    from cybernetes.run.config import ClusterConfig, NodeConfig


@click.command()
@click.argument("server")
@click.option("--token", required=True, help="From `cybernetes token create`.")
@click.option("--ca-hash", "ca_hash", required=True, help="Hash of the cluster's authority, printed with the token.")
@click.option("--node-name", default="", help="Name of the node.  [default: this machine's host name]")
@click.option(
    "--address",
    default="",
    metavar="IP[,IP]",
    help="Where others reach this node, of one family or both.  [default: the default route's addresses]",
)
@click.option("--control-plane-key", default="", help="From `cybernetes token create --control-plane`.")
@options.data_dir
def command(
    server: str, token: str, ca_hash: str, node_name: str, address: str, control_plane_key: str, data_dir: Path
) -> None:
    """Make this machine a node of the cluster at SERVER.

    On a machine of the control plane `cybernetes token create` prints the whole command. Afterwards `cybernetes up`
    and `cybernetes down` start the node again and take it away. With --control-plane-key the machine becomes one of
    the control plane as well.
    """
    from cybernetes.base.clock import SystemClock
    from cybernetes.install import bring_up, machine
    from cybernetes.install.joining import discovery
    from cybernetes.run.config import NodeConfig

    layout = Layout(data_dir)
    if layout.config.exists():
        raise click.ClickException(f"there is a cluster in {data_dir} already; take it away with: cybernetes down")
    first, _, second = address.partition(",")
    node = NodeConfig(name=node_name or machine.name(), address=first or machine.address(), second_address=second)
    began = time.monotonic()
    with step("finding the cluster"):
        found = asyncio.run(discovery.discover(server, token, ca_hash, node, SystemClock()))
    if not address:
        node = msgspec.structs.replace(node, second_address=machine.second_address(found.config.network.families))
        found = msgspec.structs.replace(found, config=msgspec.structs.replace(found.config, nodes=(node,)))
    bring_up.check(found.config, layout)
    config = asyncio.run(_member(found, layout, node, control_plane_key) if control_plane_key else _node(found, layout))
    bring_up.up(config, layout, step)
    click.echo(f"\nnode {node.name} is ready after {time.monotonic() - began:.1f} s")
    click.echo(f"to leave: cybernetes down, and at the control plane: cybernetes kubectl delete node {node.name}")


async def _node(found: Found, layout: Layout) -> ClusterConfig:
    from cybernetes.install.joining import identity

    with step("getting the node's certificates"):
        await identity.obtain(layout, found.config, found.access)
    return found.config


async def _member(found: Found, layout: Layout, node: NodeConfig, key: str) -> ClusterConfig:
    from cybernetes.base.clock import SystemClock
    from cybernetes.client.api import ApiClient
    from cybernetes.client.kubeconfig import transport
    from cybernetes.install.joining import authorities

    client = ApiClient(transport(found.access), user_agent="cybernetes-join", clock=SystemClock())
    try:
        with step("getting the cluster's authorities"):
            return await authorities.fetch(client, layout, node, bytes.fromhex(key))
    except ValueError as wrong:
        raise click.UsageError(f"--control-plane-key: {wrong}") from wrong
    finally:
        await client.close()
