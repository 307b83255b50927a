"""`cybernetes` and `cyb`: finds the verb's file and loads only that."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import click

from cybernetes import __version__
from cybernetes.base.errors import ApiError, EdgeError

# verb -> (module, one line of help). Help is here so that `cybernetes --help` imports nothing more.
VERBS = {
    "up": ("up", "Start a cluster on this machine, or finish starting it."),
    "token": ("token", "Invite machines to join the cluster as nodes."),
    "join": ("join", "Make this machine a node of a cluster that runs elsewhere."),
    "down": ("down", "Stop the cluster and take back all that it put on this machine."),
    "status": ("status", "Show the cluster's processes, and how long each has run."),
    "kubeconfig": ("kubeconfig", "Print the administrator's kubeconfig, or merge it into yours."),
    "kubectl": ("kubectl", "Run the real kubectl against this cluster."),
    "explain": ("explain", "Say why a pod is where it is, or nowhere, node by node."),
    "schedule": ("schedule", "Say where pods would go, and what they would evict."),
    "logs": ("logs", "Show what a component logged."),
    "fetch": ("fetch", "Fetch a URL by its name in the cluster's DNS."),
    "image": ("image", "Build an image from a folder and push it to the cluster's registry."),
    "bench": ("bench", "Measure scheduler, API server, proxy and nodes on this machine."),
    "certs": ("certs", "Show the cluster's certificates; renew them; replace the authority."),
    "secrets": ("secrets", "Rotate the key that Secrets are encrypted with."),
    "doctor": ("doctor", "Check this machine: kernel, cgroups, capabilities, ports, disk, runtime."),
    "version": ("version", "Print versions, and whether the kernels are compiled."),
    "completion": ("completion", "Print the completion script of a shell."),
    "store": ("component", "Run the store of several API servers in the foreground."),
    "apiserver": ("component", "Run the API server in the foreground."),
    "scheduler": ("component", "Run the scheduler in the foreground."),
    "controller-manager": ("component", "Run the controller manager in the foreground."),
    "kubelet": ("component", "Run a node's kubelet in the foreground."),
    "proxy": ("component", "Run a node's proxy in the foreground."),
    "network": ("component", "Run a node's pod networking in the foreground."),
    "dns": ("component", "Run a node's cluster DNS in the foreground."),
}
# Operations of an EdgeError that a request ended with.
_REQUESTS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_COMPONENTS = tuple(verb for verb, (module, _) in VERBS.items() if module == "component")


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"cybernetes.cli.{VERBS[cmd_name][0]}")
        return module.command(cmd_name, VERBS[cmd_name][1]) if cmd_name in _COMPONENTS else module.command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as unknown:
            # click itself looks for similar names among those that are loaded.
            raise click.exceptions.NoSuchCommand(args[0], possibilities=VERBS, ctx=ctx) from unknown

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EdgeError as broken:
            if broken.operation not in _REQUESTS or not isinstance(ctx.obj, Path):
                raise
            raise click.ClickException(f"{broken}{advice(ctx.obj)}") from broken

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Cluster"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items() if verb not in _COMPONENTS])
        with formatter.section("Components, each on its own"):
            formatter.write_dl([(verb, VERBS[verb][1]) for verb in _COMPONENTS])


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cybernetes")
def cybernetes() -> None:
    """A container orchestrator that speaks the Kubernetes API.

    \b
    Begin with:
      cybernetes doctor     what this machine can and can't do
      cybernetes up         a one-node cluster; --nodes 3 for three nodes on this machine
      cybernetes kubectl get nodes
    """


def main() -> None:
    try:
        cybernetes(prog_name="cybernetes")
    except (ApiError, EdgeError, OSError) as error:
        sys.exit(f"Error: {said(error)}")


def advice(data_dir: Path) -> str:
    """What to type when an API server does not answer; "" where it is none of a cluster that is here."""
    from cybernetes.run import control
    from cybernetes.run.layout import Layout

    layout = Layout(data_dir)
    if not layout.config.exists():
        return ""
    if control.is_running(layout.control_socket):
        return f"; see {layout.command('status')}"
    return f"; no cluster runs in {data_dir}, start it with: {layout.command('up')}"


def said(error: ApiError | EdgeError | OSError) -> str:
    if isinstance(error, ApiError):
        return error.message
    return f"{error}; try it with sudo" if isinstance(error, PermissionError) else str(error)
