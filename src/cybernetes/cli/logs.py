from __future__ import annotations

import os
from pathlib import Path

import click

from cybernetes.cli import options
from cybernetes.run.layout import Layout


@click.command()
@click.argument("component")
@click.option("-f", "--follow", is_flag=True, help="Go on printing what is added.")
@click.option("--tail", type=int, default=200, show_default=True, help="Lines from the end; 0 for all.")
@options.data_dir
def command(component: str, follow: bool, tail: int, data_dir: Path) -> None:
    """Show what a component logged: its process name as `cybernetes status` prints it."""
    log = Layout(data_dir).log(component)
    if not log.exists():
        known = ", ".join(sorted(each.stem for each in log.parent.glob("*.log"))) or "none yet"
        raise click.ClickException(f"no log of {component!r}; there are logs of: {known}")
    lines = f"+{1}" if tail == 0 else str(tail)
    os.execvp("tail", ["tail", "-n", lines, *(["-F"] if follow else []), str(log)])
