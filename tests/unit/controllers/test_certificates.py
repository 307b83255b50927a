"""Certificate requests are approved, signed and forgotten; token Secrets are filled."""

from __future__ import annotations

import base64
import functools
from typing import Any

import orjson
import pytest
import virtual
from world import World, view_of

from cybernetes.auth import pki
from cybernetes.auth.tokens import Issuer
from cybernetes.base.clock import rfc3339
from cybernetes.base.random import SeededRandom
from cybernetes.controllers.certificates import plan
from cybernetes.controllers.certificates.loop import Approver, Cleaner, Signer
from cybernetes.controllers.certificates.plan import Csr
from cybernetes.controllers.serviceaccount.tokens import TokenSecretController
from cybernetes.wire.http.message import Request, Response

RANDOM = SeededRandom(3)
KEY = pki.new_key(RANDOM)
AUTHORITY = pki.ca("test", pki.Terms(virtual.EPOCH, RANDOM))
CLIENT_USAGES = ("digital signature", "client auth")
SERVER_USAGES = ("digital signature", "key encipherment", "server auth")


def csr(
    common_name: str = "system:node:a",
    organization: str = "system:nodes",
    *,
    signer: str = plan.KUBELET_CLIENT,
    usages: tuple[str, ...] = CLIENT_USAGES,
    username: str = "system:node:a",
    names: tuple[str, ...] = (),
    addresses: tuple[str, ...] = (),
) -> dict[str, Any]:
    organizations = (organization,) if organization else ()
    pem = pki.request(KEY, common_name, organizations, names=names, addresses=addresses)
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "csr"},
        "spec": {
            "request": base64.b64encode(pem).decode(),
            "signerName": signer,
            "usages": list(usages),
            "username": username,
        },
    }


@pytest.mark.parametrize(
    ("request_", "trouble"),
    [
        (csr(), ""),
        (csr(usages=(*CLIENT_USAGES, "key encipherment")), ""),
        (csr(organization="x"), "subject organization is not system:nodes"),
        (csr("a"), "subject common name does not begin with system:node:"),
        (csr(names=("a.example",)), "DNS subjectAltNames are not allowed"),
        (csr(usages=SERVER_USAGES), "usages did not match [client auth digital signature key encipherment]"),
        (csr(signer=plan.KUBELET_SERVING, usages=SERVER_USAGES, names=("a.example",)), ""),
        (csr(signer=plan.KUBELET_SERVING, usages=SERVER_USAGES), "DNS or IP subjectAltName is required"),
        (csr("jane", "devs", signer=plan.CLIENT), ""),
        (
            csr("jane", "devs", signer=plan.CLIENT, usages=("server auth",)),
            "invalid usage for client certificate: server auth",
        ),
        (
            csr("jane", "devs", signer=plan.CLIENT, usages=("digital signature",)),
            "missing required usage for client certificate: client auth",
        ),
    ],
)
def test_what_each_signer_allows(request_: dict[str, Any], trouble: str) -> None:
    found = view_of(request_, Csr)
    facts = pki.read_request(plan.pem_of(found.spec.request))
    assert plan.SIGNERS[found.spec.signer_name](found.spec.usages, facts) == trouble


def test_how_long_certificates_live() -> None:
    assert plan.lifetime_s(None) == 8760 * 3600 - 300
    assert plan.lifetime_s(60) == 600
    assert plan.lifetime_s(3600) == 3600


@pytest.mark.parametrize(
    ("conditions", "certificate", "old"),
    [
        ([("Denied", 3601)], "", True),
        ([("Denied", 3500)], "", False),
        ([("Approved", 3601)], "", False),
        ([("Approved", 90_000)], "", True),
        ([("Approved", 3601)], "bm8=", True),
    ],
)
def test_when_requests_are_forgotten(conditions: list[tuple[str, int]], certificate: str, old: bool) -> None:
    now = virtual.EPOCH
    listed = [{"type": kind, "status": "True", "lastUpdateTime": rfc3339(now - age)} for kind, age in conditions]
    status = {"conditions": listed, "certificate": certificate}
    found = view_of({"metadata": {"creationTimestamp": rfc3339(now)}, "status": status}, Csr)
    assert plan.is_old(found, now) is old


def world(allowed: str) -> World:
    """Where the API server lets the requester create this subresource."""
    w = World(Approver, functools.partial(Signer, authority=AUTHORITY), Cleaner)
    send = w.api.send

    async def review(request: Request) -> Response:
        if request.path.endswith("/subjectaccessreviews"):
            asked = orjson.loads(request.body)["spec"]["resourceAttributes"]
            return Response(201, [], orjson.dumps({"status": {"allowed": asked["subresource"] == allowed}}))
        return await send(request)

    w.api.send = review  # type: ignore[method-assign]
    return w


