"""Steps with their times, as they happen."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

import click

_WIDTH = 56


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Print the step's name at once, and its time when it has ended."""
    began = time.monotonic()
    click.echo(f"  {name:{_WIDTH}}", nl=False)
    sys.stdout.flush()
    try:
        yield
    except BaseException:
        click.echo(click.style("failed", fg="red"))
        raise
    click.echo(f"{time.monotonic() - began:6.1f} s")
