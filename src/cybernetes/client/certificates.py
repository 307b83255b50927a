"""Certificates that the cluster signs: a key is made here, a CertificateSigningRequest carries the rest."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import msgspec

from cybernetes.auth import pki
from cybernetes.auth.pki import Credential
from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.random import Random
from cybernetes.client.api import ApiClient
from cybernetes.client.target import CERTIFICATE_SIGNING_REQUESTS

CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
# Approval and signing take two rounds of a controller.
SIGNED_WITHIN_S = 60.0
_LOOK_S = 0.2


class Wanted(msgspec.Struct, frozen=True):
    """A certificate that the cluster is asked for. lifetime_s: 0 for the cluster's usual one."""

    signer: str
    user: str
    groups: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    lifetime_s: int = 0

    @property
    def usages(self) -> list[str]:
        return ["digital signature", "server auth" if self.signer == KUBELET_SERVING else "client auth"]


async def obtain(client: ApiClient, wanted: Wanted, clock: Clock, random: Random) -> Credential:
    """Raises EdgeError when nobody approves or signs the request in time; ApiError when it may not be asked."""
    key = pki.new_key(random)
    request = pki.request(key, wanted.user, wanted.groups, names=wanted.names, addresses=wanted.addresses)
    spec: dict[str, Any] = {
        "request": base64.b64encode(request).decode(),
        "signerName": wanted.signer,
        "usages": wanted.usages,
    }
    if wanted.lifetime_s:
        spec["expirationSeconds"] = wanted.lifetime_s
    obj = {"metadata": {"generateName": "node-csr-"}, "spec": spec}
    name = (await client.create(CERTIFICATE_SIGNING_REQUESTS, obj))["metadata"]["name"]
    try:
        async with asyncio.timeout(SIGNED_WITHIN_S):
            while True:
                if certificate := _certificate(await client.get(CERTIFICATE_SIGNING_REQUESTS, name)):
                    return Credential(certificate, key)
                await clock.sleep(_LOOK_S)
    except TimeoutError as late:
        why = f"not signed after {SIGNED_WITHIN_S:.0f} s; look at: cybernetes kubectl get certificatesigningrequests"
        raise EdgeError("get a certificate for", wanted.user, why, outcome=Outcome.NOT_DONE) from late


def _certificate(csr: dict[str, Any]) -> bytes:
    """b"" while there is none. Raises EdgeError when there never will be."""
    status = csr.get("status") or {}
    for each in status.get("conditions") or ():
        if each["type"] in ("Denied", "Failed"):
            why = f"{each['type']}: {each.get('message', '')}"
            raise EdgeError("get a certificate by", csr["metadata"]["name"], why, retry=Retry.NEVER)
    return base64.b64decode(status.get("certificate", ""))
