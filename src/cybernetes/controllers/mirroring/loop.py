"""Follows Endpoints and Services without a selector, and keeps their slices."""

from __future__ import annotations

from typing import Any

from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import ApiError
from cybernetes.client.reflector import Selection
from cybernetes.client.target import ENDPOINT_SLICES, ENDPOINTS
from cybernetes.controllers import pods
from cybernetes.controllers.endpointslice import plan as planning
from cybernetes.controllers.endpointslice.loop import TRIGGERED
from cybernetes.controllers.endpointslice.objects import Slice
from cybernetes.controllers.endpointslice.writer import MANAGED_BY, SERVICE_NAME, SliceWriter
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, reference, work
from cybernetes.controllers.mirroring.plan import ADDRESSES_MAX, Subset, desired, skipped
from cybernetes.controllers.objects import Meta, View
from cybernetes.controllers.serviceaccount.defaults import is_moot

NAME = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
SIZE_MAX = 1000
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class _Endpoints(View, frozen=True, gc=False):
    metadata: Meta
    subsets: tuple[Subset, ...] = ()


class MirroringController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._queue = edges.queue()
        selection = Selection(labels=f"{MANAGED_BY}={NAME}")
        self._writer = SliceWriter(
            edges, edges.informers.make(ENDPOINT_SLICES, decoder(Slice), selection=selection), self._queue.add
        )
        # Those that a controller made for a Service with a selector are not for mirroring, and are many.
        others = Selection(labels="endpoints.kubernetes.io/managed-by!=endpoint-controller")
        self._endpoints = edges.informers.make(ENDPOINTS, decoder(_Endpoints), selection=others)
        self._endpoints.on_change(lambda key, old, new: self._queue.add(key))
        edges.informers.services.on_change(self._on_service)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("endpointslicemirroring", self._queue, self.sync)

    def _on_service(self, key: str, old: Any, new: Any) -> None:
        if key in self._endpoints.items or self._writer.of(key):
            self._queue.add(key)

    async def sync(self, key: str) -> float | None:
        if unseen_s := self._writer.unsettled_s(key):
            return unseen_s
        found = self._endpoints.items.get(key)
        service = self._edges.informers.services.items.get(key)
        existing = self._writer.of(key)
        if found is None or not _mirrored(found) or service is None or service.spec.selector:
            await self._writer.apply(key, {}, [planning.Delete(each) for each in existing])
            return None
        self._tell_of_skipped(found)
        labels = _labels(found)
        differs = {each.metadata.name: each.metadata.labels != labels for each in existing}
        actions: list[planning.Action] = []
        for family in ("IPv4", "IPv6"):
            wanted = desired(found.subsets, family)
            mine = [each for each in existing if each.address_type == family]
            if wanted:
                actions += planning.reconcile(family, wanted, mine, size_max=SIZE_MAX, metadata_differs=differs)
            else:
                actions += [planning.Delete(each) for each in mine]
        try:
            await self._writer.apply(key, self._metadata(found, labels), actions)
        except ApiError as error:
            if not is_moot(error):
                raise
        return None

    def _tell_of_skipped(self, found: _Endpoints) -> None:
        if many := skipped(found.subsets):
            limit = f"A max of {ADDRESSES_MAX} addresses can be mirrored to EndpointSlices per Endpoints subset."
            about = reference(ENDPOINTS, found.metadata)
            self._edges.recorder.warning(about, "TooManyAddressesToMirror", f"{limit} {many} addresses were skipped")

    def _metadata(self, found: _Endpoints, labels: dict[str, str]) -> dict[str, Any]:
        kept = (TRIGGERED, _LAST_APPLIED)
        annotations = {name: value for name, value in found.metadata.annotations.items() if name not in kept}
        annotations[TRIGGERED] = rfc3339(self._edges.clock.now())
        return {
            "generateName": f"{found.metadata.name}-",
            "namespace": found.metadata.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [pods.owner_reference(ENDPOINTS, found.metadata)],
        }


def _mirrored(found: _Endpoints) -> bool:
    metadata = found.metadata
    skipped = metadata.labels.get(SKIP) == "true" or LEADER in metadata.annotations
    return not skipped and not metadata.deletion_timestamp


def _labels(found: _Endpoints) -> dict[str, str]:
    kept = {name: value for name, value in found.metadata.labels.items() if name not in (MANAGED_BY, SERVICE_NAME)}
    return {**kept, SERVICE_NAME: found.metadata.name, MANAGED_BY: NAME}
