"""The volume of a claim, or why there can be none. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import msgspec

from cybernetes.controllers.objects import Node
from cybernetes.controllers.volumebinding.objects import Claim, StorageClass
from cybernetes.model.local_volumes import FOLDER, NODE_LABEL, PROVISIONED_BY, PROVISIONER

HOSTNAME = "kubernetes.io/hostname"
_ONE_NODE = {"ReadWriteOnce", "ReadWriteOncePod"}


class Refusal(msgspec.Struct, frozen=True):
    """message: what the user reads. again: whether it may go later, as when the node's kubelet starts."""

    message: str
    again: bool = False


def refusal(claim: Claim, storage_class: StorageClass) -> Refusal | None:
    """Why no node can have this claim's volume."""
    if not set(claim.spec.access_modes) <= _ONE_NODE:
        return Refusal(
            "a folder of one node can't be shared by several: of access modes there are ReadWriteOnce and ReadWriteOncePod"
        )
    if claim.spec.volume_mode == "Block":
        return Refusal("a folder is no block device: volumeMode has to be Filesystem")
    if claim.spec.selector is not None:
        return Refusal("claims with a selector take volumes that are there already; none is made for them")
    if not storage_class.waits:
        return Refusal(
            f'StorageClass "{storage_class.metadata.name}" has to have volumeBindingMode WaitForFirstConsumer: '
            "the folder is made where the first pod runs"
        )
    return None


def volume(claim: Claim, storage_class: StorageClass, name: str, node: Node | None) -> dict[str, Any] | Refusal:
    """name: of the node that the scheduler has chosen, which may be gone by now."""
    if node is None:
        return Refusal(f'node "{name}" not found', again=True)
    folder = node.metadata.annotations.get(FOLDER, "")
    if not folder:
        return Refusal(f'node "{name}" has no place for local volumes (annotation {FOLDER})', again=True)
    metadata = claim.metadata
    own = f"pvc-{metadata.uid}"
    host = node.metadata.labels.get(HOSTNAME, name)
    expression = {"key": HOSTNAME, "operator": "In", "values": [host]}
    return {
        "metadata": {"name": own, "labels": {NODE_LABEL: name}, "annotations": {PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "capacity": {"storage": claim.spec.resources.requests.get("storage", "0")},
            "accessModes": list(claim.spec.access_modes),
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata.namespace,
                "name": metadata.name,
                "uid": metadata.uid,
                "resourceVersion": metadata.resource_version,
            },
            "persistentVolumeReclaimPolicy": storage_class.reclaim_policy,
            "storageClassName": storage_class.metadata.name,
            "volumeMode": "Filesystem",
            "local": {"path": str(PurePosixPath(folder) / own)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}},
        },
    }
