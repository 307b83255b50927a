"""pytest fixtures: `kubernetes_api` (one for the session), `kubeconfig` (a file), `kubernetes_namespace` (one a test)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from cybernetes.base.clock import SystemClock
from cybernetes.client.api import ApiClient
from cybernetes.client.target import NAMESPACES, SERVICE_ACCOUNTS
from cybernetes.testing.apiserver import RunningApi, running_apiserver

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def kubernetes_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    """A server with an empty cluster."""
    with running_apiserver(tmp_path_factory.mktemp("kubernetes-api")) as running:
        yield running


@pytest.fixture(scope="session")
def kubeconfig(kubernetes_api: RunningApi, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig of the administrator, for kubectl and client libraries."""
    path = tmp_path_factory.mktemp("kubeconfig") / "config"
    path.write_bytes(kubernetes_api.kubeconfig())
    return path


@pytest.fixture
def kubernetes_namespace(kubernetes_api: RunningApi) -> str:
    """The name of a namespace that no other test uses, with its default service account."""
    name = f"test-{next(_numbers)}"
    asyncio.run(_make(kubernetes_api, name))
    return name


async def _make(api: RunningApi, name: str) -> None:
    transport = api.transport()
    try:
        client = ApiClient(transport, user_agent="cybernetes-testing", clock=SystemClock())
        await client.create(NAMESPACES, {"metadata": {"name": name}})
        await client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, namespace=name)
    finally:
        await transport.close()
