"""Which changes of the cluster can make a rejected pod schedulable.

enters   a change, a waiting pod, the name of a plugin that rejected it
leaves   whether the pod should be tried again
holds    a plugin that is not listed for a kind of change never asks for a retry because of it;
         plugins from outside are retried at every change of nodes and pods
source   Kubernetes documentation "Scheduling Framework", QueueingHint
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import msgspec

from cybernetes.model.placement import tolerated
from cybernetes.scheduler.nodes import matches_node
from cybernetes.scheduler.objects import NodeObject
from cybernetes.scheduler.plugins.ports import conflicts
from cybernetes.scheduler.plugins.standing import UNSCHEDULABLE_TAINT, untolerated
from cybernetes.scheduler.pods import PodEntry, Term, spread_selector, term_accepts, terms_of
from cybernetes.scheduler.requests import amounts
from cybernetes.scheduler.selectors import accepts


class Kind(enum.Enum):
    NODE_ADDED = "node added"
    NODE_CHANGED = "node changed"
    NODE_GONE = "node gone"
    # Pods that have a node.
    POD_ADDED = "pod added"
    POD_CHANGED = "pod changed"
    POD_GONE = "pod gone"
    # The waiting pod itself.
    OWN_CHANGED = "own pod changed"
    NAMESPACE = "namespace changed"
    STORAGE = "storage object changed"
    CLAIM = "volume claim changed"
    DEVICES = "claim, device class or slice changed"


# As kube-scheduler's metrics name what changed.
EVENTS = {
    Kind.NODE_ADDED: "NodeAdd",
    Kind.NODE_CHANGED: "NodeUpdate",
    Kind.NODE_GONE: "NodeDelete",
    Kind.POD_ADDED: "AssignedPodAdd",
    Kind.POD_CHANGED: "AssignedPodUpdate",
    Kind.POD_GONE: "AssignedPodDelete",
    Kind.OWN_CHANGED: "PodUpdate",
    Kind.NAMESPACE: "NamespaceUpdate",
    Kind.STORAGE: "StorageChange",
    Kind.CLAIM: "PvcChange",
    Kind.DEVICES: "ResourceClaimChange",
}


class Change(msgspec.Struct, frozen=True):
    """old, new: NodeObject or PodEntry, by kind; None where there is none. Of CLAIM: the claim's key in `name`."""

    kind: Kind
    old: Any = None
    new: Any = None
    namespace_labels: dict[str, str] = {}
    name: str = ""


Hint = Callable[[PodEntry, Change], bool]


def wants_retry(plugin: str, pod: PodEntry, change: Change) -> bool:
    hints = HINTS.get(plugin)
    if hints is None:
        return change.kind is not Kind.NODE_GONE
    hint = hints.get(change.kind)
    return hint is not None and hint(pod, change)


def listens(plugin: str, kind: Kind) -> bool:
    """Whether a pod that this plugin rejected needs to be looked at for this kind of change at all."""
    hints = HINTS.get(plugin)
    return kind in hints if hints is not None else kind is not Kind.NODE_GONE


def _always(pod: PodEntry, change: Change) -> bool:
    return True


# Nodes.


def _became_schedulable(pod: PodEntry, change: Change) -> bool:
    return not change.new.spec.unschedulable and (change.old is None or change.old.spec.unschedulable)


def _tolerates_unschedulable(pod: PodEntry, change: Change) -> bool:
    return tolerated(UNSCHEDULABLE_TAINT, pod.shape.spec.tolerations or ())


def _taints_went(pod: PodEntry, change: Change) -> bool:
    def blocks(node: NodeObject | None) -> bool:
        return node is None or untolerated(pod.shape.spec.tolerations, node.spec.taints or ())

    return blocks(change.old) and not blocks(change.new)


def _labels_match_now(pod: PodEntry, change: Change) -> bool:
    return matches_node(pod, change.new) and (change.old is None or not matches_node(pod, change.old))