def test_a_kubelet_gets_its_certificate() -> None:
    async def main() -> None:
        w = world("selfnodeclient")
        w.api.put("certificatesigningrequests", csr())
        async with w.running():
            await w.settle()
            [live] = w.api.all("certificatesigningrequests")
            [approved] = live["status"]["conditions"]
            assert (approved["type"], approved["reason"], approved["message"]) == (
                "Approved",
                "AutoApproved",
                "Auto approving self kubelet client certificate after SubjectAccessReview.",
            )
            certificate = base64.b64decode(live["status"]["certificate"])
            assert pki.expires_at(certificate) == pytest.approx(w.clock.now() + 8760 * 3600 - 300, abs=5)
            await w.settle(2 * 3600)
            assert w.api.all("certificatesigningrequests") == []

    virtual.run(main())


@pytest.mark.parametrize("request_", [csr(username="jane"), csr("jane", "devs", signer=plan.CLIENT)])
def test_others_wait_for_someone_to_approve(request_: dict[str, Any]) -> None:
    async def main() -> None:
        w = world("selfnodeclient")
        w.api.put("certificatesigningrequests", request_)
        async with w.running():
            await w.settle()
            assert "status" not in w.api.all("certificatesigningrequests")[0]

    virtual.run(main())


def serving(*addresses: str, names: tuple[str, ...] = ("a",), username: str = "system:node:a") -> dict[str, Any]:
    signer = plan.KUBELET_SERVING
    return csr(signer=signer, usages=SERVER_USAGES, names=names, addresses=addresses, username=username)


@pytest.mark.parametrize(
    ("request_", "approval"),
    [
        (csr(username="system:bootstrap:abcdef"), plan.FIRST_CLIENT),
        (serving("10.0.0.1"), plan.OWN_SERVING),
        (serving("10.0.0.9"), plan.OWN_SERVING),
        (serving("10.0.0.2"), None),
        (serving("10.0.0.1", names=("b",)), None),
        (serving("10.0.0.1", username="system:node:b"), None),
        (csr("system:kube-proxy", "", signer=plan.CLIENT), plan.COMPONENT_CLIENT),
        (csr("system:kube-proxy", "system:masters", signer=plan.CLIENT), None),
        (csr("system:kube-scheduler", "", signer=plan.CLIENT), None),
    ],
)
def test_what_may_be_approved_at_once(request_: dict[str, Any], approval: plan.Approval | None) -> None:
    found = view_of(request_, Csr)
    facts = pki.read_request(plan.pem_of(found.spec.request))
    assert plan.approval(found, facts, {"10.0.0.1": "a", "10.0.0.2": "b"}) == approval


def test_an_approved_request_that_breaks_the_rules_fails() -> None:
    async def main() -> None:
        w = world("")
        broken = csr("system:node:a", "x")
        broken["status"] = {
            "conditions": [{"type": "Approved", "status": "True", "lastUpdateTime": rfc3339(virtual.EPOCH)}]
        }
        w.api.put("certificatesigningrequests", broken)
        async with w.running():
            await w.settle()
            failed = w.api.all("certificatesigningrequests")[0]["status"]["conditions"][-1]
            assert (failed["type"], failed["reason"], failed["message"]) == (
                "Failed",
                "SignerValidationFailure",
                "subject organization is not system:nodes",
            )

    virtual.run(main())


def test_token_secrets_are_filled_and_go_with_their_account() -> None:
    async def main() -> None:
        w = World()
        issuer = Issuer(pki.new_key(RANDOM), w.clock, RANDOM)
        w.controllers.append(TokenSecretController(w.edges, issuer, "PEM"))
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bot", "namespace": "default"}}
        account = w.api.put("serviceaccounts", account)
        for name, owner in (("good", "bot"), ("stray", "nobody")):
            w.api.put(
                "secrets",
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {
                        "name": name,
                        "namespace": "default",
                        "annotations": {"kubernetes.io/service-account.name": owner},
                    },
                    "type": "kubernetes.io/service-account-token",
                },
            )
        async with w.running():
            await w.settle()
            [secret] = w.api.all("secrets")
            assert secret["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == account["metadata"]["uid"]
            data = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
            assert (data["ca.crt"], data["namespace"]) == ("PEM", "default")
            assert issuer.read(data["token"]).account.name == "bot"
            w.api.remove("serviceaccounts", "bot")
            await w.settle()
            assert w.api.all("secrets") == []

    virtual.run(main())
