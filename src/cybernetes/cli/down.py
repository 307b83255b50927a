from __future__ import annotations

from pathlib import Path

import click

from cybernetes.cli import options
from cybernetes.cli.progress import step
from cybernetes.install import take_down
from cybernetes.run.layout import Layout


@click.command()
@click.option("--keep-data", is_flag=True, help="Stop everything, but keep the state: the next `up` continues it.")
@options.data_dir
def command(keep_data: bool, data_dir: Path) -> None:
    """Stop the cluster and take back all that it put on this machine.

    Processes, containers, mounts, network namespaces, interfaces, routes and rules go; without --keep-data the data
    directory and the context in your kubeconfig go too.
    """
    layout = Layout(data_dir)
    if not layout.config.exists():
        click.echo(f"no cluster in {data_dir}")
        return
    take_down.down(layout, step, keep_data=keep_data)
