from __future__ import annotations

import platform
import sys

import click

from cybernetes import KUBERNETES_VERSION, __version__, native


@click.command()
def command() -> None:
    """Print versions, and whether the kernels are compiled."""
    click.echo(f"cybernetes   {__version__}")
    click.echo(f"kubernetes   {KUBERNETES_VERSION}")
    click.echo(f"python       {platform.python_version()} ({sys.platform}, {platform.machine()})")
    click.echo(f"kernels      {native.kind()}")
