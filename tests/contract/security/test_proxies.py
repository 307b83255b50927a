"""Where a tenant may make the API server connect to, and what it shows there."""

import asyncio
import contextlib
from types import SimpleNamespace

import pytest
from running_server import ADMIN, ALICE, MERGE, running

from cybernetes.apiserver.outbound import is_proxyable
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.message import Request, Response
from cybernetes.wire.http.server import HttpServer

SHOP = "/api/v1/namespaces/shop"
CONNECT = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
FORBIDDEN = ["127.0.0.1", "127.1.2.3", "169.254.169.254", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "fe80::1"]
FORBIDDEN += ["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::", "ff02::1", "localhost", "10.0.0.1@127.0.0.1"]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_requests_go_to_no_address_of_the_server_itself(address):
    assert not is_proxyable(address)


@pytest.mark.parametrize("address", ["10.244.0.7", "192.168.1.4", "100.64.0.1", "8.8.8.8", "fd00::7", "[fd00::7]"])
def test_requests_go_to_pods(address):
    assert is_proxyable(address)


class Elsewhere:
    """Transports that remember where they were to lead, and answer a redirect."""

    def __init__(self, location="http://169.254.169.254/latest"):
        self.asked = []
        self.location = location

    def to_kubelet(self, node, url):
        self.asked.append(("kubelet", url))
        return self

    def to_workload(self, url):
        self.asked.append(("workload", url))
        return self

    async def send(self, request):
        return Response(302, [("Location", self.location), ("X-Kept", "yes")], b"")


def run(scenario, elsewhere=None):
    async def go():
        async with running() as server:
            outbound = elsewhere or Elsewhere()
            server.server.core.outbound = outbound
            await server.namespace("shop")
            await server.grant("all", CONNECT)
            await scenario(server, outbound)

    asyncio.run(go())


def pod(name="web"):
    containers = [{"name": "c", "image": "app", "ports": [{"containerPort": 8080}]}]
    return {"metadata": {"name": name}, "spec": {"containers": containers, "nodeName": "n"}}


async def placed(server, address, name="web"):
    """A pod that says it has this address."""
    await server.make(f"{SHOP}/pods", pod(name))
    status = {"status": {"podIP": address, "podIPs": [{"ip": address}]}}
    return await server.ask("PATCH", f"{SHOP}/pods/{name}/status", status, content=MERGE)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "0.0.0.0"])
def test_a_pod_that_says_it_is_at_the_servers_address_is_not_asked(address):
    async def scenario(server, outbound):
        await placed(server, address)
        for name in ("web", "web:8080", "https:web:10250", "http:web:6443"):
            answer = await server.ask("GET", f"{SHOP}/pods/{name}/proxy/", user=ALICE)
            assert answer.code == 400
        assert outbound.asked == []

    run(scenario)


PORTS = ["80@127.0.0.1", "443@evil.test", "80/x", "80#", "80?x", "0x50", "80 ", "-1", "8\r\n0", "999999", "[::1]"]


@pytest.mark.parametrize("kind", ["pods", "services", "nodes"])
def test_a_port_is_nothing_but_a_port(kind):
    """`10.0.0.1:80@127.0.0.1` is a user and a password in a URL, and a host behind it."""

    async def scenario(server, outbound):
        await placed(server, "10.244.0.7")
        await server.make(f"{SHOP}/services", {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}})
        await node(server, "10.1.1.1")
        base = "/api/v1/nodes/n" if kind == "nodes" else f"{SHOP}/{kind}/web"
        for port in PORTS:
            answer = await server.ask("GET", f"{base}:{port}/proxy/", user=ALICE)
            assert (port, answer.code) == (port, answer.code if 400 <= answer.code < 600 else "passed on")
        assert all("@" not in url and url.rpartition(":")[2].isdigit() for _, url in outbound.asked)
        assert all(url.split("//")[1].startswith(("10.244.0.7:", "10.1.1.1:")) for _, url in outbound.asked)

    run(scenario)


async def node(server, address, kind="InternalIP"):
    await server.make("/api/v1/nodes", {"metadata": {"name": "n"}})
    status = {"addresses": [{"type": kind, "address": address}]}
    assert (await server.ask("PATCH", "/api/v1/nodes/n/status", {"status": status}, content=MERGE)).code == 200


