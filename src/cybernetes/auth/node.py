"""What a node may read and write: its own objects, and those that its pods need. A graph that follows the pods.

enters   pods, volumes' claims, volume attachments and resource slices, as a Lister tells of them
leaves   a Decision; for what the graph does not know the general rules of nodes decide
holds    a node reads no secret, config map, claim, volume or service account that none of its pods uses
cost     O(objects of one pod) for a change of a pod, a few look-ups for a decision

source  Kubernetes documentation "Using Node Authorization"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from cybernetes.auth.authz import NO_OPINION, Attributes, Decision, Verdict
from cybernetes.auth.lister import Lister
from cybernetes.auth.references import Reference, of_pod
from cybernetes.auth.rules import Rule
from cybernetes.auth.user import node_name

Object = dict[str, Any]

LEASE_NAMESPACE = "kube-node-lease"
_STORAGE = "storage.k8s.io"
_RESOURCE = "resource.k8s.io"
_COORDINATION = "coordination.k8s.io"
_ALLOWED = Decision(Verdict.ALLOW)


def _no(reason: str) -> Decision:
    return Decision(Verdict.NO_OPINION, reason)


class NodeGraph:
    """Which nodes use an object: by pods that are bound to them."""

    def __init__(self, lister: Lister) -> None:
        self._lister = lister
        # (plural, namespace, name) -> node -> how many of its pods use it
        self._users: dict[Reference, dict[str, int]] = {}
        # A volume is used through claims; a claim names it.
        self._claim_of_volume: dict[str, tuple[str, str]] = {}
        self._node_of: dict[tuple[str, str], str] = {}
        # Secrets that a volume names, by the volume.
        self._secrets_of_volume: dict[str, tuple[Reference, ...]] = {}
        self._volumes_of_secret: dict[Reference, set[str]] = {}
        lister.subscribe_specs("", "pods", self._pod_changed, holding="nodeName")
        lister.subscribe("", "persistentvolumes", self._volume_changed)
        lister.subscribe(_STORAGE, "volumeattachments", partial(self._belonging_changed, "volumeattachments"))
        lister.subscribe(_RESOURCE, "resourceslices", partial(self._belonging_changed, "resourceslices"))

    def uses(self, node: str, plural: str, namespace: str, name: str) -> bool:
        reference = (plural, namespace, name)
        if plural == "persistentvolumes":
            return self._uses_volume(node, name)
        if plural == "pods":
            pod = self._lister.get("", "pods", namespace, name)
            return pod is not None and pod["spec"].get("nodeName") == node
        if plural in ("volumeattachments", "resourceslices"):
            return self._node_of.get((plural, name)) == node
        if node in self._users.get(reference, ()):
            return True
        if plural == "resourceclaims":
            return self._uses_claim(node, namespace, name)
        return any(self._uses_volume(node, volume) for volume in self._volumes_of_secret.get(reference, ()))

    def _uses_claim(self, node: str, namespace: str, name: str) -> bool:
        """A claim made for a pod is named in the pod's status, but says itself for whom it is reserved."""
        claim = self._lister.get(_RESOURCE, "resourceclaims", namespace, name)
        reserved = ((claim or {}).get("status") or {}).get("reservedFor") or ()
        pods = [each["name"] for each in reserved if each.get("resource") == "pods" and not each.get("apiGroup")]
        return any(self.uses(node, "pods", namespace, pod) for pod in pods)

    def _uses_volume(self, node: str, volume: str) -> bool:
        claim = self._claim_of_volume.get(volume)
        return claim is not None and node in self._users.get(("persistentvolumeclaims", *claim), ())

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        before, after = _edges(old), _edges(new)
        if before == after:
            return
        self._count(before, -1)
        self._count(after, 1)

    def _count(self, edges: tuple[str, frozenset[Reference]], step: int) -> None:
        node, references = edges
        for reference in references:
            users = self._users.setdefault(reference, {})
            users[node] = users.get(node, 0) + step
            if users[node] <= 0:
                del users[node]
            if not users:
                del self._users[reference]

    def _volume_changed(self, old: Object | None, new: Object | None) -> None:
        name = (new or old or {})["metadata"]["name"]
        self._claim_of_volume.pop(name, None)
        for reference in self._secrets_of_volume.pop(name, ()):
            volumes = self._volumes_of_secret[reference]
            volumes.discard(name)
            if not volumes:
                del self._volumes_of_secret[reference]
        if new is None:
            return
        claim = (new.get("spec") or {}).get("claimRef")
        if claim:
            self._claim_of_volume[name] = (claim.get("namespace", ""), claim.get("name", ""))
        references = tuple(_secrets_of_volume(new))
        if references:
            self._secrets_of_volume[name] = references
        for reference in references:
            self._volumes_of_secret.setdefault(reference, set()).add(name)

    def _belonging_changed(self, plural: str, old: Object | None, new: Object | None) -> None:
        """Objects that name their node themselves."""
        if old is not None:
            self._node_of.pop((plural, old["metadata"]["name"]), None)
        node = ((new or {}).get("spec") or {}).get("nodeName")
        if new is not None and node:
            self._node_of[plural, new["metadata"]["name"]] = node


