"""What has to change about a claim, and how a claim from a template looks. Pure.

source  Kubernetes documentation "Dynamic Resource Allocation"
"""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.client.target import PODS
from cybernetes.controllers import pods
from cybernetes.controllers.objects import EMPTY, Meta, Pod, View, raw

Object = dict[str, Any]

FINALIZER = "resource.kubernetes.io/delete-protection"
POD_CLAIM_NAME = "resource.kubernetes.io/pod-claim-name"
# Of a generated name; five characters follow.
PREFIX_MAX = 57


class Consumer(View, frozen=True, gc=False):
    resource: str = ""
    name: str = ""
    uid: str = ""
    api_group: str = ""


class Allocation(View, frozen=True, gc=False):
    """Only whether there is one matters."""


class ClaimStatus(View, frozen=True, gc=False):
    allocation: Allocation | None = None
    reserved_for: tuple[Consumer, ...] = ()


class Claim(View, frozen=True, gc=False):
    metadata: Meta
    status: ClaimStatus = ClaimStatus()

    @property
    def consumers(self) -> list[str]:
        """Keys of the pods that use it, and of the pod that it was made for."""
        namespace, owner = self.metadata.namespace, self.metadata.controller
        names = [each.name for each in self.status.reserved_for if each.resource == "pods"]
        names += [owner.name] if owner is not None and owner.kind == "Pod" else []
        return [f"{namespace}/{name}" for name in names]


class Template(View, frozen=True, gc=False):
    """spec: metadata and spec of the claims; stays JSON until one is made."""

    metadata: Meta
    spec: msgspec.Raw = EMPTY


class Step(msgspec.Struct, frozen=True):
    """reserved: what stays of reservedFor; deallocate: the devices go back; delete: the claim itself goes."""

    reserved: tuple[Consumer, ...]
    deallocate: bool
    delete: bool

    def changes(self, claim: Claim) -> bool:
        return self.deallocate or self.reserved != claim.status.reserved_for


def uses_no_more(pod: Pod | None, uid: str) -> bool:
    """Whether the pod of this uid is gone, replaced, done, or deleted before it had a node."""
    if pod is None or pod.metadata.uid != uid or pods.is_terminal(pod):
        return True
    return bool(pod.metadata.deletion_timestamp) and not pod.spec.node_name


def step(claim: Claim, known: dict[str, Pod | None]) -> Step:
    """known: pods by key, None where there is none (any more)."""
    namespace = claim.metadata.namespace
    reserved = tuple(
        each
        for each in claim.status.reserved_for
        if each.resource != "pods" or not uses_no_more(known.get(f"{namespace}/{each.name}"), each.uid)
    )
    protected, deleted = FINALIZER in claim.metadata.finalizers, bool(claim.metadata.deletion_timestamp)
    freed = len(reserved) < len(claim.status.reserved_for)
    deallocate = protected and not reserved and (freed or deleted)
    owner = claim.metadata.controller
    orphan = (
        owner is not None and owner.kind == "Pod" and uses_no_more(known.get(f"{namespace}/{owner.name}"), owner.uid)
    )
    return Step(reserved, deallocate, not reserved and orphan and not deleted)


def made_for(pod: Pod, name: str, template: Template) -> Object:
    """The claim of a pod's template."""
    of = raw(template.spec)
    meta = of.get("metadata") or {}
    metadata: Object = {
        "generateName": prefix(pod.metadata.name, name),
        "namespace": pod.metadata.namespace,
        "annotations": {**(meta.get("annotations") or {}), POD_CLAIM_NAME: name},
        "ownerReferences": [pods.owner_reference(PODS, pod.metadata)],
    }
    if meta.get("labels"):
        metadata["labels"] = meta["labels"]
    return {"metadata": metadata, "spec": of.get("spec") or {}}


def prefix(pod: str, claim: str) -> str:
    """POD-CLAIM-; where that is too long both are cut, each in proportion."""
    room = PREFIX_MAX - 2
    if len(pod) + len(claim) > room:
        of_claim = max(1, room * len(claim) // (len(pod) + len(claim)))
        pod, claim = pod[: room - of_claim], claim[:of_claim]
    return f"{pod}-{claim}-"


def is_made_for(claim: Claim, pod: Pod, name: str) -> bool:
    owner = claim.metadata.controller
    return (
        owner is not None and owner.uid == pod.metadata.uid and claim.metadata.annotations.get(POD_CLAIM_NAME) == name
    )
