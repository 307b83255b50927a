"""The authority of the etcd that `up` started is replaced: what was written is there, and is written further."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from tests.contract.servers.several import Servers
from tests.contract.store.etcd_process import need_etcd

from cybernetes.auth import pki
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.client.target import CONFIG_MAPS
from cybernetes.install.machine import free_port
from cybernetes.run import config as cluster_config
from cybernetes.run import files
from cybernetes.run.config import ApiServerConfig, ClusterConfig, StoreConfig
from cybernetes.run.layout import Layout

ETCD_PORT = 2379


async def _write(servers: Servers, number: str) -> None:
    """Once the server, which starts again meanwhile, takes it."""
    client, data = servers.client(), {"metadata": {"name": "kept", "namespace": "default"}, "data": {number: "written"}}
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    await client.apply(CONFIG_MAPS, data, field_manager=f"test-{number}")
                    return
                except (ApiError, EdgeError):
                    await asyncio.sleep(0.1)
    finally:
        await client.close()


async def _written(servers: Servers) -> list[str]:
    client = servers.client()
    try:
        return sorted((await client.get(CONFIG_MAPS, "kept", namespace="default"))["data"])
    finally:
        await client.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_was_written_stays_and_all_is_of_the_new_authority(tmp_path: Path) -> None:
    need_etcd()
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", ETCD_PORT)) == 0:
            pytest.skip(f"port {ETCD_PORT} is taken")
    servers = Servers(Layout(tmp_path / "cluster"), free_port(0))
    api_server = ApiServerConfig(port=servers.port, processes=2)
    config = ClusterConfig(only=("apiserver",), api_server=api_server, store=StoreConfig(kind="etcd"), registry=False)
    cluster_config.write(tmp_path / "wanted.yaml", config)
    try:
        servers.command("up", "--config", str(tmp_path / "wanted.yaml"))
        former = files.etcd_ca(servers.layout).certificate.read_bytes()
        for step in ("begin", "switch", "finish"):
            asyncio.run(_write(servers, step))
            words = ("--authority", "etcd", "--step", step, "--pause", "0")
            servers.command("certs", "rotate-ca", *words, patience_s=200)
        asyncio.run(_write(servers, "over"))
        assert asyncio.run(_written(servers)) == ["begin", "finish", "over", "switch"]
        [new] = pki.bundle(files.etcd_ca(servers.layout).certificate.read_bytes())
        assert new != former
        for each in (files.etcd_server(servers.layout), files.etcd_client(servers.layout)):
            assert pki.is_issued_by(each.certificate.read_bytes(), new)
    finally:
        servers.command("down", "--keep-data")
