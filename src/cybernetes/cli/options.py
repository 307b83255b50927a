"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from cybernetes.run import apiserver_args
from cybernetes.run.config import ClusterConfig
from cybernetes.run.layout import DEFAULT_DATA_DIR

data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False, resolve_path=True),
    default=DEFAULT_DATA_DIR,
    show_default=True,
    envvar="CYBERNETES_DATA_DIR",
    help="Where the cluster keeps everything.",
)


def with_apiserver_args(config: ClusterConfig, texts: Mapping[str, str]) -> ClusterConfig:
    """The configuration with flags of the API server changed. Raises UsageError."""
    try:
        args = apiserver_args.changed(config.api_server.extra_args, texts)
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from wrong
    return msgspec.structs.replace(config, api_server=msgspec.structs.replace(config.api_server, extra_args=args))
