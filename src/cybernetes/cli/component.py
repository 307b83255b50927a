"""One component in the foreground, as a service manager would run it."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from cybernetes.cli import options
from cybernetes.run import apiserver_args, components
from cybernetes.run import config as cluster_config
from cybernetes.run.config import ServingConfig
from cybernetes.run.layout import Layout

# Fields of the configuration's `serving` by component.
_PORTS = {"scheduler": "scheduler_port", "controller-manager": "controller_manager_port"}


_FLAGS_OF_UPSTREAM = (
    " Flags without words are those of kube-apiserver, with its names and values: "
    "kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver."
)


def command(component: str, summary: str) -> click.Command:
    """The command that runs `component`; summary: the first line of its help."""

    @click.command(component)
    @options.data_dir
    @click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        help="A ClusterConfig file.  [default: config.yaml in the data directory]",
    )
    @click.option("--node", default="", help="Which of the configuration's nodes.  [default: the first]")
    @click.option(
        "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
    )
    @click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
    @options.service_range
    @options.pod_range
    def run(
        data_dir: Path,
        config_file: Path | None,
        node: str,
        log_level: str,
        log_format: str,
        service_range: str | None,
        pod_range: str | None,
        bind_address: str | None = None,
        secure_port: int | None = None,
        **flags: str | None,
    ) -> None:
        shown_at = (bind_address, secure_port)
        layout = Layout(data_dir)
        given = {name.replace("_", "-"): text for name, text in flags.items() if text is not None}
        config = options.with_apiserver_args(cluster_config.read(config_file or layout.config), given)
        network = options.with_ranges(config.network, service_range, pod_range)
        config = msgspec.structs.replace(
            config, network=network, serving=with_flags(component, config.serving, shown_at)
        )
        components.run(component, config, layout, node=node, log_level=log_level, log_format=log_format)

    if component in _PORTS:
        run.params += [
            click.Option(
                ["--bind-address"], help="Where health and metrics are served.  [default: the configuration's]"
            ),
            click.Option(
                ["--secure-port"], type=click.IntRange(0, 65535), help="0: nowhere.  [default: the configuration's]"
            ),
        ]
    if component == "apiserver":
        # Flags of kube-apiserver, under its names; texts, because the configuration's types check them.
        run.params += [
            click.Option([f"--{name}", name.replace("-", "_")], metavar="VALUE", help=f"[default: {preset}]")
            for name, preset in apiserver_args.presets().items()
        ]
    run.help = (
        f"{summary}\n\nWith the certificates and the configuration of the data directory. `cybernetes up` does that for "
        "all of them. Stop it with Ctrl-C." + (_FLAGS_OF_UPSTREAM if component == "apiserver" else "")
    )
    return run


def with_flags(component: str, config: ServingConfig, flags: tuple[str | None, int | None]) -> ServingConfig:
    """With flags of kube-scheduler or kube-controller-manager, where they were given."""
    if component not in _PORTS:
        return config
    given = {"bind_address": flags[0], _PORTS[component]: flags[1]}
    return msgspec.structs.replace(config, **{name: value for name, value in given.items() if value is not None})
