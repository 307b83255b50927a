from __future__ import annotations

import asyncio
from pathlib import Path

import click

from cybernetes.cli import options
from cybernetes.cli.progress import step
from cybernetes.install import secrets


@click.group()
def command() -> None:
    """How Secrets are encrypted in the store."""


@command.command()
@options.data_dir
def rotate(data_dir: Path) -> None:
    """Make a new key, and seal every Secret again with it.

    The cluster must run, and goes on meanwhile. With an encryption provider configuration, which has keys of its
    own, only what that leaves to the cluster is sealed again: put new keys first in that file instead.
    """
    layout = options.administered(data_dir)
    with step("sealing Secrets with a new key"):
        asyncio.run(secrets.rotate(layout))
