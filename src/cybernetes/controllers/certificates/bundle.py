"""Publishes the authority of the API server's certificate as a ClusterTrustBundle, for pods that mount it.

source  KEP-3257; Kubernetes documentation "Certificates and Certificate Signing Requests", cluster trust bundles
"""

from __future__ import annotations

import hashlib

from cybernetes.client.api import if_there
from cybernetes.client.reflector import Selection
from cybernetes.client.target import CLUSTER_TRUST_BUNDLES
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, work
from cybernetes.controllers.objects import Meta, View

SIGNER = "kubernetes.io/kube-apiserver-serving"


class _Spec(View, frozen=True, gc=False):
    trust_bundle: str = ""


class _Bundle(View, frozen=True, gc=False):
    metadata: Meta
    spec: _Spec = _Spec()


class BundlePublisher:
    """authority: PEM. Its bundle is the only one of the signer: those of former authorities go."""

    def __init__(self, edges: Edges, authority: str) -> None:
        self._edges = edges
        self._name = name_of(authority)
        self._spec = {"signerName": SIGNER, "trustBundle": authority}
        self._queue = edges.queue()
        selection = Selection(fields=f"spec.signerName={SIGNER}")
        self._published = edges.informers.make(CLUSTER_TRUST_BUNDLES, decoder(_Bundle), selection=selection)
        self._published.on_change(lambda key, old, new: self._queue.add(key))

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        self._queue.add(self._name)
        await work("trust-bundles", self._queue, self.sync)

    async def sync(self, name: str) -> float | None:
        published = self._published.items.get(name)
        if name != self._name:
            if published is not None:
                with if_there():
                    await self._edges.client.delete(CLUSTER_TRUST_BUNDLES, name, uid=published.metadata.uid)
        elif published is None:
            await self._edges.client.create(CLUSTER_TRUST_BUNDLES, {"metadata": {"name": name}, "spec": self._spec})
        elif published.spec.trust_bundle != self._spec["trustBundle"]:
            metadata = {"name": name, "resourceVersion": published.metadata.resource_version}
            await self._edges.client.update(CLUSTER_TRUST_BUNDLES, {"metadata": metadata, "spec": self._spec})
        return None


def name_of(authority: str) -> str:
    """Of the signer, and of what is in the bundle."""
    return f"{SIGNER.replace('/', ':')}:{hashlib.sha256(authority.encode()).hexdigest()[:24]}"
