"""What projected volumes have from `certificates.k8s.io`: certificates of pods, and bundles of authorities.

source  Kubernetes documentation "Projected Volumes", podCertificate and clusterTrustBundle; KEP-4317, KEP-3257
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from cybernetes.base.clock import Clock, parse_rfc3339
from cybernetes.base.random import Random, name_suffix
from cybernetes.client.api import ApiClient
from cybernetes.client.target import CLUSTER_TRUST_BUNDLES, SERVICE_ACCOUNTS, Target
from cybernetes.kubelet.volumes.errors import VolumeError
from cybernetes.model.selector import from_object, matcher

Object = dict[str, Any]

GROUP = "certificates.k8s.io"
REQUESTS = Target(GROUP, "v1", "podcertificaterequests", "PodCertificateRequest")
LIFETIME_S = 24 * 3600
# Names of requests are a pod's with this many random characters behind.
_SUFFIX = 10
_END = "-----END CERTIFICATE-----"
_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "ECDSAP256": ec.SECP256R1,
    "ECDSAP384": ec.SECP384R1,
    "ECDSAP521": ec.SECP521R1,
}
_BITS = {"RSA3072": 3072, "RSA4096": 4096}


class CertificateWanted(msgspec.Struct, frozen=True):
    """annotations: pairs, in the order of their keys."""

    signer: str
    key_type: str
    lifetime_s: int = LIFETIME_S
    annotations: tuple[tuple[str, str], ...] = ()


class BundleWanted(msgspec.Struct, frozen=True):
    """name, or signer and selector (a LabelSelector as JSON; "" where there is none: nothing is chosen)."""

    name: str = ""
    signer: str = ""
    selector: str = ""


class PodCertificate(msgspec.Struct, frozen=True):
    """PEM: the private key, and the chain that the signer gave."""

    key: bytes
    chain: bytes


def certificate_wanted(projection: Object) -> CertificateWanted:
    annotations = projection.get("userAnnotations") or {}
    return CertificateWanted(
        projection["signerName"],
        projection["keyType"],
        int(projection.get("maxExpirationSeconds") or LIFETIME_S),
        tuple(sorted(annotations.items())),
    )


def bundle_wanted(projection: Object) -> BundleWanted:
    selector = projection.get("labelSelector")
    text = "" if selector is None else json.dumps(selector, sort_keys=True)
    return BundleWanted(projection.get("name") or "", projection.get("signerName") or "", text)


class _Asked(msgspec.Struct, frozen=True):
    """A request under way, or answered. chain: b"" until then; refresh_at: when another one is due."""

    name: str
    key: bytes
    chain: bytes = b""
    refresh_at: float = 0.0


class PodCertificates:
    """Keys never leave the node; after a restart of the kubelet pods get new ones."""

    def __init__(self, client: ApiClient, clock: Clock, random: Random, node_name: str) -> None:
        self._client = client
        self._clock = clock
        self._random = random
        self._node_name = node_name
        self._issued: dict[tuple[str, CertificateWanted], _Asked] = {}
        self._pending: dict[tuple[str, CertificateWanted], _Asked] = {}

    async def get(self, pod: Object, wanted: CertificateWanted) -> PodCertificate:
        """What the pod has now, renewed when the signer said so. Raises VolumeError while there is none."""
        key = pod["metadata"]["uid"], wanted
        issued = self._issued.get(key)
        if issued is None or self._clock.now() >= issued.refresh_at:
            issued = await self._advance(pod, wanted, key) or issued
        if issued is None:
            raise VolumeError(f"certificate of signer {wanted.signer} has not been issued yet")
        return PodCertificate(issued.key, issued.chain)

    def forget(self, uid: str) -> None:
        for kept in (self._issued, self._pending):
            for key in [key for key in kept if key[0] == uid]:
                del kept[key]

    async def _advance(
        self, pod: Object, wanted: CertificateWanted, key: tuple[str, CertificateWanted]
    ) -> _Asked | None:
        """Ask, or look for the answer; None while there is none. Raises VolumeError when there will be none."""
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = await self._ask(pod, wanted)
        found = await self._client.get(REQUESTS, pending.name, namespace=pod["metadata"]["namespace"])
        status = found.get("status") or {}
        for each in status.get("conditions") or ():
            if each["type"] in ("Denied", "Failed"):
                del self._pending[key]
                if key in self._issued:
                    return None
                raise VolumeError(
                    f"certificate was not issued: {each['type']}, {each.get('reason', '')}: {each.get('message', '')}"
                )
        if not status.get("certificateChain"):
            return None
        del self._pending[key]
        refresh_at = parse_rfc3339(status["beginRefreshAt"]) if status.get("beginRefreshAt") else float("inf")
        issued = _Asked(pending.name, pending.key, status["certificateChain"].encode(), refresh_at)
        self._issued[key] = issued
        return issued

    async def _ask(self, pod: Object, wanted: CertificateWanted) -> _Asked:
        meta, account = pod["metadata"], pod["spec"].get("serviceAccountName") or "default"
        # Keys of RSA take a second to find.
        key, stub = await asyncio.to_thread(new_key, wanted.key_type)
        name = f"{meta['name'][:200]}-{name_suffix(self._random, _SUFFIX)}"
        spec: Object = {
            "signerName": wanted.signer,
            "podName": meta["name"],
            "podUID": meta["uid"],
            "serviceAccountName": account,
            "serviceAccountUID": await self._uid_of(account, meta["namespace"]),
            "nodeName": self._node_name,
            "nodeUID": await self._node_uid(),
            "maxExpirationSeconds": wanted.lifetime_s,
            "stubPKCS10Request": base64.b64encode(stub).decode(),
        }
        if wanted.annotations:
            spec["unverifiedUserAnnotations"] = dict(wanted.annotations)
        owner = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
        await self._client.create(
            REQUESTS,
            {"metadata": {"name": name, "ownerReferences": [owner]}, "spec": spec},
            namespace=meta["namespace"],
        )
        return _Asked(name, key)

    async def _uid_of(self, account: str, namespace: str) -> str:
        return str((await self._client.get(SERVICE_ACCOUNTS, account, namespace=namespace))["metadata"]["uid"])

    async def _node_uid(self) -> str:
        from cybernetes.client.target import NODES

        return str((await self._client.get(NODES, self._node_name))["metadata"]["uid"])


def new_key(kind: str) -> tuple[bytes, bytes]:
    """(private key, PEM in PKCS 8; a signing request that says nothing but its public key, DER)."""
    key: Any
    if kind in _CURVES:
        key = ec.generate_private_key(_CURVES[kind]())
    elif kind in _BITS:
        key = rsa.generate_private_key(65537, _BITS[kind])
    elif kind == "ED25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        raise VolumeError(f"keys of type {kind} are not made by this node")
    digest = None if kind == "ED25519" else hashes.SHA256()
    stub = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, digest)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, stub.public_bytes(serialization.Encoding.DER)


class TrustBundles:
    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def get(self, wanted: BundleWanted) -> bytes | None:
        """The authorities, each once, in an order of their own; None when no bundle is there."""
        if wanted.name:
            found = await self._client.list(CLUSTER_TRUST_BUNDLES, field_selector=f"metadata.name={wanted.name}")
        else:
            found = await self._client.list(CLUSTER_TRUST_BUNDLES, field_selector=f"spec.signerName={wanted.signer}")
        chosen = matcher(from_object(json.loads(wanted.selector)) if wanted.selector else None)
        bundles = [each for each in found.objects() if wanted.name or chosen(each["metadata"].get("labels") or {})]
        if not bundles:
            return None
        parts = {part for each in bundles for part in _certificates(each["spec"].get("trustBundle", ""))}
        return "".join(sorted(parts)).encode()


def _certificates(pem: str) -> Iterator[str]:
    for each in pem.split(_END):
        _, begin, body = each.partition("-----BEGIN CERTIFICATE-----")
        if begin:
            yield f"{begin}\n{body.strip()}\n{_END}\n"
