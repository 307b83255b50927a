"""One informer per resource, shared by all controllers, and the indexes that several of them use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

import msgspec

from cybernetes.base.clock import Clock
from cybernetes.base.random import Random
from cybernetes.client import target as targets
from cybernetes.client.api import ApiClient
from cybernetes.client.informer import Index, Informer
from cybernetes.client.reflector import EVERYTHING, Selection
from cybernetes.client.target import Target
from cybernetes.controllers.certificates.plan import Csr
from cybernetes.controllers.compact import PodDecoder
from cybernetes.controllers.job.objects import Job
from cybernetes.controllers.objects import (
    ControllerRevision,
    Deployment,
    Metadata,
    Namespace,
    Node,
    Pod,
    ReplicaSet,
    Service,
)
from cybernetes.controllers.volumebinding.objects import Claim, StorageClass, Volume

T = TypeVar("T")


class Informers:
    """An informer comes into being when a controller first asks for it; all run together."""

    def __init__(self, client: ApiClient, clock: Clock, random: Random) -> None:
        self._client = client
        self._clock = clock
        self._random = random
        self._all: list[Informer[Any]] = []

    def make(
        self,
        target: Target,
        decode: Callable[[bytes], T],
        *,
        selection: Selection = EVERYTHING,
        metadata_only: bool = False,
    ) -> Informer[T]:
        """An informer of one controller's own, run with the shared ones."""
        informer = Informer(
            self._client,
            target,
            decode,
            clock=self._clock,
            random=self._random,
            selection=selection,
            metadata_only=metadata_only,
        )
        self._all.append(informer)
        return informer

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for informer in self._all:
                group.create_task(informer.run(), name=f"informer.{informer.target.plural}")

    async def wait_synced(self) -> None:
        for informer in self._all:
            await informer.wait_synced()

    @cached_property
    def pods(self) -> Informer[Pod]:
        return self.make(targets.PODS, PodDecoder())

    @cached_property
    def pods_by_controller(self) -> Index[Pod]:
        """By the controlling owner's uid; pods without one under ORPHANS and their namespace."""
        return self.pods.index(controller_of)

    @cached_property
    def pods_by_node(self) -> Index[Pod]:
        return self.pods.index(lambda pod: (pod.spec.node_name,) if pod.spec.node_name else ())

    @cached_property
    def pods_by_namespace(self) -> Index[Pod]:
        return self.pods.index(lambda pod: (pod.metadata.namespace,))

    @cached_property
    def pods_by_label(self) -> Index[Pod]:
        """By namespace and label, `NAMESPACE/KEY=VALUE`."""
        return self.pods.index(lambda pod: label_values(pod.metadata.namespace, pod.metadata.labels))

    @cached_property
    def orphans_by_label(self) -> Index[Pod]:
        """Pods without a controller, as `pods_by_label`."""
        return self.pods.index(
            lambda pod: () if pod.metadata.controller else label_values(pod.metadata.namespace, pod.metadata.labels)
        )

    @cached_property
    def services_by_selector(self) -> Index[Service]:
        """By namespace and the first pair of the selector, `NAMESPACE/KEY=VALUE`."""
        return self.services.index(first_pair)

    @cached_property
    def replica_sets(self) -> Informer[ReplicaSet]:
        return self.make(targets.REPLICA_SETS, decoder(ReplicaSet))

    @cached_property
    def replica_sets_by_controller(self) -> Index[ReplicaSet]:
        return self.replica_sets.index(controller_of)

    @cached_property
    def deployments(self) -> Informer[Deployment]:
        return self.make(targets.DEPLOYMENTS, decoder(Deployment))

    @cached_property
    def revisions(self) -> Informer[ControllerRevision]:
        return self.make(targets.CONTROLLER_REVISIONS, decoder(ControllerRevision))

    @cached_property
    def revisions_by_controller(self) -> Index[ControllerRevision]:
        return self.revisions.index(controller_of)

    @cached_property
    def claims(self) -> Informer[Claim]:
        return self.make(targets.PERSISTENT_VOLUME_CLAIMS, decoder(Claim))

    @cached_property
    def volumes(self) -> Informer[Volume]:
        return self.make(targets.PERSISTENT_VOLUMES, decoder(Volume))

    @cached_property
    def storage_classes(self) -> Informer[StorageClass]:
        return self.make(targets.STORAGE_CLASSES, decoder(StorageClass))

    @cached_property
    def jobs(self) -> Informer[Job]:
        return self.make(targets.JOBS, decoder(Job))

    @cached_property
    def certificate_requests(self) -> Informer[Csr]:
        return self.make(targets.CERTIFICATE_SIGNING_REQUESTS, decoder(Csr))

    @cached_property
    def service_accounts(self) -> Informer[Metadata]:
        return self.make(targets.SERVICE_ACCOUNTS, decoder(Metadata), metadata_only=True)

    @cached_property
    def nodes(self) -> Informer[Node]:
        return self.make(targets.NODES, decoder(Node))

    @cached_property
    def nodes_by_address(self) -> Index[Node]:
        return self.nodes.index(lambda node: [each.address for each in node.status.addresses])

    @cached_property
    def namespaces(self) -> Informer[Namespace]:
        return self.make(targets.NAMESPACES, decoder(Namespace))

    @cached_property
    def services(self) -> Informer[Service]:
        return self.make(targets.SERVICES, decoder(Service))


def orphans_of(namespace: str) -> str:
    """The index value of a namespace's objects without a controller."""
    return f"orphans/{namespace}"


def controller_of(item: Any) -> tuple[str, ...]:
    owner = item.metadata.controller
    return (owner.uid if owner else orphans_of(item.metadata.namespace),)


def label_values(namespace: str, labels: Mapping[str, str]) -> list[str]:
    return [f"{namespace}/{key}={value}" for key, value in labels.items()]


def first_pair(service: Service) -> list[str]:
    """One value is enough to find a service from a pod: pods that match have all pairs."""
    if not service.spec.selector:
        return []
    key = min(service.spec.selector)
    return label_values(service.metadata.namespace, {key: service.spec.selector[key]})


def decoder(kind: type[T]) -> Callable[[bytes], T]:
    return msgspec.json.Decoder(kind).decode
