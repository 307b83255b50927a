from __future__ import annotations

import asyncio
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from cybernetes.cli import kubectl, options
from cybernetes.run.layout import DEFAULT_DATA_DIR, Layout


def _pods(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    data_dir = ctx.params.get("data_dir") or DEFAULT_DATA_DIR
    return kubectl.completed(data_dir, ("get", "pods", "-n", ctx.params.get("namespace") or "default"), incomplete)


@click.group()
def command() -> None:
    """Say why something is as it is."""


@command.command()
@click.argument("name", shell_complete=_pods)
@click.option("-n", "--namespace", default="default", show_default=True, help="The pod's namespace.")
@options.data_dir
def pod(name: str, namespace: str, data_dir: Path) -> None:
    """Every node for one pod: what it scores, or why not there.

    Scores by plugin for nodes where the pod could run, reasons for those where it could not: computed from the
    cluster's present state with the scheduler's own code.

    \b
    cybernetes explain pod web-1 -n shop
    """
    click.echo(asyncio.run(_explained(options.administered(data_dir), namespace, name)))


async def _explained(layout: Layout, namespace: str, name: str) -> str:
    from cybernetes.base.clock import SystemClock
    from cybernetes.cli.schedule import empty_snapshot
    from cybernetes.client.kubeconfig import connect
    from cybernetes.client.target import PODS
    from cybernetes.scheduler.explain import explain_placed, render

    client = connect(layout.admin_kubeconfig, user_agent="cybernetes-explain", clock=SystemClock())
    try:
        asked = await client.get(PODS, name, namespace=namespace)
        snapshot = empty_snapshot(layout.data_dir)
        for target in snapshot.TARGETS:
            async for page in client.pages(target):
                snapshot.add(target, page.items)
    finally:
        await client.close()
    key = f"{namespace}/{name}"
    scheduler = asked["spec"].get("schedulerName", "")
    if scheduler not in snapshot.cycles:
        raise click.ClickException(f"pod {key} is for the scheduler {scheduler}, which is none of this cluster's")
    return render(key, asked["spec"].get("nodeName", ""), explain_placed(snapshot, key))
