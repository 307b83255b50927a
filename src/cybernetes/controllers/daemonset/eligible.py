"""Whether a node should run a pod of a DaemonSet.

source  Kubernetes documentation "DaemonSet", taints and tolerations
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cybernetes.controllers.objects import Node, Toleration
from cybernetes.model.placement import NODE_NAME, term_matches, tolerated

_PREFIX = "node.kubernetes.io/"
_NO_EXECUTE = ("not-ready", "unreachable")
_NO_SCHEDULE = ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")

Object = dict[str, Any]


class Fit(msgspec.Struct, frozen=True):
    """run: a pod should be there. stay: a pod that is there may go on, though none would be made."""

    run: bool
    stay: bool


def with_tolerations(spec: Object) -> Object:
    """The pod spec with what every daemon tolerates."""
    added = [_toleration(key, "NoExecute") for key in _NO_EXECUTE]
    added += [_toleration(key, "NoSchedule") for key in _NO_SCHEDULE]
    if spec.get("hostNetwork"):
        added.append(_toleration("network-unavailable", "NoSchedule"))
    present = spec.get("tolerations") or []
    return {**spec, "tolerations": [*present, *(each for each in added if each not in present)]}


def _toleration(key: str, effect: str) -> Object:
    return {"key": _PREFIX + key, "operator": "Exists", "effect": effect}


def for_node(spec: Object, name: str) -> Object:
    """The pod spec with an affinity for exactly this node, in every term that there is."""
    field = {"key": NODE_NAME, "operator": "In", "values": [name]}
    affinity = dict(spec.get("affinity") or {})
    node_affinity = dict(affinity.get("nodeAffinity") or {})
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = [{**term, "matchFields": [field]} for term in required.get("nodeSelectorTerms") or [{}]]
    node_affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": terms}
    affinity["nodeAffinity"] = node_affinity
    return {**spec, "affinity": affinity}


class Fitter:
    """Judges nodes for one pod spec, which already has the tolerations of daemons."""

    def __init__(self, spec: Object) -> None:
        self._node_name = spec.get("nodeName") or ""
        self._node_selector: Mapping[str, str] = spec.get("nodeSelector") or {}
        node_affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
        required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
        self._terms: list[Object] | None = (required.get("nodeSelectorTerms") or []) if required else None
        self._tolerations: list[Toleration] = msgspec.convert(spec.get("tolerations") or [], list[Toleration])

    def fit(self, node: Node) -> Fit:
        if not self._wants(node):
            return Fit(run=False, stay=False)
        hard = [each for each in node.spec.taints if each.effect in ("NoSchedule", "NoExecute")]
        untolerated = [each for each in hard if not tolerated(each, self._tolerations)]
        if not untolerated:
            return Fit(run=True, stay=True)
        return Fit(run=False, stay=all(each.effect == "NoSchedule" for each in untolerated))

    def _wants(self, node: Node) -> bool:
        labels = node.metadata.labels
        if self._node_name and self._node_name != node.metadata.name:
            return False
        if not self._node_selector.items() <= labels.items():
            return False
        return self._terms is None or any(term_matches(each, node.metadata.name, labels) for each in self._terms)