def _has_room(pod: PodEntry, change: Change) -> bool:
    """The requests fit the whole node, and something that the pod needs grew."""
    have = amounts(change.new.status.allocatable)
    wanted = [*pod.shape.requests.amounts, ("pods", 1)]
    if any(value > have.get(name, 0) for name, value in wanted):
        return False
    if change.old is None:
        return True
    had = amounts(change.old.status.allocatable)
    return any(have.get(name, 0) > had.get(name, 0) for name, _ in wanted)


def _topology_changed(pod: PodEntry, change: Change) -> bool:
    keys = [each.topology_key for each in pod.shape.spec.topology_spread_constraints or ()]
    old = _values(change.old, keys)
    new = _values(change.new, keys)
    if change.old is None or change.new is None:
        present = new if change.old is None else old
        return None not in present
    return old != new or change.old.spec.taints != change.new.spec.taints


def _domain_changed(pod: PodEntry, change: Change) -> bool:
    terms = terms_of(pod)
    near = [term.topology_key for term in terms.required]
    far = [term.topology_key for term in terms.required_anti]
    new_near, old_near = _values(change.new, near), _values(change.old, near)
    if any(value is not None and value != before for value, before in zip(new_near, old_near, strict=True)):
        return True
    # Anti-affinity, own and of pods that run, may stop to apply on a new node or in another domain.
    return change.old is None or _values(change.old, far) != _values(change.new, far) or not far


def _values(node: NodeObject | None, keys: list[str]) -> list[str | None]:
    labels = (node.metadata.labels or {}) if node is not None else {}
    return [labels.get(key) for key in keys]


# Pods.


def _port_freed(pod: PodEntry, change: Change) -> bool:
    return bool(change.old.shape.ports) and conflicts(pod.shape.ports, change.old.shape.ports)


def _scaled_down(pod: PodEntry, change: Change) -> bool:
    before, after = dict(change.old.shape.requests.amounts), dict(change.new.shape.requests.amounts)
    wanted = [name for name, _ in pod.shape.requests.amounts]
    return any(after.get(name, 0) < before.get(name, 0) for name in wanted)


def _own_scaled_down(pod: PodEntry, change: Change) -> bool:
    before, after = dict(change.old.shape.requests.amounts), dict(change.new.shape.requests.amounts)
    return any(after.get(name, 0) < value for name, value in before.items())


def _counts_for_spread(pod: PodEntry, other: PodEntry) -> bool:
    return other.namespace == pod.namespace and any(
        accepts(spread_selector(each, pod.labels), other.labels)
        for each in pod.shape.spec.topology_spread_constraints or ()
    )


def _spread_appeared(pod: PodEntry, change: Change) -> bool:
    return _counts_for_spread(pod, change.new)


def _spread_went(pod: PodEntry, change: Change) -> bool:
    return _counts_for_spread(pod, change.old)


def _spread_changed(pod: PodEntry, change: Change) -> bool:
    return _counts_for_spread(pod, change.old) != _counts_for_spread(pod, change.new) or (
        change.new.terminating and not change.old.terminating and _counts_for_spread(pod, change.new)
    )


def _all_accept(terms: tuple[Term, ...], other: PodEntry, labels: dict[str, str]) -> bool:
    return bool(terms) and all(term_accepts(term, other.label_set, labels) for term in terms)


def _any_accepts(terms: tuple[Term, ...], other: PodEntry, labels: dict[str, str]) -> bool:
    return any(term_accepts(term, other.label_set, labels) for term in terms)


def _friend_came(pod: PodEntry, change: Change) -> bool:
    return _all_accept(terms_of(pod).required, change.new, change.namespace_labels)


def _enemy_went(pod: PodEntry, change: Change) -> bool:
    if _any_accepts(terms_of(pod).required_anti, change.old, change.namespace_labels):
        return True
    # Terms of the pod that went are judged by labels of this pod's namespace, which its own terms rarely name.
    return any(
        term.namespace_selector is not None or term_accepts(term, pod.label_set, {})
        for term in terms_of(change.old).required_anti
    )


