"""Two machines of one control plane on this one: addresses of the loopback, a data directory each, one etcd."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
from tests.contract.servers.several import Servers, own_etcd

from cybernetes.base.clock import SystemClock
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import Access, access, load, transport
from cybernetes.install import pki
from cybernetes.install.joining import authorities
from cybernetes.install.machine import free_port
from cybernetes.run import config as cluster_config
from cybernetes.run.config import CONTROL_PLANE, ApiServerConfig, ClusterConfig, NodeConfig, StoreConfig
from cybernetes.run.layout import Layout

FIRST, SECOND = "127.0.0.2", "127.0.0.3"


@contextlib.contextmanager
def two_machines(folder: Path) -> Iterator[tuple[Servers, Servers]]:
    """The second one is invited by the first, as `join` does it. Skips where etcd is missing."""
    port = free_port(0)
    first, second = (Servers(Layout(folder / name), port) for name in ("first", "second"))
    config = ClusterConfig(
        only=CONTROL_PLANE, api_server=ApiServerConfig(bind_address=FIRST, port=port), registry=False
    )
    pki.ensure(config, first.layout)
    etcd = own_etcd(folder, first.layout)
    config = msgspec.structs.replace(config, store=StoreConfig(kind="etcd", endpoints=(etcd.endpoint,)))
    try:
        _start(first, config)
        member = asyncio.run(_invited(first, second))
        _start(second, msgspec.structs.replace(member, nodes=(), api_server=_at(SECOND, config.api_server)))
        yield first, second
    finally:
        for each in (second, first):
            with contextlib.suppress(AssertionError):
                each.command("down", "--keep-data")
        etcd.stop()


def _at(address: str, config: ApiServerConfig) -> ApiServerConfig:
    return msgspec.structs.replace(config, bind_address=address, advertise_address="")


def _start(servers: Servers, config: ClusterConfig) -> None:
    wanted = servers.layout.data_dir.with_suffix(".yaml")
    cluster_config.write(wanted, config)
    servers.command("up", "--config", str(wanted))


async def _invited(first: Servers, second: Servers) -> ClusterConfig:
    words = first.command("token", "create", "--control-plane").split()
    told = dict(pairwise(words))
    admin = access(load([first.layout.admin_kubeconfig]))
    holder = Access(server=admin.server, authority=admin.authority, token=told["--token"])
    client = ApiClient(transport(holder), user_agent="test", clock=SystemClock())
    try:
        node, key = NodeConfig(name="second", address=SECOND), bytes.fromhex(told["--control-plane-key"])
        return await authorities.fetch(client, second.layout, node, key)
    finally:
        await client.close()
