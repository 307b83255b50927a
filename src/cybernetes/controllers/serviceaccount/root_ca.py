"""Publishes the cluster's certificate authority to each namespace.

source  Kubernetes documentation "Managing Service Accounts", bound service account token volume mechanism
"""

from __future__ import annotations

from cybernetes.base.errors import ApiError
from cybernetes.client.reflector import Selection
from cybernetes.client.target import CONFIG_MAPS
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, work
from cybernetes.controllers.objects import Meta, Namespace, View
from cybernetes.controllers.serviceaccount.defaults import is_going, is_moot

NAME = "kube-root-ca.crt"
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class _ConfigMap(View, frozen=True, gc=False):
    metadata: Meta
    data: dict[str, str] = {}


class RootCaPublisher:
    """authority: PEM"""

    def __init__(self, edges: Edges, authority: str) -> None:
        self._edges = edges
        self._data = {"ca.crt": authority}
        self._queue = edges.queue()
        selection = Selection(fields=f"metadata.name={NAME}")
        self._published = edges.informers.make(CONFIG_MAPS, decoder(_ConfigMap), selection=selection)
        edges.informers.namespaces.on_change(self._on_namespace)
        self._published.on_change(self._on_config_map)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("root-ca", self._queue, self.sync)

    def _on_namespace(self, key: str, old: Namespace | None, new: Namespace | None) -> None:
        if new is not None:
            self._queue.add(key)

    def _on_config_map(self, key: str, old: _ConfigMap | None, new: _ConfigMap | None) -> None:
        self._queue.add(key.partition("/")[0])

    async def sync(self, namespace: str) -> float | None:
        found = self._edges.informers.namespaces.items.get(namespace)
        published = self._published.items.get(f"{namespace}/{NAME}")
        if found is None or is_going(found) or (published is not None and published.data == self._data):
            return None
        metadata = {
            "name": NAME,
            "namespace": namespace,
            "annotations": {"kubernetes.io/description": _DESCRIPTION},
        }
        try:
            if published is None:
                body = {"metadata": metadata, "data": self._data}
                await self._edges.client.create(CONFIG_MAPS, body, namespace=namespace)
            else:
                metadata["resourceVersion"] = published.metadata.resource_version
                await self._edges.client.update(CONFIG_MAPS, {"metadata": metadata, "data": self._data})
        except ApiError as error:
            if not is_moot(error):
                raise
        return None