def _friend_or_enemy_changed(pod: PodEntry, change: Change) -> bool:
    terms, labels = terms_of(pod), change.namespace_labels
    friend = _all_accept(terms.required, change.new, labels) and not _all_accept(terms.required, change.old, labels)
    enemy = _any_accepts(terms.required_anti, change.old, labels)
    return friend or (enemy and not _any_accepts(terms.required_anti, change.new, labels))


def _shares_claim(pod: PodEntry, change: Change) -> bool:
    return change.old.namespace == pod.namespace and bool(set(pod.claims) & set(change.old.claims))


def _has_volumes(pod: PodEntry, change: Change) -> bool:
    return bool(change.old.claims)


def _own_claim(pod: PodEntry, change: Change) -> bool:
    return any(change.name == f"{pod.namespace}/{name}" for name, _ in pod.claims)


def _gates_emptied(pod: PodEntry, change: Change) -> bool:
    return not change.new.gates


HINTS: dict[str, dict[Kind, Hint]] = {
    # A new member takes those that wait along.
    "GangScheduling": {},
    "SchedulingGates": {Kind.OWN_CHANGED: _gates_emptied},
    "NodeUnschedulable": {
        Kind.NODE_ADDED: _became_schedulable,
        Kind.NODE_CHANGED: _became_schedulable,
        Kind.OWN_CHANGED: _tolerates_unschedulable,
    },
    "NodeName": {Kind.NODE_ADDED: _always},
    "TaintToleration": {
        Kind.NODE_ADDED: _taints_went,
        Kind.NODE_CHANGED: _taints_went,
        Kind.OWN_CHANGED: _always,
    },
    "NodeAffinity": {Kind.NODE_ADDED: _labels_match_now, Kind.NODE_CHANGED: _labels_match_now},
    "NodePorts": {Kind.NODE_ADDED: _always, Kind.POD_GONE: _port_freed},
    "NodeResourcesFit": {
        Kind.NODE_ADDED: _has_room,
        Kind.NODE_CHANGED: _has_room,
        Kind.POD_GONE: _always,
        Kind.POD_CHANGED: _scaled_down,
        Kind.OWN_CHANGED: _own_scaled_down,
    },
    "VolumeRestrictions": {Kind.CLAIM: _own_claim, Kind.POD_GONE: _shares_claim},
    "NodeVolumeLimits": {Kind.STORAGE: _always, Kind.POD_GONE: _has_volumes, Kind.CLAIM: _own_claim},
    "VolumeBinding": {
        Kind.STORAGE: _always,
        Kind.CLAIM: _own_claim,
        Kind.NODE_ADDED: _always,
        Kind.NODE_CHANGED: _always,
    },
    "VolumeZone": {
        Kind.STORAGE: _always,
        Kind.CLAIM: _own_claim,
        Kind.NODE_ADDED: _always,
        Kind.NODE_CHANGED: _always,
    },
    "PodTopologySpread": {
        Kind.NODE_ADDED: _topology_changed,
        Kind.NODE_CHANGED: _topology_changed,
        Kind.NODE_GONE: _topology_changed,
        Kind.POD_ADDED: _spread_appeared,
        Kind.POD_CHANGED: _spread_changed,
        Kind.POD_GONE: _spread_went,
        Kind.OWN_CHANGED: _always,
    },
    "InterPodAffinity": {
        Kind.NODE_ADDED: _domain_changed,
        Kind.NODE_CHANGED: _domain_changed,
        Kind.POD_ADDED: _friend_came,
        Kind.POD_CHANGED: _friend_or_enemy_changed,
        Kind.POD_GONE: _enemy_went,
        Kind.NAMESPACE: _always,
        Kind.OWN_CHANGED: _always,
    },
    "DynamicResources": {
        Kind.DEVICES: _always,
        Kind.NODE_ADDED: _always,
        Kind.NODE_CHANGED: _always,
        Kind.OWN_CHANGED: _always,
    },
}
