from __future__ import annotations

from pathlib import Path

import click

from cybernetes.cli import options
from cybernetes.run import control
from cybernetes.run.layout import Layout


@click.command()
@options.data_dir
def command(data_dir: Path) -> None:
    """Show the cluster's processes, and how long each has run. Exit code 1 when one of them is not ready."""
    layout = Layout(data_dir)
    if not control.is_running(layout.control_socket):
        raise click.ClickException(f"no cluster runs in {data_dir}; start one with: {options.command('up', data_dir)}")
    rows = control.status(layout.control_socket)
    click.echo(f"{'PROCESS':28} {'STATE':9} {'PID':>8} {'RESTARTS':>8} {'UPTIME':>8}  LAST EXIT")
    for row in rows:
        state = "ready" if row.ready else "starting" if row.pid else "waiting"
        click.echo(
            f"{row.name:28} {state:9} {row.pid or '-':>8} {row.restarts:>8} {row.uptime_s:>7.0f}s  {row.last_exit}"
        )
    if not all(row.ready for row in rows):
        raise SystemExit(1)
