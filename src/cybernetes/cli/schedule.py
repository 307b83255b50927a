from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import orjson
import yaml

from cybernetes.base.errors import ApiError
from cybernetes.cli import options
from cybernetes.run import config as cluster_config
from cybernetes.run.layout import Layout
from cybernetes.scheduler.pods import PodEntry
from cybernetes.scheduler.snapshot import Snapshot


@click.command()
@click.option("--dry-run", is_flag=True, required=True, help="Only say what would happen; there is no other way yet.")
@click.option(
    "-f",
    "--filename",
    "files",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    required=True,
    help="Pods, or workloads with a template of pods: YAML or JSON.",
)
@click.option("-n", "--namespace", default="default", show_default=True, help="Of pods that name none.")
@click.option(
    "--snapshot",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A saved cluster: `kubectl get nodes,pods,... -A -o json`, or what --save wrote.",
)
@click.option("--save", type=options.NewFile(), help="Save the cluster there, for --snapshot.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the draw among equally good nodes.")
@options.data_dir
def command(
    dry_run: bool,
    files: tuple[Path, ...],
    namespace: str,
    snapshot: Path | None,
    save: Path | None,
    seed: int,
    data_dir: Path,
) -> None:
    """Say where pods would go, and what they would evict.

    Decided with the scheduler's own code and the cluster's configuration, on the cluster as it is or as it was saved.
    Exit code 1 when a pod would find no node.

    \b
    cybernetes schedule --dry-run -f pods.yaml
    cybernetes schedule --dry-run -f deployment.yaml --snapshot cluster.json
    """
    from cybernetes.base.random import SeededRandom
    from cybernetes.scheduler.dryrun import decide_all, render

    pods = _pods(files, namespace)
    saved = _read(snapshot) if snapshot is not None else asyncio.run(_saved(_kubeconfig(data_dir)))
    if save is not None:
        save.write_bytes(orjson.dumps(saved))
    cluster = empty_snapshot(data_dir)
    cluster.add_saved(saved)
    cluster.place_running()
    outcomes = decide_all(cluster, [_entry(cluster, each) for each in pods], SeededRandom(seed))
    click.echo(render(outcomes))
    if not all(each.node for each in outcomes):
        raise SystemExit(1)


def _pods(files: Sequence[Path], namespace: str) -> list[dict[str, Any]]:
    """Pods of the files' manifests. Raises ClickException when there are none, or when nobody can say which."""
    from cybernetes.scheduler.manifests import NotPods, makes_pods, objects_of, pods_of

    found: list[dict[str, Any]] = []
    passed_over = []
    for file in files:
        try:
            for each in objects_of(_documents(file)):
                if makes_pods(each):
                    found += pods_of(each, namespace)
                else:
                    passed_over.append(f"{each['kind']} {(each.get('metadata') or {}).get('name', '')}")
        except NotPods as wrong:
            raise click.ClickException(f"{file}: {wrong}") from wrong
    if passed_over:
        click.echo(f"passed over, not known to make pods: {', '.join(passed_over)}", err=True)
    if not found:
        raise click.ClickException(f"no pods in {', '.join(map(str, files))}")
    return found


def _documents(file: Path) -> list[Any]:
    """What is not empty in a file: YAML, or JSON, of which clusters are large. Raises ClickException that names the place."""
    data = file.read_bytes()
    try:
        return [orjson.loads(data)]
    except orjson.JSONDecodeError:
        # Else it is YAML, which JSON is too, but read a hundred times slower.
        pass
    try:
        return [each for each in yaml.safe_load_all(data) if each]
    except yaml.YAMLError as wrong:
        raise click.ClickException(f"can't read {file}: {wrong}") from wrong


def _entry(cluster: Snapshot, pod: dict[str, Any]) -> PodEntry:
    from cybernetes.scheduler.manifests import NotPods, completed

    try:
        return cluster.entry(completed(pod, cluster.priorities))
    except NotPods as wrong:
        raise click.ClickException(str(wrong)) from wrong
    except ApiError as wrong:
        raise click.ClickException(f"pod {pod['metadata']['name']}: {wrong.message}") from wrong


def _read(snapshot: Path) -> dict[str, Any]:
    documents = _documents(snapshot)
    found = documents[0] if len(documents) == 1 else None
    if not isinstance(found, dict) or "items" not in found:
        raise click.ClickException(f"{snapshot} is no List of objects; write one with --save")
    return found


def _kubeconfig(data_dir: Path) -> Path:
    found = Layout(data_dir).admin_kubeconfig
    if not found.exists():
        raise click.ClickException(
            f"no cluster in {data_dir}; start one with: {options.command('up', data_dir)}; or give --snapshot"
        )
    return found


def empty_snapshot(data_dir: Path) -> Snapshot:
    """Empty, with the profiles of the cluster's configuration."""
    from cybernetes.scheduler.config import decode
    from cybernetes.scheduler.outside import installed

    path = Layout(data_dir).config
    section = cluster_config.read(path).scheduler if path.exists() else {}
    return Snapshot(decode(section, installed()).profiles)


async def _saved(kubeconfig: Path) -> dict[str, Any]:
    from cybernetes.base.clock import SystemClock
    from cybernetes.client.kubeconfig import connect

    client = connect(kubeconfig, user_agent="cybernetes-schedule", clock=SystemClock())
    items: list[Any] = []
    try:
        for target in Snapshot.TARGETS:
            async for page in client.pages(target):
                kind = {"apiVersion": target.api_version, "kind": target.kind}
                items += [kind | orjson.loads(item) for item in page.items]
    finally:
        await client.close()
    return {"apiVersion": "v1", "kind": "List", "items": items}
