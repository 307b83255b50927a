"""The volume filters: nodes where a pod's volumes can't be."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.objects import DiskVolume, NodeObject, PodSpec
from cybernetes.scheduler.pods import PodEntry
from cybernetes.scheduler.reasons import CLAIM_IN_USE, DISK, VOLUME_COUNT, VOLUME_ZONE
from cybernetes.scheduler.storage.choose import Claims, choices
from cybernetes.scheduler.storage.objects import ClaimObject, PersistentVolumeObject
from cybernetes.scheduler.storage.state import Storage

ONE_POD = "ReadWriteOncePod"
ZONE_LABELS = (
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
)
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"

# (kind of disk, what identifies it): two writers of one must not share a node.
DiskId = tuple[str, str]


class VolumeFilter:
    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def concerns(self, pod: PodEntry) -> bool:
        return bool(pod.claims) or any(disks(pod.shape.spec))

    def filter(self, pod: PodEntry, columns: Columns, active: frozenset[str], code: array[int]) -> str:
        """Mark nodes; returns PreFilter's words when no node can do, "" otherwise."""
        if "VolumeRestrictions" in active:
            self._filter_disks(pod, columns, code)
        if not pod.claims:
            return ""
        found = self.claims(pod)
        if isinstance(found, str):
            return found if "VolumeBinding" in active else ""
        in_use = "VolumeRestrictions" in active and self._is_in_use(pod, found, columns)
        for row, value in enumerate(code):
            node = columns.nodes[row] if value == 0 else None
            if node is not None:
                code[row] = CLAIM_IN_USE if in_use else self._judge(pod, found, columns, row, node, active)
        return ""

    def claims(self, pod: PodEntry) -> Claims | str:
        """The pod's claims, or PreFilter's words why it has to wait for them."""
        bound: list[ClaimObject] = []
        delayed: list[ClaimObject] = []
        for name, owner in pod.claims:
            claim = self.storage.claims.get(f"{pod.namespace}/{name}")
            words = _wrong(claim, name, owner)
            if words:
                return words
            assert claim is not None
            if self.storage.is_bound(claim):
                bound.append(claim)
            elif self.storage.is_delayed(claim) and not claim.spec.volume_name:
                delayed.append(claim)
            else:
                return UNBOUND
        return Claims(tuple(bound), tuple(delayed))

    def _judge(
        self, pod: PodEntry, claims: Claims, columns: Columns, row: int, node: NodeObject, active: frozenset[str]
    ) -> int:
        if "NodeVolumeLimits" in active and self._exceeds(pod, columns, row, node):
            return VOLUME_COUNT
        if "VolumeBinding" in active:
            found = choices(self.storage, claims, node)
            if isinstance(found, int):
                return found
        if "VolumeZone" in active and not all(
            in_zone(volume, node) for volume in self._volumes(claims.bound) if volume is not None
        ):
            return VOLUME_ZONE
        return 0

    def _volumes(self, claims: Iterable[ClaimObject]) -> Iterator[PersistentVolumeObject | None]:
        return (self.storage.volumes.get(claim.spec.volume_name) for claim in claims)

    def _is_in_use(self, pod: PodEntry, claims: Claims, columns: Columns) -> bool:
        """Whether another pod, on any node, uses a claim that is for one pod only: removing that pod would free it."""
        alone = {
            claim.metadata.name
            for claim in (*claims.bound, *claims.delayed)
            if ONE_POD in (claim.spec.access_modes or ())
        }
        return bool(alone) and any(
            other.namespace == pod.namespace and other.key != pod.key and any(name in alone for name, _ in other.claims)
            for pods in columns.pods
            for other in pods.values()
        )

    def _exceeds(self, pod: PodEntry, columns: Columns, row: int, node: NodeObject) -> bool:
        limits = self._limits(node.metadata.name)
        if not limits:
            return False
        wanted = {handle for handle in self._handles(pod) if handle[0] in limits}
        if not wanted:
            return False
        used: set[tuple[str, str]] = set()
        for other in columns.pods[row].values():
            used.update(self._handles(other))
        new = wanted - used
        return any(
            sum(each[0] == driver for each in used) + sum(each[0] == driver for each in new) > limit
            for driver, limit in limits.items()
            if any(each[0] == driver for each in new)
        )

    def _limits(self, node_name: str) -> dict[str, int]:
        found = self.storage.csi_nodes.get(node_name)
        return {
            each.name: each.allocatable.count
            for each in (found.spec.drivers if found else None) or ()
            if each.allocatable is not None and each.allocatable.count is not None
        }

    def _handles(self, pod: PodEntry) -> Iterator[tuple[str, str]]:
        """(driver, volume) of the pod's CSI volumes; a claim without a volume counts under its own name."""
        for name, _ in pod.claims:
            claim = self.storage.claims.get(f"{pod.namespace}/{name}")
            if claim is None:
                continue
            volume = self.storage.volumes.get(claim.spec.volume_name)
            if volume is not None and volume.spec.csi is not None:
                yield volume.spec.csi.driver, volume.spec.csi.volume_handle
            elif volume is None:
                found = self.storage.class_of(claim)
                if found is not None:
                    yield found.provisioner, f"{pod.namespace}/{name}"

    def _filter_disks(self, pod: PodEntry, columns: Columns, code: array[int]) -> None:
        mine = dict(disks(pod.shape.spec))
        if not mine:
            return
        for row, value in enumerate(code):
            if value == 0 and any(_clash(mine, other.shape.spec) for other in columns.pods[row].values()):
                code[row] = DISK


