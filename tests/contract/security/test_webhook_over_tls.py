"""A webhook behind TLS, asked by a whole API server."""

import asyncio
import json
from base64 import b64encode

import pytest
from running_server import running

from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.wire.http.message import Response
from cybernetes.wire.http.server import HttpServer
from cybernetes.wire.http.tls import server_context

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/{}webhookconfigurations"
CONFIG_MAPS = "/api/v1/namespaces/shop/configmaps"


async def judge(request):
    """Refuses what is named bad; labels everything else."""
    asked = json.loads(request.body)["request"]
    bad = asked["object"]["metadata"].get("name") == "bad"
    operations = [{"op": "add", "path": "/metadata/labels", "value": {"seen": asked["userInfo"]["username"]}}]
    response = {"uid": asked["uid"], "allowed": not bad, "status": {"message": "bad name"}}
    if request.path == "/mutate":
        patch = b64encode(json.dumps(operations).encode()).decode()
        response = {"uid": asked["uid"], "allowed": True, "patchType": "JSONPatch", "patch": patch}
    review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response}
    return Response(200, [("Content-Type", "application/json")], json.dumps(review).encode())


def configuration(kind, url, ca):
    rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    hook = {
        "name": f"{kind.lower()}.example.test",
        "clientConfig": {"url": url, "caBundle": b64encode(ca).decode()},
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": kind.lower()},
        "webhooks": [hook],
    }


def config_map(name):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {}}


@pytest.fixture
def served(tmp_path):
    terms = pki.Terms(SystemClock().now(), SystemRandom())
    ca = pki.ca("hooks", terms)
    serving = pki.serving(ca, "hook", terms, addresses=["127.0.0.1"])
    (tmp_path / "hook.crt").write_bytes(serving.certificate)
    (tmp_path / "hook.key").write_bytes(serving.key)
    return ca.certificate, server_context(tmp_path / "hook.crt", tmp_path / "hook.key")


def test_hooks_change_and_refuse_over_tls(served):
    ca, tls = served

    async def scenario():
        http = HttpServer(judge)
        port = await http.listen("127.0.0.1", 0, tls)
        try:
            async with running() as server:
                await server.namespace("shop")
                await server.namespace("other")
                for kind, path in (("Mutating", "/mutate"), ("Validating", "/validate")):
                    made = configuration(kind, f"https://127.0.0.1:{port}{path}", ca)
                    await server.make(CONFIGURATIONS.format(kind.lower()), made)
                await server.server.core.consistent()
                good = await server.make(CONFIG_MAPS, config_map("good"))
                assert good["metadata"]["labels"] == {"seen": "admin"}
                bad = await server.ask("POST", CONFIG_MAPS, config_map("bad"))
                assert bad.message == 'admission webhook "validating.example.test" denied the request: bad name'
                elsewhere = await server.ask("POST", CONFIG_MAPS.replace("shop", "other"), config_map("bad"))
                assert elsewhere.code == 201
        finally:
            await http.stop(0)

    asyncio.run(scenario())


def test_a_hook_with_another_certificate_is_not_believed(served):
    _, tls = served
    stranger = pki.ca("stranger", pki.Terms(SystemClock().now(), SystemRandom())).certificate

    async def scenario():
        http = HttpServer(judge)
        port = await http.listen("127.0.0.1", 0, tls)
        try:
            async with running() as server:
                await server.namespace("shop")
                made = configuration("Validating", f"https://127.0.0.1:{port}/validate", stranger)
                await server.make(CONFIGURATIONS.format("validating"), made)
                await server.server.core.consistent()
                answer = await server.ask("POST", CONFIG_MAPS, config_map("good"))
                assert answer.code == 500
                assert 'failed calling webhook "validating.example.test"' in answer.message
        finally:
            await http.stop(0)

    asyncio.run(scenario())
