"""Objects as controllers see them: the fields they use and no others, small and fast to decode."""

from __future__ import annotations

from typing import Any

import msgspec

EMPTY = msgspec.Raw(b"{}")


class View(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True, omit_defaults=True):
    """A decoded part of an object. gc=False: values hold strings, numbers and other views, never cycles.

    `msgspec.to_builtins` gives back the API's JSON, empty fields left out.
    """


class OwnerReference(View, frozen=True, gc=False):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False
    block_owner_deletion: bool = False


class Meta(View, frozen=True, gc=False):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()

    @property
    def controller(self) -> OwnerReference | None:
        return next((each for each in self.owner_references if each.controller), None)

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Condition(View, frozen=True, gc=False):
    type: str
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = ""
    last_update_time: str | None = ""
    last_heartbeat_time: str | None = ""
    last_probe_time: str | None = ""


class PodCondition(View, frozen=True, gc=False):
    """A pod's: there are many of them, so only what controllers look at."""

    type: str
    status: str = ""
    reason: str = ""
    last_transition_time: str | None = ""


class Requirement(View, frozen=True, gc=False):
    key: str
    operator: str
    values: tuple[str, ...] = ()


class Selector(View, frozen=True, gc=False):
    """A metav1.LabelSelector."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[Requirement, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.match_labels and not self.match_expressions

    def matches(self, labels: dict[str, str]) -> bool:
        if any(labels.get(name) != value for name, value in self.match_labels.items()):
            return False
        return all(_fulfils(labels.get(each.key), each) for each in self.match_expressions)


def _fulfils(value: str | None, requirement: Requirement) -> bool:
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False


class Toleration(View, frozen=True, gc=False):
    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class Taint(View, frozen=True, gc=False):
    key: str
    effect: str = ""
    value: str = ""
    time_added: str | None = ""


class ContainerPort(View, frozen=True, gc=False):
    container_port: int
    name: str = ""
    protocol: str = "TCP"


class Container(View, frozen=True, gc=False):
    name: str = ""
    ports: tuple[ContainerPort, ...] = ()
    restart_policy: str = ""


class ClaimSource(View, frozen=True, gc=False):
    claim_name: str = ""


class Ephemeral(View, frozen=True, gc=False):
    volume_claim_template: msgspec.Raw = EMPTY


class Volume(View, frozen=True, gc=False):
    name: str = ""
    persistent_volume_claim: ClaimSource | None = None
    ephemeral: Ephemeral | None = None


class FieldRequirement(View, frozen=True, gc=False):
    key: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class NodeSelectorTerm(View, frozen=True, gc=False):
    match_fields: tuple[FieldRequirement, ...] = ()


class NodeSelector(View, frozen=True, gc=False):
    node_selector_terms: tuple[NodeSelectorTerm, ...] = ()


class NodeAffinity(View, frozen=True, gc=False):
    required_during_scheduling_ignored_during_execution: NodeSelector | None = None


class Affinity(View, frozen=True, gc=False):
    """Only what says for which node a daemon's pod is."""

    node_affinity: NodeAffinity | None = None


class PodClaim(View, frozen=True, gc=False):
    """A claim of devices, by name or from a template."""

    name: str = ""
    resource_claim_name: str | None = None
    resource_claim_template_name: str | None = None


class PodSpec(View, frozen=True, gc=False):
    node_name: str = ""
    resource_claims: tuple[PodClaim, ...] = ()
    hostname: str = ""
    subdomain: str = ""
    restart_policy: str = "Always"
    host_network: bool = False
    affinity: Affinity | None = None
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    termination_grace_period_seconds: int | None = None


class Terminated(View, frozen=True, gc=False):
    exit_code: int = 0
    reason: str = ""
    finished_at: str | None = ""


class ContainerState(View, frozen=True, gc=False):
    terminated: Terminated | None = None


class ContainerStatus(View, frozen=True, gc=False):
    name: str = ""
    restart_count: int = 0
    state: ContainerState = ContainerState()


class PodIP(View, frozen=True, gc=False):
    ip: str = ""


class PodClaimStatus(View, frozen=True, gc=False):
    name: str = ""
    resource_claim_name: str | None = None


