"""A pod as the scheduler keeps it: little of its own, and a shape that pods of one template share.

enters   PodObject
leaves   PodEntry with its Shape (what it asks) and LabelSet (how others select it)
holds    two pods whose relevant spec is equal have the same Shape object, so what was computed for one serves all
"""

from __future__ import annotations

import sys
import weakref

import msgspec

from cybernetes.base.number import whole
from cybernetes.scheduler.objects import (
    Condition,
    Metadata,
    PodAffinity,
    PodAffinityTerm,
    PodObject,
    PodSpec,
    TopologySpreadConstraint,
    pod_key,
)
from cybernetes.scheduler.requests import Requests, pod_requests, with_actual
from cybernetes.scheduler.selectors import Requirement, Selector, accepts, compile_selector

_ENCODER = msgspec.json.Encoder(order="sorted")
_NO_LABELS: dict[str, str] = {}

# Pods with this label and value are a group of which at least so many as the annotation says run, or none.
GROUP_LABEL = "scheduling.cybernetes.io/pod-group"
GROUP_MIN_ANNOTATION = "scheduling.cybernetes.io/min-member"

FINISHED = ("Succeeded", "Failed")
NO_OWNER = ("", "")


class Term(msgspec.Struct, frozen=True, gc=False):
    """A pod affinity term with its owner's namespace and labels filled in; hashable.

    namespaces           names that are selected, sorted
    namespace_selector   selects further namespaces by their labels; None: none
    """

    namespaces: tuple[str, ...]
    namespace_selector: Selector | None
    selector: Selector | None
    topology_key: str
    weight: int = 0


class LabelSet:
    """All pods that one namespace, one set of labels and one `terminating` have in common."""

    __slots__ = ("__weakref__", "key", "labels", "namespace", "terminating")

    def __init__(self, key: tuple[str, bytes, bool], labels: dict[str, str]) -> None:
        self.key = key
        self.namespace, _, self.terminating = key
        self.labels = labels


class Shape:
    """What pods of one template ask for."""

    __slots__ = ("__weakref__", "key", "ports", "requests", "spec", "terms")

    def __init__(self, key: bytes, spec: PodSpec) -> None:
        self.key = key
        self.spec = spec
        self.requests: Requests = pod_requests(spec)
        self.ports = _host_ports(spec)
        # Terms by namespace of the owner; most templates live in one. None where the pod has no pod affinity.
        self.terms: dict[str, Terms] | None = {} if _has_pod_affinity(spec) else None


class Terms(msgspec.Struct, frozen=True, gc=False):
    """The pod affinity of one pod."""

    required: tuple[Term, ...] = ()
    required_anti: tuple[Term, ...] = ()
    preferred: tuple[Term, ...] = ()
    preferred_anti: tuple[Term, ...] = ()


NO_TERMS = Terms()


class PodEntry(msgspec.Struct, gc=False):
    """One pod; `node_name` is "" while it waits.

    claims      volume claims: name, and "" or the uid of the pod that must own it
    group       key of its pod group, "" for none; group_min: how many of it must run, 0 where that can't be read
    device_claims   name in the pod, and the ResourceClaim's: "" while it is not made, None where none is needed
    condition   PodScheduled, while it waits
    preempted   it has the mark of a victim; evicted: we asked for its deletion
    owner       kind and name of the controller
    """

    key: str
    namespace: str
    name: str
    uid: str
    shape: Shape
    label_set: LabelSet
    node_name: str = ""
    nominated: str = ""
    start_time: str = ""
    created: str = ""
    resource_version: str = ""
    generation: int = 0
    finished: bool = False
    preempted: bool = False
    evicted: bool = False
    gates: tuple[str, ...] = ()
    claims: tuple[tuple[str, str], ...] = ()
    group: str = ""
    group_min: int = 0
    device_claims: tuple[tuple[str, str | None], ...] = ()
    condition: Condition | None = None
    owner: tuple[str, str] = ("", "")

    @property
    def priority(self) -> int:
        return self.shape.spec.priority

    @property
    def template_claims(self) -> frozenset[str]:
        """Names of the pod's claims that are made from templates."""
        claims = self.shape.spec.resource_claims or ()
        return frozenset(each.name for each in claims if each.resource_claim_template_name is not None)

    @property
    def labels(self) -> dict[str, str]:
        return self.label_set.labels

    @property
    def terminating(self) -> bool:
        return self.label_set.terminating