def test_the_kubelets_credential_is_shown_to_kubelets_only():
    async def scenario(server, outbound):
        await node(server, "10.1.1.1")
        await placed(server, "10.1.1.1")
        await server.ask("GET", f"{SHOP}/pods/https:web:10250/proxy/runningpods/", user=ALICE)
        await server.ask("GET", "/api/v1/nodes/https:n:6443/proxy/", user=ALICE)
        await server.ask("GET", "/api/v1/nodes/n/proxy/stats/summary", user=ALICE)
        assert outbound.asked == [
            ("workload", "https://10.1.1.1:10250"),
            ("workload", "https://10.1.1.1:6443"),
            ("kubelet", "https://10.1.1.1:10250"),
        ]

    run(scenario)


def test_a_node_at_the_servers_address_is_asked_at_its_kubelets_port_only():
    """There the certificate must name the node; behind other ports anybody may answer."""

    async def scenario(server, outbound):
        await node(server, "127.0.0.1")
        assert (await server.ask("GET", "/api/v1/nodes/n:6443/proxy/", user=ALICE)).code == 400
        assert outbound.asked == []

    run(scenario)


def test_endpoints_that_are_no_pods_are_not_asked():
    async def scenario(server, outbound):
        await server.make(f"{SHOP}/services", {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}})
        await placed(server, "10.244.0.7")
        slices = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
        shape = {"metadata": {"labels": {"kubernetes.io/service-name": "web"}}, "addressType": "IPv4"}
        refused = []
        for n, (address, target) in enumerate(
            [
                ("127.0.0.1", None),
                ("169.254.169.254", None),
                ("10.9.9.9", None),
                ("10.9.9.9", "web"),
                ("10.9.9.9", "none"),
            ]
        ):
            endpoint = {"addresses": [address]}
            if target:
                endpoint["targetRef"] = {"kind": "Pod", "name": target, "namespace": "shop"}
            metadata = {**shape["metadata"], "name": f"s{n}"}
            made = {**shape, "metadata": metadata, "endpoints": [endpoint], "ports": [{"port": 6443}]}
            answer = await server.ask("POST", slices, made, user=ALICE)
            refused += [address] if answer.code == 422 else []
        assert refused == ["127.0.0.1", "169.254.169.254"]
        subsets = [{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": 1}]}]
        endpoints = {"metadata": {"name": "web"}, "subsets": subsets}
        assert (await server.ask("POST", f"{SHOP}/endpoints", endpoints, user=ALICE)).code == 422
        answer = await server.ask("GET", f"{SHOP}/services/web/proxy/", user=ALICE)
        assert (answer.code, outbound.asked) == (503, [])
        good = {"addresses": ["10.244.0.7"], "targetRef": {"kind": "Pod", "name": "web", "namespace": "shop"}}
        metadata = {**shape["metadata"], "name": "good"}
        await server.make(slices, {**shape, "metadata": metadata, "endpoints": [good], "ports": [{"port": 8080}]})
        await server.ask("GET", f"{SHOP}/services/web/proxy/", user=ALICE)
        assert outbound.asked == [("workload", "http://10.244.0.7:8080")]

    run(scenario)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("http://169.254.169.254/latest", None),
        ("//evil.test/x", None),
        ("https://10.244.0.7:8080/x", None),
        ("http://10.244.0.7:8080/x?y=1", f"{SHOP}/pods/web/proxy/x?y=1"),
        ("/login", f"{SHOP}/pods/web/proxy/login"),
        ("login", "login"),
    ],
)
def test_a_redirect_of_a_pod_stays_with_the_pod(location, shown):
    async def scenario(server, outbound):
        await placed(server, "10.244.0.7")
        request = Request("GET", f"{SHOP}/pods/web/proxy/a/b", headers={"accept": "*/*"})
        answer = await server.server.handle_as(ALICE, request)
        assert answer.status == 302
        assert dict(answer.headers).get("Location") == shown
        assert dict(answer.headers)["X-Kept"] == "yes"
        assert len(outbound.asked) == 1

    run(scenario, Elsewhere(location))


