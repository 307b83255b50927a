"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path

import click

from cybernetes.run.layout import DEFAULT_DATA_DIR

data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False, resolve_path=True),
    default=DEFAULT_DATA_DIR,
    show_default=True,
    envvar="CYBERNETES_DATA_DIR",
    help="Where the cluster keeps everything.",
)