def _edges(pod: Object | None) -> tuple[str, frozenset[Reference]]:
    """The pod's node, and what the pod lets the node read: nothing before it is bound, or where it mirrors a file.

    A node makes mirror pods itself, so what they refer to must not open anything to it.
    """
    node = (pod.get("spec") or {}).get("nodeName", "") if pod else ""
    if not pod or not node or "kubernetes.io/config.mirror" in (pod["metadata"].get("annotations") or {}):
        return "", frozenset()
    return node, frozenset(of_pod(pod))


def _secrets_of_volume(volume: Object) -> Iterator[Reference]:
    spec = volume.get("spec") or {}
    claim_namespace = (spec.get("claimRef") or {}).get("namespace", "")
    for source in spec.values():
        if not isinstance(source, dict):
            continue
        for key in ("secretRef", "nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef"):
            reference = source.get(key)
            if isinstance(reference, dict) and reference.get("name"):
                yield "secrets", reference.get("namespace") or claim_namespace, reference["name"]
    azure = spec.get("azureFile") or {}
    if azure.get("secretName"):
        yield "secrets", azure.get("secretNamespace") or claim_namespace, azure["secretName"]


class NodeAuthorizer:
    """rules  those of the cluster role system:node; they hold where the graph has nothing to say"""

    def __init__(self, graph: NodeGraph, rules: Sequence[Rule]) -> None:
        self._graph = graph
        self._rules = tuple(rules)

    def decide(self, attributes: Attributes) -> Decision:
        node = node_name(attributes.user)
        if node is None:
            return NO_OPINION
        if attributes.is_resource:
            special = _SPECIAL.get((attributes.group, attributes.resource))
            if special is not None:
                return special(self, node, attributes)
        return self._by_rules(attributes)

    def _by_rules(self, a: Attributes) -> Decision:
        return _ALLOWED if any(rule.allows(a) for rule in self._rules) else NO_OPINION

    def _related(self, node: str, a: Attributes) -> Decision:
        if not a.name:
            return _no("No Object name found")
        if self._graph.uses(node, a.resource, a.namespace, a.name):
            return _ALLOWED
        return _no(f"no relationship found between node '{node}' and this object")

    def _read(self, node: str, a: Attributes) -> Decision:
        """Secrets and config maps: one at a time, also to watch it."""
        if a.verb not in ("get", "list", "watch"):
            return _no("can only read resources of this type")
        if a.subresource:
            return _no("cannot read subresource")
        if not a.namespace:
            return _no("can only read namespaced object of this type")
        return self._related(node, a)

    def _get(self, node: str, a: Attributes) -> Decision:
        if a.verb != "get":
            return _no("can only get individual resources of this type")
        if a.subresource:
            return _no("cannot get subresource")
        return self._related(node, a)

    def _claim(self, node: str, a: Attributes) -> Decision:
        if a.subresource != "status":
            return self._get(node, a)
        if a.verb not in ("get", "update", "patch"):
            return _no("can only get/update/patch this type")
        return self._related(node, a)

    def _account(self, node: str, a: Attributes) -> Decision:
        if not a.subresource:
            return self._get(node, a)
        if a.verb != "create" or not a.name:
            return _no("can only create tokens for individual service accounts")
        if a.subresource != "token":
            return _no("can only create token subresource of serviceaccount")
        return self._related(node, a)

    def _pod(self, node: str, a: Attributes) -> Decision:
        """What a node may write of its pods is for NodeRestriction, which sees the pod."""
        if a.subresource or a.verb not in ("get", "list", "watch"):
            return self._by_rules(a)
        if a.verb == "get" or a.name:
            return self._related(node, a)
        return self._selected(node, a, "can only list/watch pods with spec.nodeName field selector")

    def _selected(self, node: str, a: Attributes, otherwise: str) -> Decision:
        return _ALLOWED if ("spec.nodeName", node) in a.field_selector else _no(otherwise)

    def _own_node(self, node: str, a: Attributes) -> Decision:
        if a.subresource or a.verb not in ("get", "list", "watch") or a.name == node:
            return self._by_rules(a)
        if not a.name:
            return _no(f"node '{node}' cannot read all nodes, only its own Node object")
        return _no(f"node '{node}' cannot read '{a.name}', only its own Node object")

    def _lease(self, node: str, a: Attributes) -> Decision:
        # A new object has no name here yet; NodeRestriction looks at it.
        if a.subresource or a.verb not in ("get", "create", "update", "patch", "delete"):
            return _no("can only get, create, update, patch, or delete a node lease")
        if a.namespace != LEASE_NAMESPACE:
            return _no(f'can only access leases in the "{LEASE_NAMESPACE}" system namespace')
        if a.verb != "create" and a.name != node:
            return _no("can only access node lease with the same name as the requesting node")
        return _ALLOWED

    def _csi_node(self, node: str, a: Attributes) -> Decision:
        if a.subresource:
            return _no("cannot authorize CSINode subresources")
        if a.verb not in ("get", "create", "update", "patch", "delete"):
            return _no("can only get, create, update, patch, or delete a CSINode")
        if a.verb != "create" and a.name != node:
            return _no("can only access CSINode with the same name as the requesting node")
        return _ALLOWED

    def _slice(self, node: str, a: Attributes) -> Decision:
        if a.subresource:
            return _no("cannot authorize ResourceSlice subresources")
        if a.verb == "create":
            return _ALLOWED
        if a.verb in ("get", "update", "patch", "delete"):
            return self._related(node, a)
        if a.verb in ("list", "watch", "deletecollection"):
            return self._selected(
                node, a, "can only list/watch/deletecollection resourceslices with spec.nodeName field selector"
            )
        return _no("only known verbs are allowed for a ResourceSlice")


_SPECIAL: dict[tuple[str, str], Callable[[NodeAuthorizer, str, Attributes], Decision]] = {
    ("", "secrets"): NodeAuthorizer._read,
    ("", "configmaps"): NodeAuthorizer._read,
    ("", "persistentvolumeclaims"): NodeAuthorizer._claim,
    ("", "persistentvolumes"): NodeAuthorizer._get,
    ("", "serviceaccounts"): NodeAuthorizer._account,
    ("", "pods"): NodeAuthorizer._pod,
    ("", "nodes"): NodeAuthorizer._own_node,
    (_STORAGE, "volumeattachments"): NodeAuthorizer._get,
    (_STORAGE, "csinodes"): NodeAuthorizer._csi_node,
    (_COORDINATION, "leases"): NodeAuthorizer._lease,
    (_RESOURCE, "resourceclaims"): NodeAuthorizer._get,
    (_RESOURCE, "resourceslices"): NodeAuthorizer._slice,
}
