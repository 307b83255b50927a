from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click

from cybernetes.cli import options
from cybernetes.cli.progress import step
from cybernetes.run.layout import Layout


@click.command()
@click.argument("server")
@click.option("--token", required=True, help="From `cybernetes token create`.")
@click.option("--ca-hash", "ca_hash", required=True, help="Hash of the cluster's authority, printed with the token.")
@click.option("--node-name", default="", help="Name of the node.  [default: this machine's host name]")
@click.option("--address", default="", help="Where others reach this node.  [default: the default route's address]")
@options.data_dir
def command(server: str, token: str, ca_hash: str, node_name: str, address: str, data_dir: Path) -> None:
    """Make this machine a node of the cluster at SERVER.

    On a machine of the control plane `cybernetes token create` prints the whole command. Afterwards `cybernetes up`
    and `cybernetes down` start the node again and take it away.
    """
    from cybernetes.base.clock import SystemClock
    from cybernetes.install import bring_up, machine
    from cybernetes.install.joining import discovery, identity
    from cybernetes.run import config as cluster_config
    from cybernetes.run.config import NodeConfig

    layout = Layout(data_dir)
    if layout.config.exists():
        raise click.ClickException(f"there is a cluster in {data_dir} already; take it away with: cybernetes down")
    node = NodeConfig(name=node_name or machine.name(), address=address or machine.address())
    began = time.monotonic()
    with step("finding the cluster"):
        found = asyncio.run(discovery.discover(server, token, ca_hash, node, SystemClock()))
    bring_up.check(found.config, layout)
    with step("getting the node's certificates"):
        asyncio.run(identity.obtain(layout, found.config, found.access))
    cluster_config.write(layout.config, found.config)
    bring_up.up(found.config, layout, step)
    click.echo(f"\nnode {node.name} is ready after {time.monotonic() - began:.1f} s")
    click.echo(f"to leave: cybernetes down, and at the control plane: cybernetes kubectl delete node {node.name}")
