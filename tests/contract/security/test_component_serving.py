"""The HTTPS port of scheduler and controller manager: health for everybody, numbers for who may see them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
from prometheus_client.parser import text_string_to_metric_families

from apiserver_fixture import RunningApi, serving_apiserver
from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.private_file import write_private
from cybernetes.base.random import SystemRandom
from cybernetes.client.api import ApiClient
from cybernetes.client.queue import WorkQueue
from cybernetes.client.target import SERVICE_ACCOUNTS, Target
from cybernetes.install.machine import free_port
from cybernetes.run import files
from cybernetes.run.layout import Layout
from cybernetes.run.start import numbers
from cybernetes.run.start.serving import Serving, gate, listen
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.message import Request
from cybernetes.wire.http.tls import client_context

CLOCK, RANDOM = SystemClock(), SystemRandom()
BINDINGS = Target("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)


class Port:
    def __init__(self, api: RunningApi, number: int) -> None:
        self._api = api
        self._url = f"https://127.0.0.1:{number}"

    async def ask(
        self, path: str, *groups: str, user: str = "", token: str = "", method: str = "GET"
    ) -> tuple[int, str]:
        terms = pki.Terms(CLOCK.now(), RANDOM)
        who = pki.client(self._api.authority, user, groups, terms) if user else pki.Credential(b"", b"")
        transport = HttpTransport(self._url, client_context(self._api.ca, who.certificate, who.key), token=token)
        try:
            answer = await transport.send(Request(method, path.partition("?")[0], _query(path)))
            assert isinstance(answer.body, bytes)
            return answer.status, answer.body.decode()
        finally:
            await transport.close()


def _query(path: str) -> dict[str, list[str]]:
    return {name: [""] for name in path.partition("?")[2].split("&") if name}


@asynccontextmanager
async def _served(folder: Path, broken: list[str]) -> AsyncIterator[tuple[RunningApi, Port]]:
    async with serving_apiserver(folder) as api:
        await api.server.ready()
        layout, terms = Layout(folder / "data"), pki.Terms(CLOCK.now(), RANDOM)
        write_private(files.ca(layout).certificate, api.ca)
        write_private(files.front_proxy_ca(layout).certificate, pki.ca("front-proxy-ca", terms).certificate)
        own = files.scheduler(layout)
        own.write(pki.serving(api.authority, "kube-scheduler", terms, addresses=("127.0.0.1",)))
        transport = numbers.Counted(api.transport_as("system:kube-scheduler"))
        client = ApiClient(transport, user_agent="kube-scheduler", clock=CLOCK)
        queue: WorkQueue[str] = WorkQueue(CLOCK, RANDOM)
        queue.add("shop/web")
        told = numbers.registry(
            numbers.Requests("127.0.0.1:6443", (transport,)),
            numbers.Leading("kube-scheduler", lambda: True),
            numbers.Queues(lambda: {"deployment": [queue]}),
        )
        checks = {"healthz": {"ping": lambda: ""}, "readyz": {"informer-sync": lambda: "".join(broken)}}
        serving = Serving(gate(client, layout, CLOCK), checks, told, {"kubescheduler.config.k8s.io": {}})
        number = free_port(0)
        async with asyncio.timeout(60):
            await listen(serving, ("127.0.0.1", 0), own, layout)
        task = asyncio.create_task(listen(serving, ("127.0.0.1", number), own, layout))
        try:
            await _listens(number)
            yield api, Port(api, number)
        finally:
            task.cancel()
            await asyncio.wait([task])
            await client.close()


async def _listens(number: int) -> None:
    async with asyncio.timeout(60):
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", number)) == 0:
                    return
            await asyncio.sleep(0.02)


def test_health_is_for_everybody_and_numbers_for_who_may_see_them(tmp_path: Path) -> None:
    broken: list[str] = []

    async def scenario() -> None:
        async with _served(tmp_path, broken) as (api, port):
            assert await port.ask("/healthz") == (200, "ok")
            assert await port.ask("/healthz/ping") == (200, "ok")
            assert "[+]informer-sync ok" in (await port.ask("/readyz?verbose"))[1]
            broken.append("the cluster is not known yet")
            assert (await port.ask("/readyz"))[0] == 500

            code, refused = await port.ask("/metrics")
            message = 'forbidden: User "system:anonymous" cannot get path "/metrics"'
            assert (code, orjson.loads(refused)["message"]) == (403, message)
            assert (await port.ask("/metrics", token="nobody's"))[0] == 401
            assert (await port.ask("/metrics", user="eve"))[0] == 403
            assert (await port.ask("/metrics/slis"))[0] == 403
            code, counted = await port.ask("/metrics/slis", "system:masters", user="root")
            assert (code, 'kubernetes_healthcheck{name="informer-sync",type="readyz"} 0\n' in counted) == (200, True)
            assert 'kubernetes_healthchecks_total{name="informer-sync",status="error",type="readyz"} 1\n' in counted
            assert (await port.ask("/configz", "system:masters", user="root"))[0] == 200
            assert (await port.ask("/metrics", "system:masters", user="root", method="POST"))[0] == 404
            assert await port.ask("/nothing", "system:masters", user="root") == (404, "404 page not found\n")

            admin = ApiClient(api.transport(), user_agent="test", clock=CLOCK)
            try:
                code, text = await port.ask("/metrics", token=await _monitor(admin))
            finally:
                await admin.close()
            assert code == 200
            found = {(each.name, *each.labels.values()): each.value for each in _samples(text)}
            assert found["leader_election_master_status", "kube-scheduler"] == 1
            assert found["workqueue_depth", "deployment"] == 1
            assert found["workqueue_adds_total", "deployment"] == 1
            assert found["rest_client_requests_total", "201", "127.0.0.1:6443", "POST"] >= 3
            assert found["process_resident_memory_bytes",] > 0

    asyncio.run(scenario())


async def _monitor(admin: ApiClient) -> str:
    """The token of an account with upstream's role for monitoring."""
    await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "monitor"}}, namespace="default")
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:monitoring"}
    subjects = [{"kind": "ServiceAccount", "name": "monitor", "namespace": "default"}]
    await admin.create(BINDINGS, {"metadata": {"name": "monitor"}, "roleRef": role, "subjects": subjects})
    path = SERVICE_ACCOUNTS.path("default", "monitor", "token")
    body = orjson.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    answer = await admin.raw("POST", path, body=body, headers={"content-type": "application/json"})
    assert isinstance(answer.body, bytes)
    token: str = orjson.loads(answer.body)["status"]["token"]
    return token


def _samples(text: str):  # type: ignore[no-untyped-def]
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]
