"""Follows Services and pods, and keeps the Endpoints of each Service."""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import ApiError
from cybernetes.client.api import if_there
from cybernetes.client.target import ENDPOINTS, SERVICES
from cybernetes.controllers.endpoints.plan import subsets
from cybernetes.controllers.endpointslice.endpoints import is_followed, is_headless
from cybernetes.controllers.endpointslice.loop import HEADLESS, TRIGGERED, seen_by_services
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, Pace, reference, work
from cybernetes.controllers.objects import Meta, Pod, Service, View
from cybernetes.controllers.selecting import pods_of, services_of
from cybernetes.controllers.serviceaccount.defaults import is_moot

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
NAME = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
# One object lists all addresses, so that each write of a big service is a big one.
REST_S = 1.0
LEADER = "control-plane.alpha.kubernetes.io/leader"


class Endpoints(View, frozen=True, gc=False):
    """`subsets` stay JSON: they are only compared."""

    metadata: Meta
    subsets: msgspec.Raw = msgspec.Raw(b"[]")


class EndpointsController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._queue = edges.queue()
        self._pace = Pace(self._queue, edges.clock, REST_S)
        informers = edges.informers
        self._endpoints = informers.make(ENDPOINTS, decoder(Endpoints))
        informers.services.on_change(lambda key, old, new: self._queue.add(key))
        informers.pods.on_change(self._on_pod)
        self._endpoints.on_change(self._on_endpoints)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("endpoints", self._queue, self.sync)

    def _on_pod(self, key: str, old: Pod | None, new: Pod | None) -> None:
        if seen_by_services(old) != seen_by_services(new):
            for service in services_of(self._edges.informers, (old, new)):
                self._pace.add(service)

    def _on_endpoints(self, key: str, old: Endpoints | None, new: Endpoints | None) -> None:
        # Most of these changes are this controller's own.
        if new is None or new.metadata.labels.get(MANAGED_BY) == NAME:
            self._pace.add(key)

    async def sync(self, key: str) -> float | None:
        service = self._edges.informers.services.items.get(key)
        current = self._endpoints.items.get(key)
        if service is None:
            self._pace.forget(key)
            await self._remove_leftover(current)
            return None
        if not is_followed(service) or service.metadata.deletion_timestamp:
            return None
        began = self._edges.clock.monotonic()
        wanted = self._wanted(service, current)
        self._pace.worked(key, self._edges.clock.monotonic() - began)
        if wanted is None:
            return None
        try:
            if current is None:
                await self._edges.client.create(ENDPOINTS, wanted, namespace=service.metadata.namespace)
            else:
                await self._edges.client.update(ENDPOINTS, wanted)
        except ApiError as error:
            if current is None and is_moot(error):
                return None
            message = f"Failed to update endpoint {key}: {error}"
            self._edges.recorder.warning(reference(SERVICES, service.metadata), "FailedToUpdateEndpoint", message)
            raise
        return None

    async def _remove_leftover(self, current: Endpoints | None) -> None:
        """Of a Service that is gone; what others made is left alone."""
        if current is None or current.metadata.labels.get(MANAGED_BY) != NAME:
            return
        metadata = current.metadata
        with if_there():
            await self._edges.client.delete(ENDPOINTS, metadata.name, namespace=metadata.namespace, uid=metadata.uid)

    def _wanted(self, service: Service, current: Endpoints | None) -> dict[str, Any] | None:
        """The whole object to write; None when it is there already."""
        found, over = subsets(service, pods_of(self._edges.informers, service))
        labels = _labels(service)
        annotations = dict(current.metadata.annotations) if current else {}
        before_over = annotations.pop(OVER_CAPACITY, None)
        if over:
            annotations[OVER_CAPACITY] = "truncated"
        if current is not None:
            if LEADER in annotations:
                return None
            same = msgspec.json.decode(current.subsets) == found and current.metadata.labels == labels
            if same and (before_over is not None) == over:
                return None
        annotations[TRIGGERED] = rfc3339(self._edges.clock.now())
        metadata = {
            "name": service.metadata.name,
            "namespace": service.metadata.namespace,
            "labels": labels,
            "annotations": annotations,
        }
        if current is not None:
            metadata["resourceVersion"] = current.metadata.resource_version
        return {"metadata": metadata, "subsets": found}


def _labels(service: Service) -> dict[str, str]:
    labels = {name: value for name, value in service.metadata.labels.items() if name != HEADLESS}
    if is_headless(service):
        labels[HEADLESS] = ""
    labels[MANAGED_BY] = NAME
    return labels
