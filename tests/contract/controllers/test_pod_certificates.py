"""Certificates of pods, and bundles of authorities, as a node's kubelet gets them from the real API."""

import asyncio
import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from apiserver_fixture import serving_apiserver
from cybernetes.apiserver.bootstrap import policy
from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock, rfc3339
from cybernetes.base.errors import ApiError
from cybernetes.base.random import SystemRandom
from cybernetes.client.api import ApiClient, PatchType
from cybernetes.client.target import CLUSTER_TRUST_BUNDLES, NODES, PODS, SERVICE_ACCOUNTS, Target
from cybernetes.kubelet.credentials import (
    REQUESTS,
    BundleWanted,
    CertificateWanted,
    PodCertificates,
    TrustBundles,
    new_key,
)
from cybernetes.kubelet.volumes.errors import VolumeError

RBAC = "rbac.authorization.k8s.io"
RULES = {
    kind: Target(RBAC, "v1", f"{kind.lower()}s", kind, namespaced=False)
    for kind in ("ClusterRole", "ClusterRoleBinding")
}
SIGNER = "example.com/pods"
WANTED = CertificateWanted(SIGNER, "ECDSAP256", annotations=(("example.com/a", "b"),))


class Ahead(SystemClock):
    ahead = 0.0

    def now(self):
        return super().now() + self.ahead


class World:
    def __init__(self, api, admin, pod):
        self.admin, self.pod, self.clock, self.api = admin, pod, Ahead(), api
        self.authority = pki.ca("pod-ca", pki.Terms(self.clock.now(), SystemRandom()))

    def node(self, name="n1") -> ApiClient:
        transport = self.api.transport_as(f"system:node:{name}", "system:nodes")
        return ApiClient(transport, user_agent="kubelet", clock=self.clock)

    async def requests(self):
        return (await self.admin.list(REQUESTS, namespace="default")).objects()

    async def status(self, name, status):
        await self.admin.patch(
            REQUESTS, name, {"status": status}, PatchType.MERGE, namespace="default", subresource="status"
        )

    async def issue(self, request) -> bytes:
        """As a signer does."""
        stub = x509.load_der_x509_csr(base64.b64decode(request["spec"]["stubPKCS10Request"]))
        assert stub.is_signature_valid
        pem = stub.public_bytes(serialization.Encoding.PEM)
        now = self.clock.now()
        chain = pki.sign(self.authority, pem, ["client auth"], pki.Terms(now, SystemRandom(), 7200)).decode()
        condition = {
            "type": "Issued",
            "status": "True",
            "reason": "Test",
            "message": "",
            "lastTransitionTime": rfc3339(now),
        }
        starts, ends = pki.validity(chain.encode())
        times = {"notBefore": starts, "beginRefreshAt": now + 3600, "notAfter": ends}
        found = {name: rfc3339(at) for name, at in times.items()}
        await self.status(request["metadata"]["name"], {"certificateChain": chain, "conditions": [condition], **found})
        return chain.encode()


def run(tmp_path, scenario) -> None:
    async def go():
        async with serving_apiserver(tmp_path) as api:
            await api.server.ready()
            admin = ApiClient(api.transport(), user_agent="test", clock=SystemClock())
            for each in policy.load("own.yaml"):
                if each["kind"] in RULES and "node-certificates" in each["metadata"]["name"]:
                    await admin.create(RULES[each["kind"]], each)
            for name in ("n1", "n2"):
                await admin.create(NODES, {"metadata": {"name": name}})
            await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, namespace="default")
            spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}
            pod = await admin.create(PODS, {"metadata": {"name": "web"}, "spec": spec}, namespace="default")
            try:
                await scenario(World(api, admin, pod))
            finally:
                await admin.close()

    asyncio.run(go())


