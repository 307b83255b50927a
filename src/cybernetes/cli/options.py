"""Options that several verbs share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from cybernetes.run import apiserver_args
from cybernetes.run.config import ClusterConfig, NetworkConfig
from cybernetes.run.layout import DEFAULT_DATA_DIR, Layout


def _chosen(ctx: click.Context, param: click.Parameter, folder: Path) -> Path:
    """Noted for whoever gives advice. Raises PermissionError when the cluster there is another user's."""
    ctx.find_root().obj = folder
    with contextlib.suppress(FileNotFoundError):
        os.scandir(folder).close()
    return folder


data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False, resolve_path=True, readable=False),
    callback=_chosen,
    default=DEFAULT_DATA_DIR,
    show_default=True,
    envvar="CYBERNETES_DATA_DIR",
    help="Where the cluster keeps everything.",
)


service_range = click.option(
    "--service-cluster-ip-range",
    "service_range",
    default=None,
    metavar="CIDR[,CIDR]",
    help="Addresses of Services: a range, or one of each family, the cluster's own one first.  [default: 10.96.0.0/12]",
)
pod_range = click.option(
    "--cluster-cidr",
    "pod_range",
    default=None,
    metavar="CIDR[,CIDR]",
    help="Addresses of pods: a range, or one of each family, the cluster's own one first.  [default: 10.244.0.0/16]",
)


class NewFile(click.Path):
    """A file that will be written. Its folder is looked for before the work begins whose result it takes."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False, writable=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path: Path = super().convert(value, param, ctx)  # type: ignore[assignment]
        if not path.parent.is_dir():
            self.fail(f"there is no folder {path.parent}", param, ctx)
        return path


def with_ranges(network: NetworkConfig, service_range: str | None, pod_range: str | None) -> NetworkConfig:
    """The network with other ranges, None for those that stay. Raises UsageError."""
    given = {"service_range": service_range, "pod_range": pod_range}
    try:
        return msgspec.structs.replace(network, **{name: text for name, text in given.items() if text is not None})
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from wrong


def existing(data_dir: Path) -> Layout:
    """The layout of the cluster that is there, running or not. Raises ClickException when there is none."""
    layout = Layout(data_dir)
    if not layout.config.exists():
        raise click.ClickException(f"no cluster in {data_dir}; start one with: {command('up', data_dir)}")
    return layout


def administered(data_dir: Path) -> Layout:
    """That of a cluster whose administrator this machine's user is. Raises ClickException on one that only joined."""
    layout = Layout(data_dir)
    if not layout.admin_kubeconfig.exists():
        existing(data_dir)
        raise click.ClickException("this machine is only a node; type it where the control plane is")
    return layout


def command(verb: str, data_dir: Path) -> str:
    """What to type for a verb on the cluster of a data directory."""
    return Layout(data_dir).command(verb)


def with_apiserver_args(config: ClusterConfig, texts: Mapping[str, str]) -> ClusterConfig:
    """The configuration with flags of the API server changed. Raises UsageError."""
    try:
        args = apiserver_args.changed(config.api_server.extra_args, texts)
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from wrong
    return msgspec.structs.replace(config, api_server=msgspec.structs.replace(config.api_server, extra_args=args))
