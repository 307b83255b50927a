"""NodeRestriction: a node writes its own objects and those of its pods, and nothing that would draw work or trust to it."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any

from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import Mutating, Step
from cybernetes.apiserver.admission.service_account import MIRROR, is_mirror
from cybernetes.auth import pki, references
from cybernetes.auth.lister import Lister
from cybernetes.auth.user import NODE_PREFIX, NODES, node_name
from cybernetes.base.errors import conflict, not_found
from cybernetes.model.local_volumes import NODE_LABEL, PROVISIONED_BY, PROVISIONER

Object = dict[str, Any]
Rule = Callable[["NodeRestriction", AdmissionAttributes, str], None]

LEASES = "kube-node-lease"
_KUBELET_SIGNERS = ("kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet")
# Of the labels whose prefix Kubernetes keeps for itself, those that a node knows best.
_KUBELET_LABELS = frozenset(
    (
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "node.kubernetes.io/instance-type",
        "beta.kubernetes.io/instance-type",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
    )
)
_KUBELET_PREFIXES = ("kubelet.kubernetes.io", "node.kubernetes.io")


class NodeRestriction(Mutating):
    name = "NodeRestriction"

    def __init__(self, lister: Lister) -> None:
        self._lister = lister

    def mutator(self, place: Place) -> Step | None:
        rule = _RULES.get((place.group, place.plural))
        if rule is None:
            return None

        def restrict(attributes: AdmissionAttributes) -> None:
            user = attributes.user
            if NODES not in user.groups or not user.name.startswith(NODE_PREFIX):
                return
            node = node_name(user)
            if not node:
                raise attributes.forbidden(f'could not determine node from user "{user.name}"')
            rule(self, attributes, node)

        return restrict

    def _pod(self, a: AdmissionAttributes, node: str) -> None:
        match a.subresource:
            case "":
                self._whole_pod(a, node)
            case "status":
                _pod_status(a, node)
            case "eviction":
                if self._node_of_pod(a) != node:
                    raise a.forbidden(f"node {node} can only evict pods with spec.nodeName set to itself")
            case other:
                raise a.forbidden(f"unexpected pod subresource \"{other}\", only 'status' and 'eviction' are allowed")

    def _whole_pod(self, a: AdmissionAttributes, node: str) -> None:
        if a.operation == "CREATE":
            self._mirror_pod(a, node)
        elif a.operation == "DELETE":
            if self._node_of_pod(a) != node:
                raise a.forbidden(f'node "{node}" can only delete pods with spec.nodeName set to itself')
        else:
            raise a.forbidden(
                f'unexpected operation "{a.operation}", node "{node}" can only create and delete mirror pods'
            )

    def _node_of_pod(self, a: AdmissionAttributes) -> str:
        pod = a.old if a.old is not None and a.old.get("kind") == "Pod" else None
        pod = pod or self._lister.get("", "pods", a.namespace, a.name)
        if pod is None:
            raise not_found("", "pods", a.name)
        return str(pod["spec"].get("nodeName", ""))

    def _mirror_pod(self, a: AdmissionAttributes, node: str) -> None:
        pod = a.new
        if not is_mirror(pod):
            raise a.forbidden(f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods')
        if pod["spec"].get("nodeName") != node:
            raise a.forbidden(f'node "{node}" can only create pods with spec.nodeName set to itself')
        self._owned_by_node(a, node)
        what = next(_foreign(pod), None)
        if what is not None:
            raise a.forbidden(f'node "{node}" can not create pods that reference {what}')

    def _owned_by_node(self, a: AdmissionAttributes, node: str) -> None:
        owners = a.new["metadata"].get("ownerReferences") or ()
        if len(owners) > 1:
            raise a.forbidden(f'node "{node}" can only create pods with a single owner reference set to itself')
        owner = owners[0] if owners else {}
        if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
            raise a.forbidden(f'node "{node}" can only create pods with an owner reference set to itself')
        if not owner.get("controller"):
            raise a.forbidden(f'node "{node}" can only create pods with a controller owner reference set to itself')
        if owner.get("blockOwnerDeletion"):
            raise a.forbidden(f'node "{node}" must not set blockOwnerDeletion on an owner reference')
        found = self._lister.get("", "nodes", "", node)
        if found is None:
            raise not_found("", "nodes", node)
        if owner.get("uid") != found["metadata"]["uid"]:
            raise a.forbidden(
                f"node {node} UID mismatch: expected {found['metadata']['uid']} got {owner.get('uid', '')}"
            )

    def _node(self, a: AdmissionAttributes, node: str) -> None:
        name = a.name or (a.object or {}).get("metadata", {}).get("name", "")
        if name != node:
            raise a.forbidden(f'node "{node}" is not allowed to modify node "{name}"')
        if a.operation not in ("CREATE", "UPDATE"):
            return
        old: Object = a.old or {"metadata": {}, "spec": {}}
        labels = _forbidden_labels(a.new["metadata"].get("labels") or {}, old["metadata"].get("labels") or {})
        if labels and a.operation == "CREATE":
            raise a.forbidden(f'node "{node}" is not allowed to set the following labels: {", ".join(labels)}')
        if labels:
            raise a.forbidden(f"is not allowed to modify labels: {', '.join(labels)}")
        if (a.new["metadata"].get("ownerReferences") or []) != (old["metadata"].get("ownerReferences") or []):
            raise a.forbidden(f'node "{node}" is not allowed to modify ownerReferences')
        if a.operation == "UPDATE" and _taints(a.new) != _taints(old):
            raise a.forbidden(f'node "{node}" is not allowed to modify taints')

    def _claim(self, a: AdmissionAttributes, node: str) -> None:
        """Of a claim, a node only reports that its volume has grown."""
        if a.subresource != "status" or a.operation != "UPDATE":
            raise a.forbidden("may only update PVC status")
        if _without_resize(a.new) != _without_resize(a.before):
            raise a.forbidden(f"node {node} is not allowed to update fields other than status.capacity and conditions")

    def _account(self, a: AdmissionAttributes, node: str) -> None:
        if a.operation != "CREATE" or a.subresource != "token":
            return
        spec = a.new["spec"]
        bound = spec.get("boundObjectRef") or {}
        if (bound.get("apiVersion"), bound.get("kind")) != ("v1", "Pod") or not bound.get("name"):
            raise a.forbidden("node requested token not bound to a pod")
        if not bound.get("uid"):
            raise a.forbidden("node requested token with a pod binding without a uid")
        pod = self._lister.get("", "pods", a.namespace, bound["name"])
        if pod is None:
            raise not_found("", "pods", bound["name"])
        if pod["metadata"]["uid"] != bound["uid"]:
            why = f"the UID in the bound object reference ({bound['uid']}) does not match the UID in record."
            raise conflict("", "pods", bound["name"], f"{why} The object might have been deleted and then recreated")
        if pod["spec"].get("nodeName") != node:
            raise a.forbidden("node requested token bound to a pod scheduled on a different node")
        allowed = set(self._audiences(pod["spec"]))
        for audience in spec.get("audiences") or [""]:
            if audience not in allowed:
                raise a.forbidden(f'audience "{audience}" not found in pod spec volume')

    def _audiences(self, spec: Object) -> Iterator[str]:
        """Audiences for which the pod's volumes ask tokens; "" is the API server itself."""
        for volume in spec.get("volumes") or ():
            for source in (volume.get("projected") or {}).get("sources") or ():
                if source.get("serviceAccountToken") is not None:
                    yield source["serviceAccountToken"].get("audience", "")
            if volume.get("csi"):
                driver = self._lister.get("storage.k8s.io", "csidrivers", "", volume["csi"].get("driver", ""))
                for each in ((driver or {}).get("spec") or {}).get("tokenRequests") or ():
                    yield each.get("audience", "")

    def _lease(self, a: AdmissionAttributes, node: str) -> None:
        if a.namespace != LEASES:
            raise a.forbidden(f'can only access leases in the "{LEASES}" system namespace')
        if a.name != node:
            raise a.forbidden("can only access node lease with the same name as the requesting node")

    def _csi_node(self, a: AdmissionAttributes, node: str) -> None:
        if a.name != node:
            raise a.forbidden("can only access CSINode with the same name as the requesting node")

    def _slice(self, a: AdmissionAttributes, node: str) -> None:
        owner = (a.object or a.old or {"spec": {}})["spec"].get("nodeName", "")
        if (a.object or a.old) and owner != node:
            raise a.forbidden("can only create ResourceSlice with the same NodeName as the requesting node")

    def _request(self, a: AdmissionAttributes, node: str) -> None:
        if a.operation != "CREATE" or a.new["spec"].get("signerName") not in _KUBELET_SIGNERS:
            return
        try:
            asked = pki.read_request(b64decode(a.new["spec"].get("request", "")))
        except ValueError as wrong:
            raise a.forbidden(f"unable to parse csr: {wrong}") from wrong
        if asked.common_name != a.user.name:
            raise a.forbidden(f"can only create a node CSR with CN={a.user.name}")

    def _volume(self, a: AdmissionAttributes, node: str) -> None:
        """Upstream's nodes have no right to write volumes; here they remove the folders that were made on them."""
        volume = self._lister.get("", "persistentvolumes", "", a.name) if a.name else None
        if a.operation != "DELETE" or volume is None:
            raise a.forbidden(f'node "{node}" can only delete single volumes')
        metadata = volume["metadata"]
        made_here = (metadata.get("annotations") or {}).get(PROVISIONED_BY) == PROVISIONER
        if not made_here or (metadata.get("labels") or {}).get(NODE_LABEL) != node:
            raise a.forbidden(f'node "{node}" can only delete local volumes that were made on it')
        if (volume.get("status") or {}).get("phase") != "Released":
            raise a.forbidden(f'node "{node}" can only delete volumes that were released')

    def _pod_certificate(self, a: AdmissionAttributes, node: str) -> None:
        """A certificate is asked for by the node that runs the pod, and names the pod as it is."""
        if a.operation != "CREATE" or a.subresource:
            raise a.forbidden(f'node "{node}" can only create pod certificate requests')
        spec = a.new["spec"]
        if spec.get("nodeName") != node:
            raise a.forbidden(
                f'node "{node}" can only create pod certificate requests with spec.nodeName set to itself'
            )
        pod = self._lister.get("", "pods", a.namespace, spec.get("podName", ""))
        if pod is None or pod["metadata"].get("uid") != spec.get("podUID"):
            raise a.forbidden(f'pod "{spec.get("podName", "")}" with that UID does not exist')
        if pod["spec"].get("nodeName") != node or is_mirror(pod):
            raise a.forbidden(f'pod "{spec["podName"]}" does not run on node "{node}"')
        account = pod["spec"].get("serviceAccountName", "")
        if spec.get("serviceAccountName") != account:
            raise a.forbidden(f'pod "{spec["podName"]}" has the service account "{account}"')
        found = self._lister.get("", "serviceaccounts", a.namespace, account)
        if found is None or found["metadata"].get("uid") != spec.get("serviceAccountUID"):
            raise a.forbidden(f'service account "{account}" with that UID does not exist')


