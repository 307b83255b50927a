"""`cybernetes schedule --dry-run` on a real API server, and on what it saved of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from click.testing import CliRunner
from test_explain_verb import fill, write_kubeconfig

from apiserver_fixture import running_apiserver
from cybernetes.cli.schedule import command

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: c, image: i}], tolerations: [{operator: Exists}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: many}
spec: {replicas: 1, template: {spec: {containers: [{name: c, image: i}]}}}
"""


def test_the_live_cluster_and_the_saved_one_give_the_same_answer(tmp_path: Path) -> None:
    pods, saved = tmp_path / "pods.yaml", tmp_path / "saved.json"
    pods.write_text(PODS)
    with running_apiserver(tmp_path / "pki") as api:
        write_kubeconfig(api, tmp_path)
        asyncio.run(fill(api))
        live = CliRunner().invoke(
            command, ["--dry-run", "-f", str(pods), "--save", str(saved), "--data-dir", str(tmp_path)]
        )
    again = CliRunner().invoke(
        command, ["--dry-run", "-f", str(pods), "--snapshot", str(saved), "--data-dir", str(tmp_path / "none")]
    )
    assert live.exit_code == again.exit_code == 1, live.output
    assert live.output == again.output
    # The node has no room that it told of, and takes only the pod that tolerates everything to look at.
    assert "0/1 nodes are available: 1 Too many pods." in live.output
    assert "1 node(s) were unschedulable" in live.output or "untolerated taint" in live.output


def test_it_asks_for_a_cluster_or_a_snapshot(tmp_path: Path) -> None:
    pods = tmp_path / "pods.yaml"
    pods.write_text(PODS)
    found = CliRunner().invoke(command, ["--dry-run", "-f", str(pods), "--data-dir", str(tmp_path)])
    assert found.exit_code == 1
    assert "or give --snapshot" in found.output