class Interner:
    """Gives equal shapes and label sets one object each, for as long as a pod holds it."""

    def __init__(self) -> None:
        self._shapes: weakref.WeakValueDictionary[bytes, Shape] = weakref.WeakValueDictionary()
        self._label_sets: weakref.WeakValueDictionary[tuple[str, bytes, bool], LabelSet] = weakref.WeakValueDictionary()

    def entry(self, pod: PodObject) -> PodEntry:
        meta, spec, status = pod.metadata, pod.spec, pod.status
        node_name, spec.node_name = spec.node_name, ""
        gates, spec.scheduling_gates = spec.scheduling_gates, None
        claims = _take_claims(pod)
        if node_name and status.container_statuses:
            with_actual(spec, status.container_statuses)
        return PodEntry(
            key=pod_key(meta.namespace, meta.name),
            namespace=sys.intern(meta.namespace),
            name=meta.name,
            uid=meta.uid,
            shape=self._shape(spec),
            label_set=self._label_set(meta.namespace, meta.labels or _NO_LABELS, meta.deletion_timestamp is not None),
            node_name=sys.intern(node_name),
            nominated=status.nominated_node_name,
            start_time=status.start_time or "",
            created=meta.creation_timestamp or "",
            resource_version=meta.resource_version,
            generation=meta.generation,
            finished=status.phase in FINISHED,
            preempted=_is_preempted(pod),
            gates=tuple(gate.name for gate in gates or ()),
            claims=claims,
            group=_group(meta),
            group_min=_group_min(meta),
            device_claims=_device_claims(pod) if spec.resource_claims else (),
            condition=_scheduled_condition(pod) if not node_name else None,
            owner=_controller(pod) if not node_name else NO_OWNER,
        )

    def _shape(self, spec: PodSpec) -> Shape:
        key = _ENCODER.encode(spec)
        found = self._shapes.get(key)
        if found is None:
            found = self._shapes[key] = Shape(key, spec)
        return found

    def _label_set(self, namespace: str, labels: dict[str, str], terminating: bool) -> LabelSet:
        key = (namespace, _ENCODER.encode(labels), terminating)
        found = self._label_sets.get(key)
        if found is None:
            found = self._label_sets[key] = LabelSet(key, labels)
        return found


def terms_of(pod: PodEntry) -> Terms:
    """The pod's affinity terms, with its own namespace where a term names none."""
    known = pod.shape.terms
    if known is None:
        return NO_TERMS
    affinity = pod.shape.spec.affinity
    assert affinity is not None
    if _depends_on_labels(affinity.pod_affinity) or _depends_on_labels(affinity.pod_anti_affinity):
        return _build_terms(pod.shape.spec, pod.namespace, pod.labels)
    found = known.get(pod.namespace)
    if found is None:
        found = known[pod.namespace] = _build_terms(pod.shape.spec, pod.namespace, pod.labels)
    return found


def term_accepts(term: Term, pods: LabelSet, namespace_labels: dict[str, str]) -> bool:
    """Whether a term selects the pods of a label set; `namespace_labels` are those of their namespace."""
    if pods.namespace not in term.namespaces and (
        term.namespace_selector is None or not accepts(term.namespace_selector, namespace_labels)
    ):
        return False
    return accepts(term.selector, pods.labels)


def spread_selector(constraint: TopologySpreadConstraint, labels: dict[str, str]) -> Selector | None:
    """The constraint's selector with the pod's own values of matchLabelKeys merged in."""
    selector = compile_selector(constraint.label_selector)
    return _with_own(selector, constraint.match_label_keys, "In", labels)


