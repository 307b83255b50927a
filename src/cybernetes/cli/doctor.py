from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from cybernetes.cli import options
from cybernetes.install import checks
from cybernetes.run import config as cluster_config
from cybernetes.run.layout import Layout

_JUDGED = {
    "pass": ("pass", "green"),
    "built": ("pass*", "green"),
    "none": ("-", "white"),
    "look": ("look", "yellow"),
    "fail": ("FAIL", "red"),
}
_MARKS = {"ok": ("ok", "green"), "warning": ("warn", "yellow"), "error": ("FAIL", "red")}


@click.command()
@options.data_dir
@click.option("--security", is_flag=True, help="Hold the cluster against the CIS Kubernetes Benchmark instead.")
def command(data_dir: Path, security: bool) -> None:
    """Check this machine: kernel, cgroups, capabilities, ports, disk, runtime; or how secure its cluster is.

    Each finding that matters says how to mend it. Exit code 1 when something would keep a cluster from running, or
    when a recommendation of the benchmark does not hold.
    """
    layout = options.existing(data_dir) if security else Layout(data_dir)
    config = cluster_config.read(layout.config) if layout.config.exists() else cluster_config.ClusterConfig()
    failed = _security(config, layout) if security else _machine(config, layout)
    if failed:
        raise SystemExit(1)


def _machine(config: cluster_config.ClusterConfig, layout: Layout) -> bool:
    failed = False
    for finding in checks.run_all(config, layout):
        print_finding(finding)
        failed |= finding.level == "error"
    return failed


def _security(config: cluster_config.ClusterConfig, layout: Layout) -> bool:
    from cybernetes.install.benchmark import checks as benchmark
    from cybernetes.install.benchmark import facts

    counts: Counter[str] = Counter()
    for each in benchmark.results(facts.collect(config, layout)):
        counts[each.status] += 1
        text, color = _JUDGED[each.status]
        click.echo(f"{click.style(f'{text:5}', fg=color)}  {each.number:7} {each.title}")
        if each.mend:
            click.echo(f"       {'':7} {'see' if each.status == 'look' else 'mend'}: {each.mend}")
    click.echo(
        f"\n{counts['pass']} hold; {counts['built']} hold by how this program is made (*); {counts['fail']} do not hold; "
        f"{counts['look']} are for you to judge; {counts['none']} are about what is not here"
    )
    return bool(counts["fail"])


def print_finding(finding: checks.Finding) -> None:
    text, color = _MARKS[finding.level]
    click.echo(f"{click.style(f'{text:4}', fg=color)}  {finding.subject:14} {finding.text}")
    if finding.mend:
        click.echo(f"      {'':14} mend: {finding.mend}")