_RULES: dict[tuple[str, str], Rule] = {
    ("", "pods"): NodeRestriction._pod,
    ("", "nodes"): NodeRestriction._node,
    ("", "persistentvolumeclaims"): NodeRestriction._claim,
    ("", "persistentvolumes"): NodeRestriction._volume,
    ("", "serviceaccounts"): NodeRestriction._account,
    ("coordination.k8s.io", "leases"): NodeRestriction._lease,
    ("storage.k8s.io", "csinodes"): NodeRestriction._csi_node,
    ("resource.k8s.io", "resourceslices"): NodeRestriction._slice,
    ("certificates.k8s.io", "certificatesigningrequests"): NodeRestriction._request,
    ("certificates.k8s.io", "podcertificaterequests"): NodeRestriction._pod_certificate,
}


def _pod_status(a: AdmissionAttributes, node: str) -> None:
    if a.operation != "UPDATE":
        raise a.forbidden(f'unexpected operation "{a.operation}", node "{node}" can only update pod status')
    new, old = a.new, a.before
    if old["spec"].get("nodeName") != node:
        raise a.forbidden(f'node "{node}" can only update pod status for pods with spec.nodeName set to itself')
    if (new["metadata"].get("labels") or {}) != (old["metadata"].get("labels") or {}):
        raise a.forbidden(f'node "{node}" cannot update labels through pod status')
    status, before = new.get("status") or {}, old.get("status") or {}
    if status.get("resourceClaimStatuses") != before.get("resourceClaimStatuses"):
        raise a.forbidden(f'node "{node}" cannot update resource claim statuses')
    if status.get("extendedResourceClaimStatus") != before.get("extendedResourceClaimStatus"):
        raise a.forbidden(f'node "{node}" cannot update extended resource claim status')


