"""Certificates of a node that live for seconds: they are replaced all the time, and nobody notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import orjson
from node_credentials import allow_nodes_to_renew, put_first_certificates, running, signing_controllers

from apiserver_fixture import RunningApi, serving_apiserver
from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.random import SystemRandom
from cybernetes.client import kubeconfig
from cybernetes.client.api import ApiClient, PatchType
from cybernetes.client.target import NODES
from cybernetes.controllers.certificates.plan import lifetime_s
from cybernetes.run import files
from cybernetes.run.config import ClusterConfig, NodeConfig
from cybernetes.run.layout import Layout
from cybernetes.run.start import Setting
from cybernetes.run.start.rotation import Rotation, of_node
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.message import Request, Response
from cybernetes.wire.http.renewed import RenewedTls
from cybernetes.wire.http.server import HttpServer
from cybernetes.wire.http.tls import client_context

RANDOM = SystemRandom()
NODE = NodeConfig(name="n1", address="127.0.0.1")
# Long enough for a busy machine to sign the next one.
LIFE_S = 10
# Of the first ones nine tenths are over.
FIRST_LIFE_S, LEFT_S = 3600, 120
PATIENCE_S = 60


class Behind(SystemClock):
    """Of the signer: what it signs for a year ends in some seconds."""

    def now(self) -> float:
        return super().now() - lifetime_s(None) + LIFE_S


class Fast(SystemClock):
    """Of clients: files are looked at twenty times as often."""

    def monotonic(self) -> float:
        return super().monotonic() * 20


@asynccontextmanager
async def _kubelet(api: RunningApi, layout: Layout) -> AsyncIterator[int]:
    """A server that shows the node's serving certificate; its port."""

    async def hello(request: Request) -> Response:
        return Response(200, [], b"hello")

    where = files.kubelet_serving(layout, "n1")
    tls = RenewedTls(where.certificate, where.key, (), Fast().monotonic)
    http = HttpServer(hello)
    try:
        yield await http.listen("127.0.0.1", 0, tls.context)
    finally:
        await http.stop(1)


def test_no_request_fails_and_a_watch_goes_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving_apiserver(tmp_path / "api") as api:
            await api.server.ready()
            layout, clock = Layout(tmp_path), Fast()
            admin = ApiClient(api.transport(), user_agent="test", clock=clock)
            await allow_nodes_to_renew(admin)
            node = await admin.create(NODES, {"metadata": {"name": "n1"}})
            terms = pki.Terms(SystemClock().now() - FIRST_LIFE_S, RANDOM, FIRST_LIFE_S + LEFT_S)
            put_first_certificates(api, layout, terms, NODE.address)
            manager = signing_controllers(api, api.authority, Behind())
            client = kubeconfig.connect(layout.kubeconfig("kubelet-n1"), user_agent="kubelet", clock=clock)
            setting = Setting(ClusterConfig(nodes=(NODE,)), layout, NODE)
            rotated = of_node(setting)
            shown: list[list[bytes]] = [[] for _ in rotated]
            failed: list[str] = []
            began = clock.now()
            watched: list[str] = []

            async def again(work: Callable[[], Awaitable[None]]) -> None:
                while True:
                    try:
                        await work()
                    except (ApiError, EdgeError, OSError) as wrong:
                        failed.append(f"{clock.now() - began:.1f} {wrong}")
                    await asyncio.sleep(0.02)

            async def ask() -> None:
                await client.get(NODES, "n1")

            async def visit() -> None:
                transport = HttpTransport(f"https://127.0.0.1:{port}", client_context(api.ca))
                try:
                    assert (await transport.send(Request("GET", "/"))).body == b"hello"
                finally:
                    await transport.close()

            async def look() -> None:
                for found, each in zip(shown, rotated, strict=True):
                    now = each.where.certificate.read_bytes()
                    if now not in found[-1:]:
                        found.append(now)

            def outlived() -> bool:
                """Whether of each certificate one ended that was signed meanwhile, and then another came."""
                now = clock.now()
                return all(len(each) > 2 and pki.expires_at(each[1]) < now for each in shown)

            async def watch() -> None:
                after = node["metadata"]["resourceVersion"]
                events = client.watch(NODES, resource_version=after, field_selector="metadata.name=n1", timeout_s=600)
                async with aclosing(events) as stream:
                    async for event in stream:
                        number = orjson.loads(event.object)["metadata"].get("annotations", {}).get("n")
                        # Controllers write to the node, too.
                        if number is not None and number not in watched[-1:]:
                            watched.append(number)
                failed.append("the watch ended")

            async with _kubelet(api, layout) as port:
                works = [manager.run(), watch(), again(ask), again(visit), again(look)]
                works += [Rotation(client, each, clock, RANDOM).run() for each in rotated]
                written: list[str] = []
                async with running(works, (client, admin)):
                    ends = clock.now() + PATIENCE_S
                    while not outlived() and clock.now() < ends:
                        written.append(str(len(written)))
                        patch = {"metadata": {"annotations": {"n": written[-1]}}}
                        await admin.patch(NODES, "n1", patch, PatchType.MERGE)
                        await asyncio.sleep(0.05)
                    async with asyncio.timeout(60):
                        while watched != written:  # noqa: ASYNC110 -- of a stream that is read elsewhere
                            await asyncio.sleep(0.02)
            assert not failed, failed[:20]
            assert outlived()

    asyncio.run(scenario())
