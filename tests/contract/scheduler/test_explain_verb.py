"""`cybernetes explain pod` against a real API server."""

from __future__ import annotations

import asyncio
from pathlib import Path

from click.testing import CliRunner

from apiserver_fixture import RunningApi, running_apiserver
from cybernetes.base.clock import SystemClock
from cybernetes.cli.explain import command
from cybernetes.client import kubeconfig
from cybernetes.client.api import ApiClient
from cybernetes.client.target import NODES, PODS, SERVICE_ACCOUNTS
from cybernetes.run.layout import Layout


def write_kubeconfig(api: RunningApi, data_dir: Path) -> None:
    access = kubeconfig.Access(server=api.url, authority=api.ca, certificate=api.certificate, key=api.key)
    kubeconfig.write(Layout(data_dir).admin_kubeconfig, kubeconfig.build(access, name="test", user="admin"))


async def fill(api: RunningApi) -> None:
    client = ApiClient(api.transport(), user_agent="test", clock=SystemClock())
    try:
        account = {"metadata": {"name": "default", "namespace": "default"}, "automountServiceAccountToken": False}
        await client.create(SERVICE_ACCOUNTS, account, namespace="default")
        await client.create(NODES, {"metadata": {"name": "a"}, "spec": {"unschedulable": True}})
        container = {"name": "c", "image": "i"}
        await client.create(
            PODS, {"metadata": {"name": "web"}, "spec": {"containers": [container]}}, namespace="default"
        )
    finally:
        await client.close()


def test_a_pod_that_waits_is_explained(tmp_path: Path) -> None:
    with running_apiserver(tmp_path / "pki") as api:
        write_kubeconfig(api, tmp_path)
        asyncio.run(fill(api))
        result = CliRunner().invoke(command, ["pod", "web", "--data-dir", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "pod default/web has no node" in result.output
    assert "1  node(s) were unschedulable: a" in result.output


def test_without_a_cluster_it_says_how_to_get_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["pod", "web", "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "cybernetes up" in result.output