class PodStatus(View, frozen=True, gc=False):
    phase: str = ""
    resource_claim_statuses: tuple[PodClaimStatus, ...] = ()
    start_time: str | None = ""
    conditions: tuple[PodCondition, ...] = ()
    pod_ip: str = msgspec.field(name="podIP", default="")
    pod_ips: tuple[PodIP, ...] = msgspec.field(name="podIPs", default=())
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(View, frozen=True, gc=False):
    metadata: Meta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class ReplicaSetSpec(View, frozen=True, gc=False):
    """`template` stays JSON until a pod is made of it."""

    replicas: int = 1
    min_ready_seconds: int = 0
    selector: Selector = Selector()
    template: msgspec.Raw = EMPTY


class ReplicaSetStatus(View, frozen=True, gc=False):
    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    fully_labeled_replicas: int = 0
    terminating_replicas: int | None = None
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()


class ReplicaSet(View, frozen=True, gc=False):
    metadata: Meta
    spec: ReplicaSetSpec = ReplicaSetSpec()
    status: ReplicaSetStatus = ReplicaSetStatus()


class RollingUpdate(View, frozen=True, gc=False):
    max_surge: int | str | None = None
    max_unavailable: int | str | None = None
    partition: int | None = None


class Strategy(View, frozen=True, gc=False):
    type: str = "RollingUpdate"
    rolling_update: RollingUpdate | None = None


class DeploymentSpec(View, frozen=True, gc=False):
    replicas: int = 1
    min_ready_seconds: int = 0
    selector: Selector = Selector()
    template: msgspec.Raw = EMPTY
    strategy: Strategy = Strategy()
    paused: bool = False
    revision_history_limit: int = 10
    progress_deadline_seconds: int = 600


class DeploymentStatus(View, frozen=True, gc=False):
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    terminating_replicas: int | None = None
    observed_generation: int = 0
    collision_count: int | None = None
    conditions: tuple[Condition, ...] = ()


class Deployment(View, frozen=True, gc=False):
    metadata: Meta
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


class UpdateStrategy(View, frozen=True, gc=False):
    type: str = "RollingUpdate"
    rolling_update: RollingUpdate | None = None


class ControllerRevision(View, frozen=True, gc=False):
    metadata: Meta
    revision: int = 0
    data: msgspec.Raw = EMPTY


class Metadata(View, frozen=True, gc=False):
    """Any object, its metadata only."""

    metadata: Meta
    kind: str = ""
    api_version: str = ""


class NamespaceSpec(View, frozen=True, gc=False):
    finalizers: tuple[str, ...] = ()


class NamespaceStatus(View, frozen=True, gc=False):
    phase: str = ""
    conditions: tuple[Condition, ...] = ()


class Namespace(View, frozen=True, gc=False):
    metadata: Meta
    spec: NamespaceSpec = NamespaceSpec()
    status: NamespaceStatus = NamespaceStatus()


class NodeMeta(View, frozen=True, gc=False):
    """Without resourceVersion: a heartbeat that changes nothing else is no change."""

    name: str = ""
    uid: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class NodeSpec(View, frozen=True, gc=False):
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()
    pod_cidr: str = msgspec.field(name="podCIDR", default="")
    pod_cidrs: tuple[str, ...] = msgspec.field(name="podCIDRs", default=())


class NodeAddress(View, frozen=True, gc=False):
    type: str = ""
    address: str = ""


class NodeStatus(View, frozen=True, gc=False):
    addresses: tuple[NodeAddress, ...] = ()
    conditions: tuple[Condition, ...] = ()
    allocatable: dict[str, str | int | float] = {}


class Node(View, frozen=True, gc=False):
    metadata: NodeMeta
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class ServicePort(View, frozen=True, gc=False):
    port: int = 0
    name: str = ""
    protocol: str = "TCP"
    target_port: int | str = 0
    app_protocol: str | None = None
    node_port: int = 0


class ServiceSpec(View, frozen=True, gc=False):
    type: str = "ClusterIP"
    selector: dict[str, str] = {}
    ports: tuple[ServicePort, ...] = ()
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    ip_families: tuple[str, ...] = ()
    publish_not_ready_addresses: bool = False
    traffic_distribution: str | None = None
    allocate_load_balancer_node_ports: bool | None = None


class Service(View, frozen=True, gc=False):
    metadata: Meta
    spec: ServiceSpec = ServiceSpec()


def raw(value: msgspec.Raw) -> Any:
    """The dict that a kept part of an object stands for."""
    return msgspec.json.decode(value)
