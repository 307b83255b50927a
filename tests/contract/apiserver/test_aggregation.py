"""Groups of other API servers: requests are passed on with their user, and discovery knows of them."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from pathlib import Path

import orjson
import pytest
from calls import Client, Object

from apiserver_fixture import RunningApi, serving_apiserver
from cybernetes.apiserver.aggregate import loop
from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.wire.http.message import Request, Response
from cybernetes.wire.http.server import HttpServer
from cybernetes.wire.http.tls import server_context

PATH = "/apis/ext.test/v1"
LISTING = {
    "kind": "APIResourceList",
    "groupVersion": "ext.test/v1",
    "resources": [
        {"name": "things", "singularName": "thing", "namespaced": True, "kind": "Thing", "verbs": ["get", "list"]}
    ],
}


SCHEMA = f"/openapi/v3{PATH}"
INDEX = {
    "paths": {PATH[1:]: {"serverRelativeURL": f"{SCHEMA}?hash=A1"}, "apis": {"serverRelativeURL": "/openapi/v3/apis"}}
}


class Extension:
    def __init__(self) -> None:
        self.asked: list[Request] = []

    async def handle(self, request: Request) -> Response:
        self.asked.append(request)
        if request.path.endswith("/moved"):
            return Response(307, [("Location", "https://169.254.169.254/")], b"")
        others = {"kind": "ThingList", "items": [], "path": request.path}
        body = {PATH: LISTING, "/openapi/v3": INDEX, SCHEMA: {"openapi": "3.0.0"}}.get(request.path, others)
        return Response(200, [("Content-Type", "application/json")], orjson.dumps(body))


async def install(api: RunningApi, client: Client, port: int) -> None:
    path = await client.namespace("shop")
    spec = {"ports": [{"name": "https", "port": 443}]}
    await client.ok("POST", f"{path}/services", {"metadata": {"name": "ext"}, "spec": spec})
    piece: Object = {
        "metadata": {"name": "ext", "labels": {"kubernetes.io/service-name": "ext"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port}],
    }
    # Addresses of a machine itself are refused in slices, so the cached one is made to name it.
    await client.ok("POST", "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices", {**piece, "endpoints": []})
    state = api.server.core.caches.of("discovery.k8s.io", "endpointslices").state
    item = state.get("shop/ext")
    assert item is not None
    item.json = item.json.replace(b'"endpoints":[]', b'"endpoints":' + orjson.dumps(piece["endpoints"]))
    if b"127.0.0.1" not in item.json:
        item.json = item.json.replace(b'"endpoints":null', b'"endpoints":' + orjson.dumps(piece["endpoints"]))


def api_service(ca: bytes) -> Object:
    spec = {
        "group": "ext.test",
        "version": "v1",
        "service": {"namespace": "shop", "name": "ext"},
        "caBundle": b64encode(ca).decode(),
        "groupPriorityMinimum": 1000,
        "versionPriority": 10,
    }
    return {"metadata": {"name": "v1.ext.test"}, "spec": spec}


async def condition(client: Client, status: str) -> Object:
    for _ in range(600):
        found = await client.ok("GET", "/apis/apiregistration.k8s.io/v1/apiservices/v1.ext.test")
        conditions = found.get("status", {}).get("conditions") or []
        if conditions and conditions[0]["status"] == status:
            first: Object = conditions[0]
            return first
        await asyncio.sleep(0.1)
    raise AssertionError(f"never {status}: {conditions}")


def test_requests_reach_the_other_server_with_their_user(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving_apiserver(tmp_path) as api:
            extension, tls = Extension(), serving_context(api, tmp_path)
            http = HttpServer(extension.handle)
            port = await http.listen("127.0.0.1", 0, tls)
            transport = api.transport()
            client = Client(transport)
            try:
                await client.ok("POST", "/apis/apiregistration.k8s.io/v1/apiservices", api_service(api.ca))
                assert (await client.send("GET", f"{PATH}/things")).status == 503
                assert (await condition(client, "False"))["reason"] == "ServiceNotFound"
                await install(api, client, port)
                assert (await condition(client, "True"))["reason"] == "Passed"
                found = await client.ok("GET", f"{PATH}/namespaces/shop/things", limit="5")
                assert found["path"] == f"{PATH}/namespaces/shop/things"
                asked = extension.asked[-1]
                assert asked.headers["x-remote-user"] == "kubernetes-admin"
                assert "system:masters" in asked.headers["x-remote-group"]
                assert asked.param("limit") == "5"
                assert (await client.ok("GET", PATH))["groupVersion"] == "ext.test/v1"
                moved = await client.send("GET", f"{PATH}/namespaces/shop/things/moved")
                refused = b"the backend attempted to redirect this request, which is not permitted\n"
                assert (moved.status, moved.body) == (502, refused)
                assert "location" not in {name.lower() for name, _ in moved.headers}
                answer = await client.send("GET", f"{PATH}/namespaces/shop/things")
                assert [name.lower() for name, _ in answer.headers].count("date") == 1
                groups = await client.ok("GET", "/apis")
                assert "ext.test" in [group["name"] for group in groups["groups"]]
                index = (await client.ok("GET", "/openapi/v3"))["paths"]
                assert index[PATH[1:]] == INDEX["paths"][PATH[1:]] and index["apis"] != INDEX["paths"]["apis"]
                assert await client.ok("GET", SCHEMA, hash="A1") == {"openapi": "3.0.0"}
                assert extension.asked[-1].param("hash") == "A1"
            finally:
                await transport.close()
                await http.stop(1)

    asyncio.run(main())


def test_a_changed_service_or_endpoint_is_noticed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "EVERY_S", 3600.0)

    async def main() -> None:
        async with serving_apiserver(tmp_path) as api:
            transport = api.transport()
            client = Client(transport)
            slices = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
            try:
                path = await client.namespace("shop")
                await client.ok("POST", "/apis/apiregistration.k8s.io/v1/apiservices", api_service(api.ca))
                await reason(client, "ServiceNotFound")
                service = {"metadata": {"name": "ext"}, "spec": {"ports": [{"name": "https", "port": 443}]}}
                await client.ok("POST", f"{path}/services", service)
                await reason(client, "EndpointsNotFound")
                labels = {"kubernetes.io/service-name": "ext"}
                piece: Object = {"metadata": {"name": "ext", "labels": labels}, "addressType": "IPv4", "endpoints": []}
                await client.ok("POST", slices, piece)
                await reason(client, "MissingEndpoints")
                await client.ok("DELETE", f"{slices}/ext")
                await reason(client, "EndpointsNotFound")
                await client.ok("DELETE", f"{path}/services/ext")
                await reason(client, "ServiceNotFound")
            finally:
                await transport.close()

    asyncio.run(main())


def test_a_condition_that_somebody_took_away_is_back_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "EVERY_S", 3600.0)

    async def main() -> None:
        async with serving_apiserver(tmp_path) as api:
            transport = api.transport()
            client = Client(transport)
            services = "/apis/apiregistration.k8s.io/v1/apiservices"
            try:
                await client.ok("POST", services, api_service(api.ca))
                await reason(client, "ServiceNotFound")
                other = {"type": "StatusPatched", "status": "True", "reason": "Other"}
                await client.ok("PATCH", f"{services}/v1.ext.test/status", {"status": {"conditions": [other]}})
                await reason(client, "Other", "ServiceNotFound")
            finally:
                await transport.close()

    asyncio.run(main())


def test_a_server_that_comes_up_after_its_endpoints_is_asked_again_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "EVERY_S", 3600.0)

    async def main() -> None:
        async with serving_apiserver(tmp_path) as api:
            tls = serving_context(api, tmp_path)
            early, http = HttpServer(Extension().handle), HttpServer(Extension().handle)
            port = await early.listen("127.0.0.1", 0, tls)
            await early.stop(1)
            transport = api.transport()
            client = Client(transport)
            try:
                await install(api, client, port)
                await client.ok("POST", "/apis/apiregistration.k8s.io/v1/apiservices", api_service(api.ca))
                await reason(client, "FailedDiscoveryCheck")
                await http.listen("127.0.0.1", port, tls)
                await reason(client, "Passed")
            finally:
                await transport.close()
                await http.stop(1)

    asyncio.run(main())


def serving_context(api: RunningApi, folder: Path) -> ssl.SSLContext:
    """Of the other server, by the authority that its APIService names."""
    terms = pki.Terms(SystemClock().now(), SystemRandom())
    serving = pki.serving(api.authority, "ext", terms, names=("ext.shop.svc",))
    certificate, key = folder / "ext.crt", folder / "ext.key"
    certificate.write_bytes(serving.certificate)
    key.write_bytes(serving.key)
    return server_context(certificate, key)


async def reason(client: Client, *wanted: str) -> None:
    found: list[str] = []
    for _ in range(1200):
        read = await client.ok("GET", "/apis/apiregistration.k8s.io/v1/apiservices/v1.ext.test")
        found = [each["reason"] for each in read.get("status", {}).get("conditions") or ()]
        if found == [*wanted]:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{found}, not {wanted}")


def test_a_new_api_service_is_asked_for_before_the_next_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "EVERY_S", 3600.0)

    async def main() -> None:
        async with serving_apiserver(tmp_path) as api:
            transport = api.transport()
            client = Client(transport)
            try:
                # Past the first round, which asks for all that there are.
                await client.ok("POST", "/apis/apiregistration.k8s.io/v1/apiservices", api_service(api.ca))
                assert (await condition(client, "False"))["reason"] == "ServiceNotFound"
                other = api_service(api.ca)
                other["metadata"]["name"], other["spec"]["version"] = "v2.ext.test", "v2"
                found = await client.ok("POST", "/apis/apiregistration.k8s.io/v1/apiservices", other)
                async with asyncio.timeout(60):
                    while not (found.get("status") or {}).get("conditions"):
                        await asyncio.sleep(0.02)
                        found = await client.ok("GET", "/apis/apiregistration.k8s.io/v1/apiservices/v2.ext.test")
                assert [each["reason"] for each in found["status"]["conditions"]] == ["ServiceNotFound"]
            finally:
                await transport.close()

    asyncio.run(main())
