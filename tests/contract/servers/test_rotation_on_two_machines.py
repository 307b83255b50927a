"""Authorities are replaced while two machines sign with them: who goes by a kubeconfig never notices."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.contract.servers.machines import two_machines
from tests.contract.servers.several import Servers

from cybernetes.auth import pki
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.client.target import CONFIG_MAPS, SECRETS
from cybernetes.install import members
from cybernetes.install.authority import STEPS
from cybernetes.run import files


class Busy:
    """Asks both machines, over connections that are made anew with the kubeconfig as it is, and over ones that stay."""

    def __init__(self, machines: tuple[Servers, ...]) -> None:
        self._machines = machines
        self.failed: list[str] = []
        self.done = 0

    async def work(self) -> None:
        staying = [each.client() for each in self._machines]
        while True:
            fresh = [each.client() for each in self._machines]
            for client in (*fresh, *staying):
                try:
                    await client.get(CONFIG_MAPS, "extension-apiserver-authentication", namespace="kube-system")
                    self.done += 1
                except (ApiError, EdgeError) as wrong:
                    self.failed.append(str(wrong))
            for client in fresh:
                await client.close()
            await asyncio.sleep(0.05)


def _bundles(machines: tuple[Servers, ...], name: str) -> list[list[bytes]]:
    return [pki.bundle(files.of(each.layout, name).certificate.read_bytes()) for each in machines]


async def _rotate(machines: tuple[Servers, ...], *commands: tuple[Any, ...]) -> Busy:
    busy = Busy(machines)
    working = asyncio.create_task(busy.work())
    try:
        for where, *words in commands:
            # API servers look at their files every five seconds.
            options = ("--pause", "6", "--authority", *words)
            await asyncio.to_thread(where.command, "certs", "rotate-ca", *options, patience_s=200)
    finally:
        working.cancel()
        await asyncio.wait([working])
    return busy


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_both_machines_go_by_the_new_authority_and_no_request_fails(tmp_path: Path) -> None:
    with two_machines(tmp_path) as machines:
        first, second = machines
        before = _bundles(machines, "ca")[0]
        # Begun here, and gone on with at the other: each has what it takes.
        steps = [(where, "cluster", "--step", step) for where, step in zip((first, second, first), STEPS, strict=True)]
        busy = asyncio.run(_rotate(machines, *steps))
        assert not busy.failed
        assert busy.done > 100
        after, again = _bundles(machines, "ca")
        assert after == again and len(after) == 1 and after != before
        for each in machines:
            assert pki.is_issued_by(files.api_server(each.layout).certificate.read_bytes(), after[0])
            assert not list(each.layout.pki.glob("ca-*"))
        assert asyncio.run(_secrets(first)) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_front_proxies_get_another_authority_on_both(tmp_path: Path) -> None:
    with two_machines(tmp_path) as machines:
        before = _bundles(machines, "front-proxy-ca")[0]
        busy = asyncio.run(_rotate(machines, (machines[1], "front-proxy")))
        assert not busy.failed
        after, again = _bundles(machines, "front-proxy-ca")
        assert after == again and len(after) == 1 and after != before
        for each in machines:
            assert pki.is_issued_by(files.front_proxy_client(each.layout).certificate.read_bytes(), after[0])
        assert asyncio.run(_told_to_others(machines[0])) == after[0].decode()


async def _told_to_others(servers: Servers) -> str:
    client = servers.client()
    try:
        found = await client.get(CONFIG_MAPS, "extension-apiserver-authentication", namespace="kube-system")
        told: str = found["data"]["requestheader-client-ca-file"]
        return told
    finally:
        await client.close()


async def _secrets(servers: Servers) -> list[str]:
    client = servers.client()
    try:
        found = (await client.list(SECRETS, namespace=members.NAMESPACE)).objects()
        return [
            each["metadata"]["name"] for each in found if each["metadata"]["name"].startswith("cybernetes-rotation")
        ]
    finally:
        await client.close()