def in_zone(volume: PersistentVolumeObject, node: NodeObject) -> bool:
    """The node has each of the volume's zone and region labels; a node that has none at all is anywhere."""
    labels = node.metadata.labels or {}
    if not any(key in labels for key in ZONE_LABELS):
        return True
    wanted = {key: value for key, value in (volume.metadata.labels or {}).items() if key in ZONE_LABELS}
    return all(labels.get(key) in value.split("__") for key, value in wanted.items())


def disks(spec: PodSpec) -> Iterator[tuple[DiskId, bool]]:
    """(disk, whether read only) of in-tree disks with one writer."""
    for volume in spec.volumes or ():
        if volume.gce_persistent_disk is not None:
            yield ("gce", volume.gce_persistent_disk.pd_name), volume.gce_persistent_disk.read_only
        if volume.aws_elastic_block_store is not None:
            # Two pods never share one of these, however they mount it.
            yield ("aws", volume.aws_elastic_block_store.volume_id), False
        if volume.iscsi is not None:
            yield ("iscsi", volume.iscsi.iqn), volume.iscsi.read_only
        if volume.rbd is not None:
            yield from (((kind, name), volume.rbd.read_only) for kind, name in _rbd(volume.rbd))


def _rbd(disk: DiskVolume) -> Iterator[DiskId]:
    for monitor in disk.monitors or ():
        yield "rbd", f"{monitor}/{disk.pool}/{disk.image}"


def _clash(mine: dict[DiskId, bool], other: PodSpec) -> bool:
    return any(disk in mine and not (mine[disk] and read_only) for disk, read_only in disks(other))


def _wrong(claim: ClaimObject | None, name: str, owner: str) -> str:
    if claim is None:
        if owner:
            return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
        return f'persistentvolumeclaim "{name}" not found'
    if claim.status.phase == "Lost":
        volume = claim.spec.volume_name
        return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"'
    if claim.metadata.deletion_timestamp is not None:
        return f'persistentvolumeclaim "{name}" is being deleted'
    if owner and not any(each.uid == owner and each.controller for each in claim.metadata.owner_references or ()):
        namespace = claim.metadata.namespace
        return f"PVC {namespace}/{name} was not created for the pod that needs it (pod is not owner)"
    return ""
