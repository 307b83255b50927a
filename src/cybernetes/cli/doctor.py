from __future__ import annotations

from pathlib import Path

import click

from cybernetes.cli import options
from cybernetes.install import checks
from cybernetes.run import config as cluster_config
from cybernetes.run.layout import Layout

_MARKS = {"ok": ("ok", "green"), "warning": ("warn", "yellow"), "error": ("FAIL", "red")}


@click.command()
@options.data_dir
def command(data_dir: Path) -> None:
    """Check this machine: kernel, cgroups, capabilities, ports, disk, runtime.

    Each finding that matters says how to mend it. Exit code 1 when something would keep a cluster from running.
    """
    layout = Layout(data_dir)
    config = cluster_config.read(layout.config) if layout.config.exists() else cluster_config.ClusterConfig()
    failed = False
    for finding in checks.run_all(config, layout):
        print_finding(finding)
        failed |= finding.level == "error"
    if failed:
        raise SystemExit(1)


def print_finding(finding: checks.Finding) -> None:
    text, color = _MARKS[finding.level]
    click.echo(f"{click.style(f'{text:4}', fg=color)}  {finding.subject:14} {finding.text}")
    if finding.mend:
        click.echo(f"      {'':14} mend: {finding.mend}")