def _build_terms(spec: PodSpec, namespace: str, labels: dict[str, str]) -> Terms:
    affinity = spec.affinity
    assert affinity is not None
    near, far = affinity.pod_affinity, affinity.pod_anti_affinity

    def required(side: PodAffinity | None) -> tuple[Term, ...]:
        return tuple(_term(each, 0, namespace, labels) for each in (side.required if side else None) or ())

    def preferred(side: PodAffinity | None) -> tuple[Term, ...]:
        found = (side.preferred if side else None) or ()
        return tuple(_term(each.pod_affinity_term, each.weight, namespace, labels) for each in found)

    return Terms(required(near), required(far), preferred(near), preferred(far))


def _term(each: PodAffinityTerm, weight: int, namespace: str, labels: dict[str, str]) -> Term:
    names = tuple(sorted(each.namespaces or ()))
    if not names and each.namespace_selector is None:
        names = (namespace,)
    selector = compile_selector(each.label_selector)
    selector = _with_own(selector, each.match_label_keys, "In", labels)
    selector = _with_own(selector, each.mismatch_label_keys, "NotIn", labels)
    return Term(names, compile_selector(each.namespace_selector), selector, each.topology_key, weight)


def _with_own(
    selector: Selector | None, keys: list[str] | None, operator: str, labels: dict[str, str]
) -> Selector | None:
    if selector is None or not keys:
        return selector
    own = {Requirement(key, operator, (labels[key],)) for key in keys if key in labels}
    return tuple(sorted(own.union(selector)))


def _depends_on_labels(side: PodAffinity | None) -> bool:
    if side is None:
        return False
    terms = [*(side.required or ()), *(each.pod_affinity_term for each in side.preferred or ())]
    return any(each.match_label_keys or each.mismatch_label_keys for each in terms)


def _has_pod_affinity(spec: PodSpec) -> bool:
    return spec.affinity is not None and (
        spec.affinity.pod_affinity is not None or spec.affinity.pod_anti_affinity is not None
    )


def _host_ports(spec: PodSpec) -> tuple[tuple[str, str, int], ...]:
    found = set()
    sidecars = [each for each in spec.init_containers or () if each.restart_policy == "Always"]
    for container in [*spec.containers, *sidecars]:
        for port in container.ports or ():
            if port.host_port > 0:
                found.add((port.protocol or "TCP", port.host_ip or "0.0.0.0", port.host_port))
    return tuple(sorted(found))


def _is_preempted(pod: PodObject) -> bool:
    return any(
        each.type == "DisruptionTarget" and each.status == "True" and each.reason == "PreemptionByScheduler"
        for each in pod.status.conditions or ()
    )


def _take_claims(pod: PodObject) -> tuple[tuple[str, str], ...]:
    """Volume claims: (claim name, "" or the uid of the pod that must own it, for ephemeral volumes).

    They and the volumes' names leave the spec: they are the pod's own and would make every pod of a template unlike.
    """
    found = []
    for volume in pod.spec.volumes or ():
        if volume.persistent_volume_claim is not None:
            found.append((volume.persistent_volume_claim.claim_name, ""))
            volume.persistent_volume_claim = None
        elif volume.ephemeral is not None:
            found.append((f"{pod.metadata.name}-{volume.name}", pod.metadata.uid))
            volume.ephemeral = None
        volume.name = ""
    return tuple(found)


def _group(meta: Metadata) -> str:
    name = (meta.labels or _NO_LABELS).get(GROUP_LABEL, "")
    return pod_key(meta.namespace, name) if name else ""


def _group_min(meta: Metadata) -> int:
    return whole((meta.annotations or _NO_LABELS).get(GROUP_MIN_ANNOTATION, "")) or 0


def _device_claims(pod: PodObject) -> tuple[tuple[str, str | None], ...]:
    made = {each.name: each.resource_claim_name for each in pod.status.resource_claim_statuses or ()}
    return tuple(
        (each.name, each.resource_claim_name if each.resource_claim_name is not None else made.get(each.name, ""))
        for each in pod.spec.resource_claims or ()
    )


def _controller(pod: PodObject) -> tuple[str, str]:
    return next(((each.kind, each.name) for each in pod.metadata.owner_references or () if each.controller), NO_OWNER)


def _scheduled_condition(pod: PodObject) -> Condition | None:
    return next((each for each in pod.status.conditions or () if each.type == "PodScheduled"), None)
