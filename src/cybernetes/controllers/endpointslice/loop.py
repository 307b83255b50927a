"""Follows Services and pods, and keeps the slices of each Service."""

from __future__ import annotations

from typing import Any

from cybernetes.base.clock import rfc3339_micro
from cybernetes.base.errors import ApiError
from cybernetes.client.reflector import Selection
from cybernetes.client.target import ENDPOINT_SLICES, SERVICES
from cybernetes.controllers import pods
from cybernetes.controllers.endpointslice import endpoints, hints
from cybernetes.controllers.endpointslice import plan as planning
from cybernetes.controllers.endpointslice.objects import Slice
from cybernetes.controllers.endpointslice.writer import MANAGED_BY, SERVICE_NAME, SliceWriter
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, Pace, reference, work
from cybernetes.controllers.objects import Node, Pod, Service
from cybernetes.controllers.selecting import pods_of, services_of
from cybernetes.controllers.serviceaccount.defaults import is_moot

NAME = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"
TRIGGERED = "endpoints.kubernetes.io/last-change-trigger-time"
# Endpoints of one slice: a change costs every node the whole slice, so slices are kept small.
SIZE_MAX = 100
# Every write goes to every node: of a service whose pods change quickly at most five a second.
REST_S = 0.2


class EndpointSliceController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        informers = edges.informers
        self._queue = edges.queue()
        self._pace = Pace(self._queue, edges.clock, REST_S)
        selection = Selection(labels=f"{MANAGED_BY}={NAME}")
        slices = informers.make(ENDPOINT_SLICES, decoder(Slice), selection=selection)
        self._writer = SliceWriter(edges, slices, self._queue.add)
        # Services whose hints depend on all nodes -> what was told about them last, by family.
        self._told: dict[str, dict[str, str]] = {}
        # Of zones in all nodes; None: to be counted again.
        self._shares: dict[str, float] | str | None = None
        informers.services.on_change(lambda key, old, new: self._queue.add(key))
        informers.pods.on_change(self._on_pod)
        informers.nodes.on_change(self._on_node)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("endpointslices", self._queue, self.sync)

    def _on_pod(self, key: str, old: Pod | None, new: Pod | None) -> None:
        if seen_by_services(old) != seen_by_services(new):
            for service in services_of(self._edges.informers, (old, new)):
                self._pace.add(service)

    def _on_node(self, name: str, old: Node | None, new: Node | None) -> None:
        if _weight(old) != _weight(new):
            self._shares = None
            for service in self._told:
                self._queue.add(service)
        if _zone(old) != _zone(new):
            informers = self._edges.informers
            for service in services_of(informers, informers.pods_by_node.get(name)):
                self._queue.add(service)

    async def sync(self, key: str) -> float | None:
        service = self._edges.informers.services.items.get(key)
        if service is None:
            # Its slices go with it: it is their owner.
            self._writer.forget(key)
            self._pace.forget(key)
            self._told.pop(key, None)
            return None
        if not endpoints.is_followed(service) or service.metadata.deletion_timestamp:
            return None
        if unseen_s := self._writer.unsettled_s(key):
            return unseen_s
        about = reference(SERVICES, service.metadata)
        try:
            await self._write(key, service)
        except ApiError as error:
            if is_moot(error):
                return None
            message = f"Error updating Endpoint Slices for Service {key}: {error}"
            self._edges.recorder.warning(about, "FailedToUpdateEndpointSlices", message)
            raise
        return None

    async def _write(self, key: str, service: Service) -> None:
        informers = self._edges.informers
        began = self._edges.clock.monotonic()
        existing = self._writer.of(key)
        wanted_labels = labels(service)
        differs = {each.metadata.name: each.metadata.labels != wanted_labels for each in existing}
        families = endpoints.families(service)
        actions: list[planning.Action] = [
            planning.Delete(each) for each in existing if each.address_type not in families
        ]
        for family in families:
            found = endpoints.desired(service, pods_of(informers, service), informers.nodes.items, family)
            found = self._with_hints(key, service, found, family)
            mine = [each for each in existing if each.address_type == family]
            actions += planning.reconcile(family, found, mine, size_max=SIZE_MAX, metadata_differs=differs)
        self._pace.worked(key, self._edges.clock.monotonic() - began)
        await self._writer.apply(key, self._metadata(service, wanted_labels), actions)

    def _with_hints(self, key: str, service: Service, found: hints.Sorted, family: str) -> hints.Sorted:
        if not hints.wanted(service):
            self._told.pop(key, None)
            return found
        if self._shares is None:
            self._shares = hints.zone_shares(self._edges.informers.nodes.items.values())
        hinted, why = hints.by_zone(found, self._shares)
        told = f"{why}, addressType: {family}"
        told_before = self._told.setdefault(key, {})
        if told_before.get(family) != told:
            about, recorder = reference(SERVICES, service.metadata), self._edges.recorder
            if why == hints.ENABLED:
                recorder.normal(about, "TopologyAwareHintsEnabled", told)
            else:
                recorder.warning(about, "TopologyAwareHintsDisabled", told)
        told_before[family] = told
        return hinted

    def _metadata(self, service: Service, wanted_labels: dict[str, str]) -> dict[str, Any]:
        return {
            "generateName": f"{service.metadata.name}-",
            "namespace": service.metadata.namespace,
            "labels": wanted_labels,
            "annotations": {TRIGGERED: rfc3339_micro(self._edges.clock.now())},
            "ownerReferences": [pods.owner_reference(SERVICES, service.metadata)],
        }


def labels(service: Service) -> dict[str, str]:
    reserved = (SERVICE_NAME, MANAGED_BY, HEADLESS)
    found = {name: value for name, value in service.metadata.labels.items() if name not in reserved}
    found[SERVICE_NAME] = service.metadata.name
    found[MANAGED_BY] = NAME
    if endpoints.is_headless(service):
        found[HEADLESS] = ""
    return found


def seen_by_services(pod: Pod | None) -> tuple[Any, ...] | None:
    """What of a pod can change an endpoint."""
    if pod is None:
        return None
    return (
        pod.metadata.uid,
        pod.metadata.labels,
        bool(pod.metadata.deletion_timestamp),
        pod.spec.node_name,
        pods.is_ready(pod),
        pods.is_terminal(pod),
        pod.status.pod_ip,
        pod.status.pod_ips,
    )


def _weight(node: Node | None) -> tuple[Any, ...] | None:
    """What of a node counts when endpoints are shared out between zones."""
    if node is None:
        return None
    ready = pods.condition(node.status.conditions, "Ready")
    return node.metadata.labels, node.status.allocatable.get("cpu"), ready and ready.status


def _zone(node: Node | None) -> str | None:
    return node.metadata.labels.get(endpoints.ZONE_LABEL) if node else None
