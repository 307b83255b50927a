from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from cybernetes.bench import plot, result
from cybernetes.bench.result import Result, Tell
from cybernetes.bench.workloads import WORKLOADS
from cybernetes.cli import options

LINE_EVERY_S = 10.0
_NUMBER = re.compile(r"\d+")


@click.group()
def command() -> None:
    """Measure the program's own parts on this machine.

    Each prints a table; --json writes `{"results": [...]}`, --plot a picture of throughput and latency over time.
    """
    # Told to stop, it stops the processes that it started and removes their folder first.
    signal.signal(signal.SIGTERM, _stop)


def _stop(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _outputs(function: Callable[..., Any]) -> Callable[..., Any]:
    path = options.NewFile()
    function = click.option("--json", "json_file", type=path, help="Write the results there.")(function)
    return click.option("--plot", "plot_file", type=path, help="Draw throughput and latency there: .svg or .png.")(
        function
    )


@command.command()
@click.option(
    "--workload",
    type=click.Choice([*WORKLOADS, "all"]),
    default="basic",
    show_default=True,
    help="What the pods ask for.",
)
@click.option("--nodes", type=click.IntRange(1), default=1000, show_default=True, help="Nodes in the API.")
@click.option("--pods", type=click.IntRange(1), default=1000, show_default=True, help="Pods to bind.")
@click.option("--arriving", is_flag=True, help="Create pods while the scheduler runs.  [default: before it starts]")
@_outputs
def scheduler(
    workload: str, nodes: int, pods: int, arriving: bool, json_file: Path | None, plot_file: Path | None
) -> None:
    """Pods bound a second, through the API.

    An API server with TLS and SQLite and a scheduler are started for it, and no node: other work on this machine counts.
    """
    from cybernetes.bench.scheduler import Load, run

    chosen = list(WORKLOADS) if workload == "all" else [workload]
    _measure([(each, partial(run, Load(each, nodes, pods, not arriving))) for each in chosen], json_file, plot_file)


@command.command()
@_outputs
def api(json_file: Path | None, plot_file: Path | None) -> None:
    """Requests a second: writes, reads, lists, events at watchers.

    An API server with TLS and SQLite is started for it.
    """
    from cybernetes.bench.api import run

    console = Console()
    with _telling(console, "api") as tell:
        results = asyncio.run(run(tell))
    _hand_out(console, results, json_file, plot_file)


@command.command()
@click.option("--services", type=click.IntRange(1), default=10_000, show_default=True, help="Services in the API.")
@click.option(
    "--mode", type=click.Choice(["nftables", "iptables"]), default="nftables", show_default=True, help="Kind of rules."
)
@click.option(
    "--changes", type=click.IntRange(1), default=100, show_default=True, help="Endpoints changed, one by one."
)
@_outputs
def proxy(services: int, mode: str, changes: int, json_file: Path | None, plot_file: Path | None) -> None:
    """From Services to rules in the kernel, and packets. Needs root.

    In a network namespace of its own; what this machine has stays as it is.
    p50 and p99 are from the answer to the write of a changed endpoint to the rule.
    """
    from cybernetes.bench.proxy import Load, run

    _measure([(f"{mode}, {services} services", partial(run, Load(services, mode, changes)))], json_file, plot_file)


@command.command()
@click.option(
    "--hollow", is_flag=True, help="Hollow nodes: kubelets on a runtime in memory, a control plane of their own."
)
@click.option("--nodes", type=click.IntRange(1, 5000), default=100, show_default=True, help="Hollow nodes.")
@click.option(
    "--pods", type=click.IntRange(1), default=None, help="Pods in all.  [default: 30 a hollow node; 100 real ones]"
)
@click.option(
    "--rate",
    type=click.FloatRange(0),
    default=50.0,
    show_default=True,
    help="Pods created a second; 0: as fast as may be.",
)
@click.option("--idle", type=click.FloatRange(0), default=30.0, show_default=True, help="Seconds without load before.")
@click.option(
    "--apiservers",
    type=click.IntRange(1, 16),
    default=1,
    show_default=True,
    help="Processes that share its port and store.",
)
@options.data_dir
@_outputs
def density(
    hollow: bool,
    nodes: int,
    pods: int | None,
    rate: float,
    idle: float,
    apiservers: int,
    data_dir: Path,
    json_file: Path | None,
    plot_file: Path | None,
) -> None:
    """Many pods, on hollow nodes or on the cluster that runs.

    Without --hollow, real containers are started on the cluster of the data directory.
    With --hollow, `p50` and `p99` are from a pod's creation until it is seen Ready; `api p99` is of all ordinary requests.
    --rate, --idle and --apiservers are for hollow nodes.
    """
    if hollow:
        from cybernetes.bench.density import Load, run

        _measure(
            [("hollow", partial(run, Load(nodes, pods or 30 * nodes, rate, idle, apiservers)))], json_file, plot_file
        )
        return
    from cybernetes.bench.containers import run as run_real

    _measure([("containers", partial(run_real, data_dir, pods or 100))], json_file, plot_file)


Run = Callable[[Tell], Coroutine[Any, Any, Result]]


def _measure(runs: Sequence[tuple[str, Run]], json_file: Path | None, plot_file: Path | None) -> None:
    console, results = Console(), []
    for name, run in runs:
        with _telling(console, name) as tell:
            results.append(asyncio.run(run(tell)))
    _hand_out(console, results, json_file, plot_file)


@contextlib.contextmanager
def _telling(console: Console, name: str) -> Iterator[Tell]:
    """Shows how far a run is: in one line that changes, or as lines now and then where nobody sees that."""
    if console.is_terminal:
        with console.status(name) as status:
            yield lambda text: status.update(f"{name}: {text}")
    else:
        yield _Lines(name)


class _Lines:
    """One line for each new thing that is told; of what differs in numbers only, one now and then."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._words = ""
        self._said_at = float("-inf")

    def __call__(self, text: str) -> None:
        now, words = time.monotonic(), _NUMBER.sub("", text)
        if words != self._words or now - self._said_at >= LINE_EVERY_S:
            self._words, self._said_at = words, now
            click.echo(f"{self._name}: {text}", err=True)


def _hand_out(console: Console, results: Sequence[Result], json_file: Path | None, plot_file: Path | None) -> None:
    console.print(result.table(results))
    if json_file is not None:
        result.write_json(json_file, results)
    if plot_file is not None:
        plot.write(plot_file, results)
