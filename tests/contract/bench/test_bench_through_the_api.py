"""A small run of the scheduler's benchmark: real processes, and the figures that it promises to give."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from cybernetes.cli.bench import command


def test_pods_are_bound_through_the_api(tmp_path: Path) -> None:
    out, picture = tmp_path / "r.json", tmp_path / "r.svg"
    arguments = ["scheduler", "--workload", "mixed", "--nodes", "5", "--pods", "25"]
    done = CliRunner().invoke(command, [*arguments, "--json", str(out), "--plot", str(picture)])
    assert done.exit_code == 0, done.output
    [found] = json.loads(out.read_text())["results"]
    assert (found["workload"], found["nodes"], found["pods"]) == ("mixed", 5, 25)
    assert all(found[name] > 0 for name in ("pods_per_second", "p50_ms", "p99_ms", "scheduler_memory_mb"))
    assert picture.read_text().startswith("<svg")


def test_pods_start_on_hollow_nodes(tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    arguments = ["density", "--hollow", "--nodes", "2", "--pods", "6", "--idle", "0.5", "--apiservers", "2"]
    done = CliRunner().invoke(command, [*arguments, "--json", str(out)])
    assert done.exit_code == 0, done.output
    [found] = json.loads(out.read_text())["results"]
    assert (found["workload"], found["nodes"], found["pods"]) == ("hollow", 2, 6)
    assert found["api_requests"] > 6
    assert all(found[f"api_{kind}_p99_ms"] > 0 for kind in ("get", "write"))
    assert found["api_refused_requests"] == 0
    assert all(found[f"{name}_pss_mb"] > 1 for name in ("apiserver", "controller_manager", "scheduler", "kubelets"))
    assert found["idle_requests_per_second"] > 0
