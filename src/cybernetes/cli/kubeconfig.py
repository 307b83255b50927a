from __future__ import annotations

from pathlib import Path

import click

from cybernetes.cli import options
from cybernetes.install.user_kubeconfig import merge_into_users


@click.command()
@click.option("--merge", is_flag=True, help="Merge it into your own kubeconfig and make it the current context.")
@options.data_dir
def command(merge: bool, data_dir: Path) -> None:
    """Print the administrator's kubeconfig, or merge it into yours."""
    own = options.administered(data_dir).admin_kubeconfig
    if not merge:
        click.echo(own.read_text(), nl=False)
        return
    click.echo(f"merged into {merge_into_users(own)}")
