from __future__ import annotations

import os
from pathlib import Path

import click

from cybernetes.cli import options
from cybernetes.run.layout import DEFAULT_DATA_DIR, Layout


def _known(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [
        name for name in _logged(Layout(ctx.params.get("data_dir") or DEFAULT_DATA_DIR)) if name.startswith(incomplete)
    ]


def _logged(layout: Layout) -> list[str]:
    return sorted(each.stem for each in layout.logs.glob("*.log"))


@click.command()
@click.argument("component", shell_complete=_known)
@click.option("-f", "--follow", is_flag=True, help="Go on printing what is added.")
@click.option("--tail", type=int, default=200, show_default=True, help="Lines from the end; 0 for all.")
@options.data_dir
def command(component: str, follow: bool, tail: int, data_dir: Path) -> None:
    """Show what a component logged: its process name as `cybernetes status` prints it."""
    log = options.existing(data_dir).log(component)
    if not log.exists():
        known = ", ".join(_logged(Layout(data_dir))) or "none yet"
        raise click.ClickException(f"no log of {component!r}; there are logs of: {known}")
    lines = "+1" if tail == 0 else str(tail)
    os.execvp("tail", ["tail", "-n", lines, *(["-F"] if follow else []), str(log)])