def _foreign(pod: Object) -> Iterator[str]:
    """Kinds of objects that a mirror pod refers to."""
    spec = pod["spec"]
    if spec.get("serviceAccountName"):
        yield "a service account"
    if any(True for _ in references.secrets(spec)):
        yield "secrets"
    if any(True for _ in references.config_maps(spec)):
        yield "configmaps"
    for volume in spec.get("volumes") or ():
        if volume.get("persistentVolumeClaim") is not None or volume.get("ephemeral") is not None:
            yield "persistentvolumeclaims"
        for source in (volume.get("projected") or {}).get("sources") or ():
            if source.get("serviceAccountToken") is not None:
                yield "a service account"
            if source.get("clusterTrustBundle") is not None:
                yield "clustertrustbundles"
    if spec.get("resourceClaims"):
        yield "resourceclaims"


def _forbidden_labels(new: Object, old: Object) -> list[str]:
    changed = {key for key in (*new, *old) if new.get(key) != old.get(key)}
    return sorted(key for key in changed if _is_reserved(key))


def _is_reserved(label: str) -> bool:
    prefix = label.partition("/")[0] if "/" in label else ""
    if _within(prefix, "node-restriction.kubernetes.io"):
        return True
    if not _within(prefix, "kubernetes.io") and not _within(prefix, "k8s.io"):
        return False
    return label not in _KUBELET_LABELS and not any(_within(prefix, each) for each in _KUBELET_PREFIXES)


def _within(prefix: str, domain: str) -> bool:
    return prefix == domain or prefix.endswith(f".{domain}")


def _taints(node: Object) -> list[Object]:
    return (node.get("spec") or {}).get("taints") or []


def _without_resize(claim: Object) -> Object:
    status = {
        key: value
        for key, value in (claim.get("status") or {}).items()
        if key not in ("capacity", "conditions", "allocatedResources", "allocatedResourceStatuses", "resizeStatus")
    }
    metadata = {key: v for key, v in claim["metadata"].items() if key not in ("managedFields", "resourceVersion")}
    return {**claim, "metadata": metadata, "status": status}
