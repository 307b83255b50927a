"""Runs every benchmark and holds its rows against their promises. `python perf/report.py [NAME…]`

Exits with 1 when a promise is broken. Promises are those of an otherwise idle machine with two cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cybernetes.run.layout import DEFAULT_DATA_DIR, Layout

HERE = Path(__file__).parent
BENCHMARKS = ("schema", "store", "api", "api_scale", "policies", "scheduler", "proxy", "journey", "density")
# Benchmark -> row -> (at most, at least); rows that are not here are shown without a judgement.
PROMISES: dict[str, dict[str, tuple[float | None, float | None]]] = {
    "schema": {"pod of 2046 bytes: decode, default, encode": (120, None)},
    "store": {"128 writers, 1700 B": (None, 10_000), "event loop held longest": (50, None)},
    "api": {
        "start to ready, empty store": (1, None),
        "memory, empty cluster": (120, None),
        "create config maps, 1 client": (None, 1_270),
        "create config maps, 8 clients": (None, 3_900),
        "create config maps, 32 clients": (None, 4_800),
        "create pods, 1 client": (None, 1_000),
        "create pods, 8 clients": (None, 2_870),
        "create pods, 32 clients": (None, 3_450),
        "create pods, 32 clients: processor time": (400, None),
        "get a pod, 1 client": (None, 2_490),
        "get a pod, 8 clients": (None, 5_600),
        "get a pod, 32 clients": (None, 7_630),
        "list 5,000 pods, consistent": (30, None),
        "list 5,000 pods, from the cache": (30, None),
        "write answered to event at 100 watchers, p50": (0.5, None),
        "write answered to event at 100 watchers, p99": (3, None),
        "an event to each of 1000 watchers: processor time": (30, None),
        "events to 100 watchers of eight writers": (None, 100_000),
        "memory of server and store after all": (250, None),
    },
    "api_scale": {
        "start to ready, 150,000 pods": (10, None),
        "start to ready, 150,000 pods: processor time": (6, None),
        "memory of one more pod": (4, None),
        "list of 100,000 pods: memory it takes": (50, None),
        "create a pod: times as much among 150,000 pods": (1.3, None),
        "get a pod: times as much among 150,000 pods": (1.3, None),
        "list a page of 100 pods: times as much among 150,000 pods": (1.3, None),
        "list the pods of a node: times as much among 150,000 pods": (1.3, None),
    },
    "policies": {
        "20 policies that do not match: more": (10, None),
        "one validating policy": (100, None),
        "one mutating policy, apply configuration": (500, None),
        "one mutating policy, JSON patch": (500, None),
        "a rule compiled": (100, None),
        "a rule evaluated": (5, None),
    },
    "scheduler": {
        "kernel, basic": (100, None),
        "kernel, anti-affinity and spread": (500, None),
        "kernel, preemption": (5, None),
        "loop, basic": (None, 2_000),
        "memory, whole process": (100, None),
        "API, basic, waiting: bound": (None, 4_000),
        "API, basic, waiting: scheduler": (0.15, None),
        "API, basic, waiting: API server and store": (0.3, None),
        "API, basic, waiting: memory of the scheduler": (120, None),
        "API, basic, arriving: bound": (None, 1_800),
        "API, spread-anti-affinity, waiting: bound": (None, 2_000),
    },
    "density": {"100 pods at once: Ready a second": (None, 8)},
    "journey": {"pod POST to Ready, p50": (250, None), "pod DELETE to gone, p50": (500, None)},
}


def run(benchmark: str) -> list[dict[str, Any]]:
    """Its rows: name, value, unit, and promise where the benchmark itself holds one."""
    search = {**os.environ, "PYTHONPATH": os.pathsep.join(("src", "ext", "tests"))}
    command = [sys.executable, str(HERE / f"{benchmark}.py"), "--json"]
    done = subprocess.run(command, cwd=HERE.parent, env=search, capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        raise RuntimeError(f"{benchmark} gave no rows:\n{done.stderr}")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def judge(benchmark: str, row: dict[str, Any]) -> tuple[str, bool]:
    """What was promised, in words, and whether it holds."""
    at_most, at_least = PROMISES.get(benchmark, {}).get(row["name"], (row.get("promise"), None))
    if at_most is not None:
        return f"<= {at_most:g}", row["value"] <= at_most
    if at_least is not None:
        return f">= {at_least:g}", row["value"] >= at_least
    return "", True


def chosen(names: list[str]) -> list[str]:
    unknown = [each for each in names if each not in BENCHMARKS]
    if unknown:
        sys.exit(f"no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}")
    if names:
        return names
    if Layout(Path(DEFAULT_DATA_DIR)).admin_kubeconfig.exists():
        return list(BENCHMARKS)
    print("no cluster runs here, so a pod's way to Ready is left out; start one with: make up", file=sys.stderr)
    return [each for each in BENCHMARKS if each not in ("journey", "density")]


def main() -> int:
    console = Console()
    broken = 0
    for benchmark in chosen(sys.argv[1:]):
        with console.status(f"running {benchmark}"):
            rows = run(benchmark)
        table = Table("what", "measured", "unit", "promise", title=benchmark, title_justify="left")
        for row in rows:
            promise, kept = judge(benchmark, row)
            broken += not kept
            table.add_row(row["name"], f"{row['value']:,.2f}", row["unit"], promise if kept else f"{promise}  broken")
        console.print(table)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
