"""Runs all controllers in one process, on the one that leads.

source  Kubernetes documentation "Controllers"; "Leases", leader election
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from cybernetes.auth.pki import Credential
from cybernetes.base.clock import Clock
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.client.api import ApiClient
from cybernetes.client.events import EventRecorder
from cybernetes.client.leader import LeaderElector, LeaseLost
from cybernetes.client.queue import WorkQueue
from cybernetes.controllers.accounts import AccountTransport
from cybernetes.controllers.informers import Informers
from cybernetes.controllers.loop import Controller, Edges
from cybernetes.model import local_volumes
from cybernetes.wire.http.message import Transport

LEASE_NAME = "kube-controller-manager"
LEASE_NAMESPACE = "kube-system"

_log = Log("controllers")


class ManagerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the controllers need to know of the cluster.

    identity      of this process among candidates, HOST_UUID
    pod_ranges    (range, mask size of a node's part), one per address family; none: nodes get no ranges
    root_ca       PEM, published to every namespace and as a bundle; "" to publish nothing
    signer        signs certificates that nodes and users ask for; None: nobody here does
    account_key   PEM, signs the tokens in Secrets; b"": they stay empty
    leader_elect  without, this process works at once; for one that is alone
    """

    identity: str
    pod_ranges: tuple[tuple[str, int], ...] = ()
    root_ca: str = ""
    signer: Credential | None = None
    account_key: bytes = b""
    leader_elect: bool = True


class Row(msgspec.Struct, frozen=True):
    """A controller: its service account ("" for the manager itself), the source of its Events, how it is built."""

    account: str
    source: str
    build: Callable[[Edges], Controller]


