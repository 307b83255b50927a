"""Logs, exec and proxies: what the API server passes on to a kubelet, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from calls import Client, pod

from apiserver_fixture import RunningApi, serving_apiserver
from cybernetes.apiserver.admission.attributes import AdmissionAttributes
from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.wire.http.message import Duplex, Request, Response
from cybernetes.wire.http.server import HttpServer
from cybernetes.wire.http.tls import client_context, server_context


class Kubelet:
    """Answers logs with two chunks, upgrades exec to an echo, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    async def handle(self, request: Request) -> Response:
        self.asked.append(request)
        if request.path.startswith("/containerLogs/shop/broken"):
            return Response(
                400, [("Content-Type", "text/plain")], b'container "app" in pod "broken" is waiting to start'
            )
        if request.path.startswith("/containerLogs/"):
            return Response(200, [("Content-Type", "text/plain")], self._lines())
        if request.path.startswith("/exec/"):
            return Response(101, [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1")], upgrade=self._echo)
        return Response(200, [("Content-Type", "text/plain")], f"{request.method} {request.path}".encode())

    async def _lines(self):  # type: ignore[no-untyped-def]
        yield b"first\n"
        await asyncio.sleep(0)
        yield b"second\n"

    async def _echo(self, duplex: Duplex) -> None:
        while data := await duplex.read():
            await duplex.write(data.upper())
            if b"bye" in data:
                return


def run(folder: Path, test: Callable[[RunningApi, Client, Kubelet], Awaitable[None]]) -> None:
    async def main() -> None:
        async with serving_apiserver(folder) as api:
            kubelet = Kubelet()
            terms = pki.Terms(SystemClock().now(), SystemRandom())
            serving = pki.serving(api.authority, "system:node:n", terms, addresses=("127.0.0.1",))
            certificate, key = folder / "kubelet.crt", folder / "kubelet.key"
            certificate.write_bytes(serving.certificate)
            key.write_bytes(serving.key)
            http = HttpServer(kubelet.handle)
            port = await http.listen("127.0.0.1", 0, server_context(certificate, key, api.ca))
            transport = api.transport()
            client = Client(transport)
            await _place(client, port)
            try:
                await test(api, client, kubelet)
            finally:
                await transport.close()
                await http.stop(1)

    asyncio.run(main())


async def _place(client: Client, port: int) -> None:
    """A node with this kubelet, and two pods on it."""
    await client.ok("POST", "/api/v1/nodes", {"metadata": {"name": "n"}})
    addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
    status = {"addresses": addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}
    await client.ok("PATCH", "/api/v1/nodes/n/status", {"status": status})
    path = await client.namespace("shop")
    for name in ("web", "broken"):
        await client.ok("POST", f"{path}/pods", pod(name, nodeName="n"))
    await client.ok("POST", f"{path}/pods", pod("waiting"))


def test_logs_stream_from_the_kubelet(tmp_path: Path) -> None:
    async def test(api: RunningApi, client: Client, kubelet: Kubelet) -> None:
        answer = await client.send("GET", "/api/v1/namespaces/shop/pods/web/log", follow="true", tailLines="5")
        assert answer.status == 200
        assert not isinstance(answer.body, bytes)
        assert b"".join([chunk async for chunk in answer.body]) == b"first\nsecond\n"
        asked = kubelet.asked[-1]
        assert asked.path == "/containerLogs/shop/web/app"
        assert asked.param("tailLines") == "5"
        # The kubelet must know the API server, not the client, by its certificate.
        assert asked.certificate is not None
        assert "authorization" not in asked.headers

    run(tmp_path, test)


def test_failures_of_logs(tmp_path: Path) -> None:
    async def test(api: RunningApi, client: Client, kubelet: Kubelet) -> None:
        path = "/api/v1/namespaces/shop/pods"
        status, refused = await client.call("GET", f"{path}/broken/log")
        assert (status, refused["reason"]) == (400, "BadRequest")
        assert refused["message"].endswith("is waiting to start")
        assert (await client.call("GET", f"{path}/absent/log"))[0] == 404
        status, refused = await client.call("GET", f"{path}/web/log", container="nope")
        assert (status, refused["message"]) == (400, "container nope is not valid for pod web")
        status, refused = await client.call("GET", f"{path}/web/log", tailLines="-1")
        assert (status, refused["details"]["causes"][0]["field"]) == (422, "tailLines")
        status, refused = await client.call("GET", f"{path}/web/log", sinceTime="x")
        layout = '"2006-01-02T15:04:05Z07:00"'
        assert (status, refused["message"]) == (400, f'parsing time "x" as {layout}: cannot parse "x" as "2006"')
        status, refused = await client.call("GET", f"{path}/web/log", stream="Foo")
        assert status == 422
        assert 'stream: Unsupported value: "Foo": supported values: "All", "Stderr", "Stdout"' in refused["message"]
        status, refused = await client.call("GET", f"{path}/web/log", stream="Stdout", tailLines="3")
        assert "`tailLines` and specific `stream` are mutually exclusive for now" in refused["message"]
        empty = await client.send("GET", f"{path}/waiting/log")
        assert (empty.status, empty.body) == (200, b"")

    run(tmp_path, test)


def test_exec_joins_both_connections(tmp_path: Path) -> None:
    async def test(api: RunningApi, client: Client, kubelet: Kubelet) -> None:
        # Clients in Python write their own True and False; any text but two means yes.
        query = {"command": ["cat"], "stdin": ["1"], "stdout": ["True"], "stderr": ["False"], "tty": ["0"]}
        headers = {"connection": "Upgrade", "upgrade": "SPDY/3.1", "x-stream-protocol-version": "v4.channel.k8s.io"}
        request = Request("POST", "/api/v1/namespaces/shop/pods/web/exec", query, headers)
        answer = await client.transport.send(request)
        assert answer.status == 101
        assert answer.upgrade is not None
        peer = Pipe([b"hello ", b"bye"])
        async with asyncio.timeout(60):
            await answer.upgrade(peer)
        assert b"".join(peer.received) == b"HELLO BYE"
        asked = kubelet.asked[-1]
        assert asked.path == "/exec/shop/web/app"
        assert asked.query == {"command": ["cat"], "input": ["1"], "output": ["1"]}
        assert asked.headers["x-stream-protocol-version"] == "v4.channel.k8s.io"

    run(tmp_path, test)


def test_what_admission_makes_of_a_command_is_run(tmp_path: Path) -> None:
    class Changing:
        async def mutate(self, attributes: AdmissionAttributes) -> None:
            attributes.new.update(command=["id", "-u"], stdin=False)

        async def validate(self, attributes: AdmissionAttributes) -> None:
            assert attributes.new["command"] == ["id", "-u"]

    async def test(api: RunningApi, client: Client, kubelet: Kubelet) -> None:
        api.server.core.admission = Changing()
        headers = {"connection": "Upgrade", "upgrade": "SPDY/3.1", "x-stream-protocol-version": "v4.channel.k8s.io"}
        query = {"command": ["sh"], "stdin": ["true"], "stdout": ["true"]}
        answer = await client.transport.send(Request("POST", "/api/v1/namespaces/shop/pods/web/exec", query, headers))
        assert answer.status == 101 and answer.upgrade is not None
        assert kubelet.asked[-1].query == {"command": ["id", "-u"], "output": ["1"]}
        async with asyncio.timeout(60):
            await answer.upgrade(Pipe([b"bye"]))

    run(tmp_path, test)


class Pipe:
    """The client's end: says its lines one after the other, then listens until it was answered in full."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines
        self._wanted = sum(map(len, lines))
        self.received: list[bytes] = []
        self._complete = asyncio.Event()

    async def read(self) -> bytes:
        if self._lines:
            return self._lines.pop(0)
        await self._complete.wait()
        return b""

    async def write(self, data: bytes) -> None:
        self.received.append(data)
        if sum(map(len, self.received)) >= self._wanted:
            self._complete.set()

    async def close(self) -> None:
        return None


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"command": ["x"]}, "you must specify at least 1 of stdin, stdout, stderr"),
        ({"stdout": ["1"]}, "command: Required value"),
    ],
)
def test_exec_checks_its_options_before_the_upgrade(tmp_path: Path, query: dict[str, list[str]], message: str) -> None:
    async def test(api: RunningApi, client: Client, kubelet: Kubelet) -> None:
        request = Request("POST", "/api/v1/namespaces/shop/pods/web/exec", query, {"upgrade": "SPDY/3.1"})
        answer = await client.transport.send(request)
        assert answer.status == 400
        assert isinstance(answer.body, bytes)
        assert message in answer.body.decode()

    run(tmp_path, test)


def test_proxies_keep_method_and_path(tmp_path: Path) -> None:
    async def test(api: RunningApi, client: Client, kubelet: Kubelet) -> None:
        answer = await client.send("GET", "/api/v1/nodes/n/proxy/stats/summary")
        assert answer.body == b"GET /stats/summary"
        path = "/api/v1/namespaces/shop/services/web/proxy/"
        await client.ok(
            "POST", "/api/v1/namespaces/shop/services", {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
        )
        status, refused = await client.call("GET", path)
        assert (status, refused["message"]) == (503, 'no endpoints available for service "web"')
        for port, why in (
            ("81", 'no service port 81 found for service "web"'),
            ("http", 'no endpoints available for service "web:http"'),
        ):
            status, refused = await client.call("GET", path.replace("web", f"web:{port}"))
            assert (status, refused["message"]) == (503, why)

    run(tmp_path, test)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_page_without_a_path_is_moved_to_its_folder(tmp_path: Path, method: str) -> None:
    async def test(api: RunningApi, client: Client, kubelet: Kubelet) -> None:
        request = Request(method, "/api/v1/nodes/n/proxy", {"method": [method]}, {})
        answer = await client.transport.send(request)
        assert (answer.status, dict(answer.headers)["Location"]) == (301, f"/api/v1/nodes/n/proxy/?method={method}")
        assert (await client.send("POST", "/api/v1/nodes/n/proxy")).body == b"POST /"

    run(tmp_path, test)


def test_what_follows_an_upgrade_that_failed_goes_nowhere(tmp_path: Path) -> None:
    """CVE-2018-1002105: the other side of a refused upgrade gets no bytes of the client's as if they were requests."""

    async def test(api: RunningApi, client: Client, kubelet: Kubelet) -> None:
        host, _, port = api.url.removeprefix("https://").partition(":")
        tls = client_context(api.ca, api.certificate, api.key)
        reader, writer = await asyncio.open_connection(host, int(port), ssl=tls)
        sneaked = "GET /runningpods/ HTTP/1.1\r\nHost: x\r\n\r\n"
        path = "/api/v1/nodes/n/proxy/pods"
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n{sneaked}".encode()
        )
        async with asyncio.timeout(60):
            first = await reader.readuntil(b"\r\n")
            assert b" 200 " in first
            # What comes behind is a request to the API server, and it has no such path.
            rest = b""
            while b" 404 " not in rest:
                part = await reader.read(4096)
                assert part, rest
                rest += part
        writer.close()
        assert [each.path for each in kubelet.asked] == ["/pods"]

    run(tmp_path, test)
