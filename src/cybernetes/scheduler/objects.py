"""What the scheduler reads of each object: structs with only the fields that some decision uses.

enters   JSON bytes of one object, as lists and watches carry it
leaves   PodObject, NodeObject, ...: small, not tracked by the garbage collector
holds    a field that is not here has no influence on any decision
"""

from __future__ import annotations

import msgspec


class Slim(msgspec.Struct, rename="camel", gc=False, omit_defaults=True):
    """The base of all of them: Kubernetes' names on the wire, absent fields left out when encoded again."""


class OwnerReference(Slim):
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class Metadata(Slim):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    deletion_timestamp: str | None = None
    creation_timestamp: str | None = None
    owner_references: list[OwnerReference] | None = None


class LabelRequirement(Slim):
    key: str = ""
    operator: str = ""
    values: list[str] | None = None


class LabelSelector(Slim):
    match_labels: dict[str, str] | None = None
    match_expressions: list[LabelRequirement] | None = None


class NodeSelectorTerm(Slim):
    match_expressions: list[LabelRequirement] | None = None
    match_fields: list[LabelRequirement] | None = None


class NodeSelector(Slim):
    node_selector_terms: list[NodeSelectorTerm] | None = None


class PreferredNodes(Slim):
    weight: int = 0
    preference: NodeSelectorTerm = msgspec.field(default_factory=NodeSelectorTerm)


class NodeAffinity(Slim):
    required: NodeSelector | None = msgspec.field(default=None, name="requiredDuringSchedulingIgnoredDuringExecution")
    preferred: list[PreferredNodes] | None = msgspec.field(
        default=None, name="preferredDuringSchedulingIgnoredDuringExecution"
    )


class PodAffinityTerm(Slim):
    label_selector: LabelSelector | None = None
    namespaces: list[str] | None = None
    topology_key: str = ""
    namespace_selector: LabelSelector | None = None
    match_label_keys: list[str] | None = None
    mismatch_label_keys: list[str] | None = None


class WeightedPodAffinityTerm(Slim):
    weight: int = 0
    pod_affinity_term: PodAffinityTerm = msgspec.field(default_factory=PodAffinityTerm)


class PodAffinity(Slim):
    required: list[PodAffinityTerm] | None = msgspec.field(
        default=None, name="requiredDuringSchedulingIgnoredDuringExecution"
    )
    preferred: list[WeightedPodAffinityTerm] | None = msgspec.field(
        default=None, name="preferredDuringSchedulingIgnoredDuringExecution"
    )


class Affinity(Slim):
    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class Toleration(Slim):
    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""


class TopologySpreadConstraint(Slim):
    max_skew: int = 1
    topology_key: str = ""
    when_unsatisfiable: str = ""
    label_selector: LabelSelector | None = None
    min_domains: int | None = None
    node_affinity_policy: str | None = None
    node_taints_policy: str | None = None
    match_label_keys: list[str] | None = None


class Resources(Slim):
    requests: dict[str, str | int | float] | None = None


class ContainerPort(Slim):
    host_port: int = 0
    host_ip: str = msgspec.field(default="", name="hostIP")
    protocol: str = "TCP"


class Container(Slim):
    name: str = ""
    image: str = ""
    resources: Resources | None = None
    ports: list[ContainerPort] | None = None
    restart_policy: str = ""


class ClaimVolume(Slim):
    claim_name: str = ""
    read_only: bool = False


class CsiVolume(Slim):
    driver: str = ""


class ImageVolume(Slim):
    reference: str = ""


class DiskVolume(Slim):
    """The identifying fields of the in-tree disks that only one writer may mount."""

    pd_name: str = ""
    volume_id: str = msgspec.field(default="", name="volumeID")
    iqn: str = ""
    monitors: list[str] | None = None
    image: str = ""
    pool: str = ""
    read_only: bool = False


class EphemeralVolume(Slim):
    """That it is there is enough: its claim is named after the pod and the volume."""


class Volume(Slim):
    name: str = ""
    persistent_volume_claim: ClaimVolume | None = None
    ephemeral: EphemeralVolume | None = None
    csi: CsiVolume | None = None
    image: ImageVolume | None = None
    gce_persistent_disk: DiskVolume | None = None
    aws_elastic_block_store: DiskVolume | None = None
    iscsi: DiskVolume | None = None
    rbd: DiskVolume | None = None


class Gate(Slim):
    name: str = ""


class PodClaim(Slim):
    name: str = ""
    resource_claim_name: str | None = None
    resource_claim_template_name: str | None = None


class PodSpec(Slim):
    node_name: str = ""
    scheduler_name: str = "default-scheduler"
    priority: int = 0
    preemption_policy: str = "PreemptLowerPriority"
    node_selector: dict[str, str] | None = None
    affinity: Affinity | None = None
    tolerations: list[Toleration] | None = None
    topology_spread_constraints: list[TopologySpreadConstraint] | None = None
    containers: list[Container] = []
    init_containers: list[Container] | None = None
    overhead: dict[str, str | int | float] | None = None
    resources: Resources | None = None
    volumes: list[Volume] | None = None
    resource_claims: list[PodClaim] | None = None
    scheduling_gates: list[Gate] | None = None


class Condition(Slim):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class ContainerStatus(Slim):
    """What a running container really has, while a resize is under way."""

    name: str = ""
    resources: Resources | None = None
    allocated_resources: dict[str, str | int | float] | None = None


class PodClaimStatus(Slim):
    name: str = ""
    resource_claim_name: str | None = None


class PodStatus(Slim):
    phase: str = ""
    resource_claim_statuses: list[PodClaimStatus] | None = None
    container_statuses: list[ContainerStatus] | None = None
    nominated_node_name: str = ""
    start_time: str | None = None
    conditions: list[Condition] | None = None


class PodObject(Slim):
    metadata: Metadata
    spec: PodSpec
    status: PodStatus = msgspec.field(default_factory=PodStatus)


class Taint(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    key: str = ""
    value: str = ""
    effect: str = ""


class NodeSpec(Slim):
    unschedulable: bool = False
    taints: list[Taint] | None = None


class NodeImage(Slim):
    names: list[str] | None = None
    size_bytes: int = 0


class NodeStatus(Slim):
    allocatable: dict[str, str | int | float] | None = None
    images: list[NodeImage] | None = None


class NodeObject(Slim):
    metadata: Metadata
    spec: NodeSpec = msgspec.field(default_factory=NodeSpec)
    status: NodeStatus = msgspec.field(default_factory=NodeStatus)


class NamespaceObject(Slim):
    metadata: Metadata


class BudgetSpec(Slim):
    selector: LabelSelector | None = None


class BudgetStatus(Slim):
    disruptions_allowed: int = 0
    disrupted_pods: dict[str, str] | None = None


class BudgetObject(Slim):
    metadata: Metadata
    spec: BudgetSpec = msgspec.field(default_factory=BudgetSpec)
    status: BudgetStatus = msgspec.field(default_factory=BudgetStatus)


class MapSelectorSpec(Slim):
    selector: dict[str, str] | None = None


class MapSelectorObject(Slim):
    """A Service or a ReplicationController."""

    metadata: Metadata
    spec: MapSelectorSpec = msgspec.field(default_factory=MapSelectorSpec)


class SelectorSpec(Slim):
    selector: LabelSelector | None = None


class SelectorObject(Slim):
    """A ReplicaSet or a StatefulSet."""

    metadata: Metadata
    spec: SelectorSpec = msgspec.field(default_factory=SelectorSpec)


def pod_key(namespace: str, name: str) -> str:
    return f"{namespace}/{name}"