def rows(config: ManagerConfig) -> Iterator[Row]:
    """Imports here, so that a process that only looks at the configuration loads no controller."""
    from cybernetes.controllers.certificates.bundle import BundlePublisher
    from cybernetes.controllers.certificates.loop import Approver, Cleaner, Signer
    from cybernetes.controllers.clusterroleaggregation.loop import ClusterRoleAggregationController
    from cybernetes.controllers.cronjob.loop import CronJobController
    from cybernetes.controllers.daemonset.loop import DaemonSetController
    from cybernetes.controllers.deployment.loop import DeploymentController
    from cybernetes.controllers.disruption.loop import DisruptionController
    from cybernetes.controllers.endpoints.loop import EndpointsController
    from cybernetes.controllers.endpointslice.loop import EndpointSliceController
    from cybernetes.controllers.ephemeralvolume.loop import EphemeralVolumeController
    from cybernetes.controllers.garbagecollector.loop import GarbageCollector
    from cybernetes.controllers.job.loop import JobController
    from cybernetes.controllers.localvolume.loop import LocalVolumeController
    from cybernetes.controllers.mirroring.loop import MirroringController
    from cybernetes.controllers.namespace.loop import NamespaceController
    from cybernetes.controllers.nodeipam.loop import NodeIpamController
    from cybernetes.controllers.nodelifecycle.loop import NodeLifecycleController
    from cybernetes.controllers.podautoscaler.loop import PodAutoscalerController
    from cybernetes.controllers.podgc.loop import PodGc
    from cybernetes.controllers.policystatus.loop import PolicyStatusController
    from cybernetes.controllers.protection.attributes import AttributesClassProtection
    from cybernetes.controllers.protection.loop import ClaimProtection, VolumeProtection
    from cybernetes.controllers.replicaset.loop import replica_sets, replication_controllers
    from cybernetes.controllers.resourceclaim.loop import ResourceClaimController
    from cybernetes.controllers.resourcequota.loop import ResourceQuotaController
    from cybernetes.controllers.serviceaccount.defaults import ServiceAccountController
    from cybernetes.controllers.serviceaccount.root_ca import RootCaPublisher
    from cybernetes.controllers.servicecidr.loop import ServiceCidrController
    from cybernetes.controllers.statefulset.loop import StatefulSetController
    from cybernetes.controllers.storageversionmigrator.loop import StorageVersionMigrator
    from cybernetes.controllers.tainteviction.loop import TaintEvictionController
    from cybernetes.controllers.tokencleaner.loop import TokenCleaner
    from cybernetes.controllers.ttlafterfinished.loop import TtlAfterFinishedController
    from cybernetes.controllers.volumebinding.loop import VolumeController

    yield Row("deployment-controller", "deployment-controller", DeploymentController)
    yield Row("replicaset-controller", "replicaset-controller", replica_sets)
    yield Row("replication-controller", "replication-controller", replication_controllers)
    yield Row("service-account-controller", "service-account-controller", ServiceAccountController)
    yield Row("namespace-controller", "namespace-controller", NamespaceController)
    yield Row("generic-garbage-collector", "garbage-collector-controller", GarbageCollector)
    yield Row("daemon-set-controller", "daemonset-controller", DaemonSetController)
    yield Row("statefulset-controller", "statefulset-controller", StatefulSetController)
    yield Row("job-controller", "job-controller", JobController)
    yield Row("cronjob-controller", "cronjob-controller", CronJobController)
    yield Row("ttl-after-finished-controller", "ttl-after-finished-controller", TtlAfterFinishedController)
    yield Row("disruption-controller", "controllermanager", DisruptionController)
    yield Row(
        "clusterrole-aggregation-controller", "clusterrole-aggregation-controller", ClusterRoleAggregationController
    )
    yield Row(
        "validatingadmissionpolicy-status-controller",
        "validatingadmissionpolicy-status-controller",
        PolicyStatusController,
    )
    yield Row("resource-claim-controller", "resource_claim", ResourceClaimController)
    yield Row("resourcequota-controller", "resourcequota-controller", ResourceQuotaController)
    yield Row("horizontal-pod-autoscaler", "horizontal-pod-autoscaler", PodAutoscalerController)
    yield Row("service-cidrs-controller", "service-cidr-controller", ServiceCidrController)
    yield Row("persistent-volume-binder", "persistentvolume-controller", VolumeController)
    yield Row("local-volume-provisioner", local_volumes.PROVISIONER, LocalVolumeController)
    yield Row("ephemeral-volume-controller", "ephemeral_volume", EphemeralVolumeController)
    yield Row("pvc-protection-controller", "pvc-protection-controller", ClaimProtection)
    yield Row("pv-protection-controller", "pv-protection-controller", VolumeProtection)
    yield Row(
        "volumeattributesclass-protection-controller",
        "volumeattributesclass-protection-controller",
        AttributesClassProtection,
    )
    yield Row("node-controller", "node-controller", NodeLifecycleController)
    yield Row("node-controller", "taint-eviction-controller", TaintEvictionController)
    yield Row("pod-garbage-collector", "pod-garbage-collector", PodGc)
    yield Row("endpointslice-controller", "endpoint-slice-controller", EndpointSliceController)
    yield Row("endpoint-controller", "endpoint-controller", EndpointsController)
    yield Row("endpointslicemirroring-controller", "endpoint-slice-mirroring-controller", MirroringController)
    if config.root_ca:
        yield Row(
            "root-ca-cert-publisher",
            "root-ca-cert-publisher",
            lambda edges: RootCaPublisher(edges, config.root_ca),
        )
        yield Row(
            "kube-apiserver-serving-clustertrustbundle-publisher",
            "kube-apiserver-serving-clustertrustbundle-publisher",
            lambda edges: BundlePublisher(edges, config.root_ca),
        )
    yield Row("token-cleaner", "token-cleaner", TokenCleaner)
    yield Row("storage-version-migrator-controller", "storage-version-migrator-controller", StorageVersionMigrator)
    yield Row("certificate-controller", "certificate-controller", Approver)
    yield Row("certificate-controller", "certificate-controller", Cleaner)
    if config.signer is not None:
        yield Row("certificate-controller", "certificate-controller", partial(Signer, authority=config.signer))
    if config.pod_ranges:
        yield Row("node-controller", "cidrAllocator", lambda edges: NodeIpamController(edges, config.pod_ranges))