def test_a_pods_certificate_is_asked_for_issued_and_renewed(tmp_path):
    async def scenario(world):
        client = world.node()
        certificates = PodCertificates(client, world.clock, SystemRandom(), "n1")
        for _ in range(2):
            with pytest.raises(VolumeError, match="not been issued yet"):
                await certificates.get(world.pod, WANTED)
        (request,) = await world.requests()
        spec = request["spec"]
        assert (spec["podName"], spec["podUID"], spec["nodeName"]) == ("web", world.pod["metadata"]["uid"], "n1")
        assert spec["unverifiedUserAnnotations"] == {"example.com/a": "b"} and spec["maxExpirationSeconds"] == 86400
        chain = await world.issue(request)
        got = await certificates.get(world.pod, WANTED)
        assert got.chain == chain and pki.public_key(got.key) == x509.load_pem_x509_certificate(
            chain
        ).public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        assert await certificates.get(world.pod, WANTED) == got and len(await world.requests()) == 1
        world.clock.ahead += 3601
        assert await certificates.get(world.pod, WANTED) == got, "the former one goes on until there is another"
        second = next(each for each in await world.requests() if not (each.get("status") or {}).get("certificateChain"))
        renewed = await world.issue(second)
        assert (await certificates.get(world.pod, WANTED)).chain == renewed
        await client.close()

    run(tmp_path, scenario)


def test_a_refusal_is_told(tmp_path):
    async def scenario(world):
        client = world.node()
        certificates = PodCertificates(client, world.clock, SystemRandom(), "n1")
        with pytest.raises(VolumeError):
            await certificates.get(world.pod, WANTED)
        (request,) = await world.requests()
        now = rfc3339(world.clock.now())
        denied = {"type": "Denied", "status": "True", "reason": "No", "message": "not you", "lastTransitionTime": now}
        await world.status(request["metadata"]["name"], {"conditions": [denied]})
        with pytest.raises(VolumeError, match="Denied, No: not you"):
            await certificates.get(world.pod, WANTED)
        await client.close()

    run(tmp_path, scenario)


def test_a_node_asks_for_its_own_pods_only(tmp_path):
    async def scenario(world):
        other = world.node("n2")
        for name in ("n1", "n2"):
            with pytest.raises(ApiError) as caught:
                await PodCertificates(other, world.clock, SystemRandom(), name).get(world.pod, WANTED)
            assert caught.value.code == 403
        assert await world.requests() == []
        await other.close()

    run(tmp_path, scenario)


def test_bundles_are_chosen_by_name_or_by_signer_and_labels(tmp_path):
    async def scenario(world):
        now = pki.Terms(world.clock.now(), SystemRandom())
        one, two = (pki.ca(name, now).certificate.decode() for name in ("one", "two"))
        for name, signer, labels, bundle in (
            ("plain", "", {}, one),
            ("example.com:pods:a", SIGNER, {"env": "live"}, one + two),
            ("example.com:pods:b", SIGNER, {"env": "test"}, two),
        ):
            spec = {"trustBundle": bundle, **({"signerName": signer} if signer else {})}
            await world.admin.create(
                CLUSTER_TRUST_BUNDLES, {"metadata": {"name": name, "labels": labels}, "spec": spec}
            )
        client = world.node()
        bundles = TrustBundles(client)
        assert await bundles.get(BundleWanted("plain")) == one.encode()
        assert await bundles.get(BundleWanted("none")) is None
        assert await bundles.get(BundleWanted("", SIGNER)) is None, "no selector chooses nothing"
        everything = await bundles.get(BundleWanted("", SIGNER, "{}"))
        assert everything.count(b"BEGIN") == 2 and one.encode() in everything and two.encode() in everything
        chosen = await bundles.get(BundleWanted("", SIGNER, '{"matchLabels": {"env": "test"}}'))
        assert chosen == two.encode()
        await client.close()

    run(tmp_path, scenario)


@pytest.mark.parametrize("kind", ["ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519", "RSA3072"])
def test_every_type_of_key_is_made(kind):
    key, stub = new_key(kind)
    assert key.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert x509.load_der_x509_csr(stub).is_signature_valid
