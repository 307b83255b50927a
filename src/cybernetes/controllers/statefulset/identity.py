"""Names, labels and storage of the pods of a StatefulSet.

source  Kubernetes documentation "StatefulSets", Pod Identity
"""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.client.target import PODS, STATEFUL_SETS
from cybernetes.controllers import pods
from cybernetes.controllers.history import POD_LABEL
from cybernetes.controllers.objects import ControllerRevision, Meta, Pod, raw
from cybernetes.controllers.statefulset.objects import StatefulSet

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"

Object = dict[str, Any]


def ordinal_of(set_name: str, pod_name: str) -> int | None:
    """The number of a pod of this set; None for a name that is not of it."""
    prefix, dash, number = pod_name.rpartition("-")
    if prefix != set_name or not dash or not number.isdigit() or str(int(number)) != number:
        return None
    return int(number)


def template_of(revision: ControllerRevision) -> Object:
    """The template as it was at a revision."""
    found: Object = raw(revision.data)["spec"]["template"]
    return {name: value for name, value in found.items() if name != "$patch"}


def pod_body(stateful_set: StatefulSet, ordinal: int, revision: ControllerRevision) -> Object:
    metadata = stateful_set.metadata
    name = f"{metadata.name}-{ordinal}"
    owner = pods.owner_reference(STATEFUL_SETS, metadata)
    body = pods.pod_of(template_of(revision), owner, "")
    del body["metadata"]["generateName"]
    body["metadata"]["name"] = name
    body["metadata"]["labels"] = {
        **body["metadata"].get("labels", {}),
        POD_NAME: name,
        POD_INDEX: str(ordinal),
        POD_LABEL: revision.metadata.name,
    }
    spec = dict(body["spec"])
    spec["hostname"] = name
    if stateful_set.spec.service_name:
        spec["subdomain"] = stateful_set.spec.service_name
    if volumes := _volumes(stateful_set, ordinal, spec.get("volumes") or []):
        spec["volumes"] = volumes
    body["spec"] = spec
    return body


def _volumes(stateful_set: StatefulSet, ordinal: int, others: list[Object]) -> list[Object]:
    claimed = [
        {
            "name": each["metadata"]["name"],
            "persistentVolumeClaim": {"claimName": claim_name(stateful_set, each, ordinal)},
        }
        for each in claim_templates(stateful_set)
    ]
    names = {each["name"] for each in claimed}
    return claimed + [each for each in others if each["name"] not in names]


def claim_templates(stateful_set: StatefulSet) -> list[Object]:
    found: list[Object] = msgspec.json.decode(stateful_set.spec.volume_claim_templates)
    return found or []


def claim_name(stateful_set: StatefulSet, template: Object, ordinal: int) -> str:
    return f"{template['metadata']['name']}-{stateful_set.metadata.name}-{ordinal}"


def claim_bodies(stateful_set: StatefulSet, ordinal: int) -> list[Object]:
    """The claims of one pod."""
    bodies = []
    for each in claim_templates(stateful_set):
        labels = {**(each["metadata"].get("labels") or {}), **stateful_set.spec.selector.match_labels}
        metadata: Object = {
            "name": claim_name(stateful_set, each, ordinal),
            "namespace": stateful_set.metadata.namespace,
            "labels": labels,
        }
        if annotations := each["metadata"].get("annotations"):
            metadata["annotations"] = annotations
        if owners := claim_owners(stateful_set, None, []):
            metadata["ownerReferences"] = owners
        bodies.append({"metadata": metadata, "spec": each["spec"]})
    return bodies


def claim_owners(stateful_set: StatefulSet, condemned: Pod | None, present: list[Object]) -> list[Object]:
    """The owners that a claim should have, others' kept. condemned: its pod, when that is being scaled away.

    A claim that another object controls is that object's, whatever the set's policy is.
    """
    metadata, policy = stateful_set.metadata, stateful_set.spec.retention
    ours = {metadata.uid, *(each["uid"] for each in present if each["kind"] == "Pod" and _names_ours(metadata, each))}
    kept = [each for each in present if each["uid"] not in ours]
    if any(each.get("controller") for each in kept):
        return kept
    if condemned is not None and policy.when_scaled == "Delete":
        kept.append(pods.owner_reference(PODS, condemned.metadata))
    elif policy.when_deleted == "Delete":
        kept.append(pods.owner_reference(STATEFUL_SETS, metadata))
    return kept


def _names_ours(metadata: Meta, reference: Object) -> bool:
    return ordinal_of(metadata.name, reference["name"]) is not None