def _token_row(config: ManagerConfig, clock: Clock, random: Random) -> Row:
    from cybernetes.auth.tokens import Issuer
    from cybernetes.controllers.serviceaccount.tokens import TokenSecretController

    issuer = Issuer(config.account_key, clock, random)
    # It acts as the manager: no service account may write every Secret.
    return Row("", "tokens-controller", partial(TokenSecretController, issuer=issuer, authority=config.root_ca))


class ControllerManager:
    """`run` waits to lead, then runs every controller until cancelled.

    client    the manager's own identity: reads everything, makes service accounts and their tokens
    accounts  reaches the server without an identity; None: every controller uses `client`
    raises    LeaseLost when another process may lead; the process must end then
    """

    def __init__(
        self,
        client: ApiClient,
        clock: Clock,
        random: Random,
        config: ManagerConfig,
        *,
        accounts: Transport | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._random = random
        self._config = config
        self._accounts = accounts
        self._elector: LeaderElector | None = None
        self._edges: list[tuple[str, Edges]] = []

    @property
    def leads(self) -> bool:
        """Whether this process works, or would be the one to."""
        return not self._config.leader_elect or (self._elector is not None and self._elector.is_leader)

    def queues(self) -> dict[str, list[WorkQueue[str]]]:
        """By controller, as upstream names its queues; none before this process leads."""
        found: dict[str, list[WorkQueue[str]]] = {}
        for name, edges in self._edges:
            found.setdefault(name.removesuffix("-controller").replace("-", "_"), []).extend(edges.queues)
        return found

    async def run(self) -> None:
        if not self._config.leader_elect:
            await self._work()
            return
        recorder = EventRecorder(self._client, component=LEASE_NAME, clock=self._clock)
        elector = self._elector = LeaderElector(
            self._client,
            namespace=LEASE_NAMESPACE,
            name=LEASE_NAME,
            identity=self._config.identity,
            clock=self._clock,
            random=self._random,
            recorder=recorder,
        )
        try:
            async with asyncio.TaskGroup() as group:
                events = group.create_task(recorder.run(), name="events")
                await elector.run(self._work)
                events.cancel()
        except BaseExceptionGroup as ended:
            if ended.subgroup(LeaseLost):
                raise LeaseLost(LEASE_NAME) from ended
            raise

    async def _work(self) -> None:
        informers = Informers(self._client, self._clock, self._random)
        wanted = list(rows(self._config))
        if self._config.account_key:
            wanted.append(_token_row(self._config, self._clock, self._random))
        started = [self._start(row, informers) for row in wanted]
        self._edges = [(name, edges) for name, edges, _ in started]
        _log.info("controllers.started", controllers=len(started))
        async with asyncio.TaskGroup() as group:
            group.create_task(informers.run(), name="informers")
            for name, edges, controller in started:
                group.create_task(edges.recorder.run(), name=f"{name}.events")
                group.create_task(controller.run(), name=name)

    def _start(self, row: Row, informers: Informers) -> tuple[str, Edges, Controller]:
        client = self._client_of(row.account)
        recorder = EventRecorder(client, component=row.source, clock=self._clock)
        edges = Edges(client, recorder, informers, self._clock, self._random)
        return row.source, edges, row.build(edges)

    def _client_of(self, account: str) -> ApiClient:
        if self._accounts is None or not account:
            return self._client
        transport = AccountTransport(self._accounts, self._client, account, self._clock)
        agent = f"{LEASE_NAME}/system:serviceaccount:kube-system:{account}"
        return ApiClient(transport, user_agent=agent, clock=self._clock)