def test_a_kubelet_that_redirects_is_not_followed_nor_passed_on():
    async def scenario(server, outbound):
        await node(server, "10.1.1.1")
        await server.make(f"{SHOP}/pods", pod())
        for path, query in (
            ("log", {}),
            ("exec", {"command": "id", "stdout": "1"}),
            ("attach", {"stdout": "1"}),
            ("portforward", {}),
        ):
            answer = await server.ask(
                "POST" if path != "log" else "GET", f"{SHOP}/pods/web/{path}", user=ALICE, query=query
            )
            assert (path, answer.code) == (path, 502)
            assert "attempted to redirect" in answer.message
        assert {url for _, url in outbound.asked} == {"https://10.1.1.1:10250"}

    run(scenario)


@pytest.mark.parametrize(
    "rest",
    ["exec/shop/web/c", "x/../exec/shop/web/c", "%65xec/shop/web/c", ".//run/shop/web/c", "EXEC/a/b/c", "x\\exec"],
)
def test_no_spelling_of_a_path_lets_readers_act_on_a_node(rest):
    async def scenario():
        async with running() as server:
            server.server.core.outbound = outbound = Elsewhere()
            await node(server, "10.1.1.1")
            await server.grant("reader", {"verbs": ["get"], "apiGroups": [""], "resources": ["nodes/proxy"]})
            answer = await server.ask("GET", f"/api/v1/nodes/n/proxy/{rest}", user=ALICE)
            assert (answer.code, outbound.asked) == (403, [])

    asyncio.run(scenario())


def test_names_that_resolve_to_the_server_itself_can_not_be_reached():
    """What a name means is looked up once, checked, and that address is dialled."""

    async def scenario():
        asked = []

        async def handle(request):
            asked.append(request.path)
            return Response(200, [], b"inside")

        http = HttpServer(handle)
        port = await http.listen("127.0.0.1", 0)
        try:
            async with running() as server:
                await node(server, "localhost", "Hostname")
                answer = await server.ask("GET", f"/api/v1/nodes/n:{port}/proxy/")
                assert (answer.code, asked) == (503, [])
        finally:
            await http.stop(0)

    asyncio.run(scenario())


def test_what_a_pod_answers_is_handed_on_not_kept():
    """A pod that answers without end costs no memory here, and ends with its client."""

    async def scenario():
        async def endless(reader, writer):
            head = await reader.readuntil(b"\r\n\r\n")
            asked.append(head.lower())
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (3 << 30))
            with contextlib.suppress(OSError):
                while not ended.is_set():
                    writer.write(b"x" * 65536)
                    sent.append(65536)
                    await asyncio.sleep(0)
                    await writer.drain()
            writer.close()

        asked, sent, ended = [], [], asyncio.Event()
        pod_server = await asyncio.start_server(endless, "127.0.0.1", 0)
        port = pod_server.sockets[0].getsockname()[1]
        transport = HttpTransport(f"http://127.0.0.1:{port}", streamed=True)
        try:
            async with running() as server:
                await server.namespace("shop")
                await placed(server, "10.244.0.7")
                server.server.core.outbound = SimpleNamespace(to_workload=lambda url: transport)
                headers = {"accept": "*/*", "x-remote-user": "admin", "impersonate-user": "admin", "authorization": "b"}
                request = Request("GET", f"{SHOP}/pods/web/proxy/", headers={**headers, "x-mine": "yes"})
                answer = await server.server.handle_as(ADMIN, request)
                assert answer.status in (200, 403)
                del request.headers["impersonate-user"]
                answer = await server.server.handle_as(ADMIN, request)
                assert not isinstance(answer.body, bytes)
                first = await anext(answer.body)
                assert set(first) == {ord("x")}
                await answer.body.aclose()
                assert sum(sent) < 64 << 20
                assert b"x-mine" in asked[-1]
                assert not any(each in asked[-1] for each in (b"x-remote", b"impersonate", b"authorization"))
        finally:
            ended.set()
            await transport.close()
            pod_server.close()

    asyncio.run(scenario())
