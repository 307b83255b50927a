"""A node's first credentials, of the real API's authority, and the right to ask for the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

from apiserver_fixture import RunningApi
from cybernetes.apiserver.bootstrap import policy
from cybernetes.auth import pki
from cybernetes.base.clock import Clock, SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.client import kubeconfig
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import Access
from cybernetes.client.target import Target
from cybernetes.controllers.manager import ControllerManager, ManagerConfig
from cybernetes.run import files
from cybernetes.run.layout import Layout
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.tls import client_context


@asynccontextmanager
async def running(works: Iterable[Coroutine[Any, Any, Any]], clients: Iterable[ApiClient]) -> AsyncIterator[None]:
    """Until the block ends, all of them at once; then the clients that they used are closed."""
    tasks = [asyncio.create_task(each) for each in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for each in clients:
            await each.close()


def signing_controllers(api: RunningApi, signer: pki.Credential, clock: Clock) -> ControllerManager:
    """All controllers; those of certificates sign with `signer`, at the clock's time."""
    random = SystemRandom()
    return ControllerManager(
        ApiClient(api.transport_as("system:kube-controller-manager"), user_agent="test", clock=SystemClock()),
        clock,
        random,
        ManagerConfig(identity="test", signer=signer, account_key=pki.new_key(random)),
        accounts=HttpTransport(api.url, client_context(api.ca)),
    )


async def allow_nodes_to_renew(admin: ApiClient) -> None:
    """What the API server of a whole cluster makes by itself."""
    for each in policy.load("own.yaml"):
        if "certificate" in each["metadata"]["name"]:
            kind = each["kind"]
            await admin.create(Target(policy.GROUP, "v1", kind.lower() + "s", kind, namespaced=False), each)


def put_first_certificates(
    api: RunningApi, layout: Layout, terms: pki.Terms, address: str
) -> tuple[pki.Credential, pki.Credential]:
    """Files and kubeconfig of the node n1; its client and serving certificates."""
    own = pki.client(api.authority, "system:node:n1", ("system:nodes",), terms)
    serving = pki.serving(
        api.authority, "system:node:n1", terms, names=["n1"], addresses=[address], organizations=["system:nodes"]
    )
    layout.pki.mkdir()
    for where, credential in (
        (files.of(layout, "client-kubelet-n1"), own),
        (files.kubelet_serving(layout, "n1"), serving),
    ):
        where.certificate.write_bytes(credential.certificate)
        where.key.write_bytes(credential.key)
    access = Access(server=api.url, authority=api.ca, certificate=own.certificate, key=own.key)
    kubeconfig.write(layout.kubeconfig("kubelet-n1"), kubeconfig.build(access, name="c", user="system:node:n1"))
    return own, serving
