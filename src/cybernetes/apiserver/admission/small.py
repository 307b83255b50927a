"""Plugins of a few lines: finalizers of storage in use, the taint of new nodes, zones of bound pods, external IPs."""

from __future__ import annotations

from typing import Any

from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import Mutating, Step, Validating
from cybernetes.auth.lister import Lister

Object = dict[str, Any]

_FINALIZERS = {
    ("", "persistentvolumeclaims"): "kubernetes.io/pvc-protection",
    ("", "persistentvolumes"): "kubernetes.io/pv-protection",
    ("storage.k8s.io", "volumeattributesclasses"): "kubernetes.io/vac-protection",
}
_NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
_TOPOLOGY = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


class StorageObjectInUseProtection(Mutating):
    name = "StorageObjectInUseProtection"

    def mutator(self, place: Place) -> Step | None:
        finalizer = _FINALIZERS.get((place.group, place.plural))
        if finalizer is None or place.operation != "CREATE" or place.subresource:
            return None

        def protect(attributes: AdmissionAttributes) -> None:
            metadata = attributes.new["metadata"]
            has = metadata.get("finalizers") or []
            if finalizer not in has:
                metadata["finalizers"] = [*has, finalizer]

        return protect


class TaintNodesByCondition(Mutating):
    """A new node takes no pods before it said that it is ready."""

    name = "TaintNodesByCondition"

    def mutator(self, place: Place) -> Step | None:
        return _taint if place.is_("", "nodes", "CREATE") else None


def _taint(attributes: AdmissionAttributes) -> None:
    spec = attributes.new.setdefault("spec", {})
    taints = spec.get("taints") or []
    if not any((each.get("key"), each.get("effect")) == tuple(_NOT_READY.values()) for each in taints):
        spec["taints"] = [*taints, dict(_NOT_READY)]


class PodTopologyLabels(Mutating):
    """A pod knows the zone and region of its node: the binding carries them, or the pod that names its node itself."""

    name = "PodTopologyLabels"

    def __init__(self, lister: Lister) -> None:
        self._lister = lister

    def mutator(self, place: Place) -> Step | None:
        if place.is_pod("CREATE"):
            return self._of_pod
        if place.is_pod("CREATE", subresource="binding") or place.is_("", "bindings", "CREATE"):
            return self._of_binding
        return None

    def _of_pod(self, attributes: AdmissionAttributes) -> None:
        node = attributes.new["spec"].get("nodeName")
        if node:
            self._copy(node, attributes.new)

    def _of_binding(self, attributes: AdmissionAttributes) -> None:
        target = attributes.new.get("target") or {}
        if target.get("kind") in (None, "", "Node") and target.get("name"):
            self._copy(target["name"], attributes.new)

    def _copy(self, node_name: str, obj: Object) -> None:
        labels = self._lister.labels("", "nodes", "", node_name)
        topology = {key: labels[key] for key in _TOPOLOGY if key in labels}
        if topology:
            metadata = obj.setdefault("metadata", {})
            metadata["labels"] = {**(metadata.get("labels") or {}), **topology}


class DenyServiceExternalIPs(Validating):
    """A service must not draw traffic for addresses that are not the cluster's: CVE-2020-8554."""

    name = "DenyServiceExternalIPs"

    def validator(self, place: Place) -> Step | None:
        return _deny_new_addresses if place.is_("", "services", "CREATE", "UPDATE") else None


def _deny_new_addresses(attributes: AdmissionAttributes) -> None:
    wanted = attributes.new["spec"].get("externalIPs") or ()
    has = (attributes.old or {"spec": {}})["spec"].get("externalIPs") or ()
    if set(wanted) - set(has):
        raise attributes.forbidden("Use of external IPs is denied by admission control")
