from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from click.core import ParameterSource
from rich.console import Console
from rich.table import Table

from cybernetes.cli import options
from cybernetes.cli.progress import step
from cybernetes.install import authority, renewal, rotation, table
from cybernetes.run import config as cluster_config
from cybernetes.run.layout import Layout

# Twice as long as the slowest process takes to look at its files, and the controllers to start again.
SETTLE_S = 25.0
_DAY_S = 24 * 3600
# Of a table that nobody looks at on a screen.
WIDTH = 160
_SAID = {
    "begin": "trusting a new authority beside the old one",
    "switch": "signing everything with the new authority",
    "finish": "forgetting the old authority",
}
_TOGETHER = "waiting for other machines"


@click.group(invoke_without_command=True)
@options.data_dir
@click.pass_context
def command(context: click.Context, data_dir: Path) -> None:
    """Show the cluster's certificates and when they end; renew them; replace the authority."""
    if context.invoked_subcommand is None:
        _show(options.existing(data_dir))
    elif context.get_parameter_source("data_dir") is ParameterSource.COMMANDLINE:
        # Each command has its own; it must not act on another cluster than was typed.
        raise click.UsageError(f"type --data-dir behind {context.invoked_subcommand}")


def _show(layout: Layout) -> None:
    shown = Table(box=None, header_style="bold")
    for each in ("CERTIFICATE", "SUBJECT", "ISSUER", "ENDS", "LEFT", "RENEWED BY"):
        shown.add_column(each, no_wrap=True)
    now = datetime.now(UTC).timestamp()
    for row in table.rows(layout):
        left = int((row.ends - now) // _DAY_S)
        color = "red" if left < 7 else "yellow" if left < 30 else ""
        ends = datetime.fromtimestamp(row.ends, UTC).strftime("%Y-%m-%d %H:%M")
        shown.add_row(row.name, row.subject, row.issuer, ends, f"{left} days", row.renewed_by, style=color)
    Console(width=WIDTH if not sys.stdout.isatty() else None).print(shown)


@command.command()
@options.data_dir
def renew(data_dir: Path) -> None:
    """Renew now what soon ends.

    A running cluster does that by itself every hour.
    """
    layout = options.existing(data_dir)
    restarted = renewal.renew(cluster_config.read(layout.config), layout)
    click.echo("started again: " + ", ".join(restarted) if restarted else "nothing had to be started again")


@command.command("rotate-ca")
@options.data_dir
@click.option(
    "--authority",
    "which",
    type=click.Choice(tuple(authority.AUTHORITIES)),
    default=authority.CLUSTER.name,
    show_default=True,
    help="Which one: the cluster's, that of front proxies, or that of the etcd that `up` started.",
)
@click.option(
    "--step", "only", type=click.Choice(authority.STEPS), default=None, help="Just one step.  [default: all, in turn]"
)
@click.option(
    "--pause",
    "pause_s",
    type=click.FloatRange(min=0),
    default=SETTLE_S,
    show_default=True,
    help="Seconds after each step, for programs to notice.",
)
def rotate_ca(data_dir: Path, which: str, only: str | None, pause_s: float) -> None:
    """Replace a certificate authority while the cluster runs.

    Three steps with a pause after each; machines that joined, and others of the control plane, go along and are waited
    for. Programs in pods that read ca.crt only at their start have to be started again between `switch` and `finish`;
    do the steps one by one then.
    """
    layout, of = options.existing(data_dir), authority.AUTHORITIES[which]
    config = cluster_config.read(layout.config)
    if config.joined:
        raise click.ClickException("this machine is only a node; type it where the control plane is")
    rotation.refuse_what_is_not_there(config, of)
    following = authority.next_step(layout, of)
    if only is not None and only != following:
        raise click.UsageError(f"the step that comes next is {following}")
    steps = [only] if only else list(authority.STEPS[authority.STEPS.index(following) :])
    with step(_TOGETHER):
        asyncio.run(rotation.settle(config, layout, of))
    for each in steps:
        with step(_SAID[each]):
            asyncio.run(rotation.take(config, layout, of, each))
            time.sleep(pause_s)


@command.command("rotate-sa")
@options.data_dir
def rotate_sa(data_dir: Path) -> None:
    """Sign service account tokens with a new key.

    Those signed before are believed until they end.
    """
    layout = options.existing(data_dir)
    asyncio.run(rotation.refuse_with_others(cluster_config.read(layout.config), layout, "the key of service accounts"))
    with step("signing tokens with a new key"):
        renewal.rotate_account_key(layout)
