"""Certificates and keys of a control plane are renewed: no request fails, a watch goes on, tokens stay good."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import aclosing
from pathlib import Path

import orjson
from tests.contract.servers.history import MAPS
from tests.contract.servers.several import Servers, several_servers

from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.random import SystemRandom
from cybernetes.client.answer import whole_body
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import Access, access, load, transport
from cybernetes.client.target import SERVICE_ACCOUNTS
from cybernetes.run import files

NAME, SPACE = "renewed", "default"


class Busy:
    """Asks over fresh connections and one that stays, writes, and follows what it writes."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self.failed: list[str] = []
        self.written: list[str] = []
        self.watched: list[str] = []

    async def work(self, client: ApiClient) -> None:
        while True:
            number = str(len(self.written))
            fresh = self._servers.client()
            try:
                await client.apply(MAPS, _map(number), field_manager="test")
                self.written.append(number)
                await fresh.get(MAPS, NAME, namespace=SPACE)
            except (ApiError, EdgeError) as wrong:
                self.failed.append(str(wrong))
            finally:
                await fresh.close()
            await asyncio.sleep(0.02)

    async def watch(self, client: ApiClient, after: str) -> None:
        events = client.watch(MAPS, resource_version=after, namespace=SPACE, timeout_s=300)
        async with aclosing(events) as stream:
            async for event in stream:
                if event.type != "BOOKMARK":
                    self.watched.append(orjson.loads(event.object)["data"]["number"])
        self.failed.append("the watch ended")


def _map(number: str) -> dict[str, object]:
    return {"metadata": {"name": NAME, "namespace": SPACE}, "data": {"number": number}}


def _make_old(servers: Servers) -> None:
    """Of these certificates a fifth of their life is left."""
    layout, now = servers.layout, SystemClock().now()
    authority, terms = files.ca(layout).read(), pki.Terms(now - 8000, SystemRandom(), 10_000)
    serving = pki.serving(authority, "kube-apiserver", terms, names=["localhost"], addresses=["127.0.0.1"])
    files.api_server(layout).write(serving)
    masters = ["system:masters"]
    files.kubelet_client(layout).write(pki.client(authority, "kube-apiserver-kubelet-client", masters, terms))


async def _shown(servers: Servers, certificate: bytes) -> None:
    """Until the server shows this certificate to whoever connects."""
    async with asyncio.timeout(60):
        while True:
            where = ("127.0.0.1", servers.port)
            shown = await asyncio.to_thread(ssl.get_server_certificate, where)
            if shown.strip() == certificate.decode().strip():
                return
            await asyncio.sleep(0.1)


async def _token(client: ApiClient) -> str:
    path = SERVICE_ACCOUNTS.path(SPACE, "renewed", "token")
    body = orjson.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    answer = await client.raw("POST", path, body=body, headers={"content-type": "application/json"})
    token: str = orjson.loads(await whole_body(answer))["status"]["token"]
    return token


async def _believed(servers: Servers, token: str) -> bool:
    admin = access(load([servers.layout.admin_kubeconfig]))
    holder = Access(server=admin.server, authority=admin.authority, token=token)
    client = ApiClient(transport(holder), user_agent="test", clock=SystemClock())
    try:
        await client.get(MAPS, NAME, namespace=SPACE)
    except ApiError as refusal:
        return refusal.code == 403
    finally:
        await client.close()
    return True


async def _key_ids(client: ApiClient) -> int:
    answer = await whole_body(await client.raw("GET", "/openid/v1/jwks"))
    return len(orjson.loads(answer)["keys"])


async def _scenario(servers: Servers) -> Busy:
    client, busy = servers.client(), Busy(servers)
    await client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "renewed"}}, namespace=SPACE)
    start = (await client.list(MAPS, namespace=SPACE)).resource_version
    tasks = [asyncio.create_task(each) for each in (busy.work(client), busy.watch(client, start))]
    try:
        _make_old(servers)
        old = files.api_server(servers.layout).certificate.read_bytes()
        await _shown(servers, old)
        await asyncio.to_thread(servers.command, "certs", "renew")
        renewed = files.api_server(servers.layout).certificate.read_bytes()
        assert renewed != old
        await _shown(servers, renewed)

        before = await _token(client)
        await asyncio.to_thread(servers.command, "certs", "rotate-sa")
        async with asyncio.timeout(60):
            while await _key_ids(client) < 2:  # noqa: ASYNC110 -- the server is looked at, as anybody would
                await asyncio.sleep(0.1)
        after = await _token(client)
        assert before.split(".")[0] != after.split(".")[0], "another key signs"
        assert await _believed(servers, before) and await _believed(servers, after)
        assert not await _believed(servers, after[:-8] + "AAAAAAAA")
    finally:
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])
        async with asyncio.timeout(60):
            while busy.watched != busy.written and not busy.failed:  # noqa: ASYNC110 -- of a stream that is read elsewhere
                await asyncio.sleep(0.02)
        tasks[1].cancel()
        await asyncio.wait(tasks)
        await client.close()
    return busy


def test_renewing_certificates_and_keys_is_noticed_by_nobody(tmp_path: Path) -> None:
    with several_servers(tmp_path, "sqlite", count=1) as servers:
        restarts = servers.processes()["apiserver"].restarts
        busy = asyncio.run(_scenario(servers))
        assert servers.processes()["apiserver"].restarts == restarts
    assert not busy.failed
    assert len(busy.written) > 10
