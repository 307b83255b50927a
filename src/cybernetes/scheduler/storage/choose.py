"""Which volume a claim gets on a node, or whether one could be made there; pure."""

from __future__ import annotations

import msgspec

from cybernetes.scheduler.nodes import matches_selector
from cybernetes.scheduler.objects import NodeObject
from cybernetes.scheduler.reasons import POSSIBLE, VOLUME_AFFINITY, VOLUME_GONE, VOLUME_SPACE, VOLUME_UNBOUND
from cybernetes.scheduler.requests import amount
from cybernetes.scheduler.selectors import accepts, compile_selector
from cybernetes.scheduler.storage.objects import ClaimObject, PersistentVolumeObject, StorageClassObject
from cybernetes.scheduler.storage.state import NO_PROVISIONER, SELECTED_NODE, Storage, claim_key

STORAGE = "storage"


class Claims(msgspec.Struct, frozen=True):
    """A pod's claims: bound ones, and those that get their volume where the pod goes."""

    bound: tuple[ClaimObject, ...] = ()
    delayed: tuple[ClaimObject, ...] = ()


class Choices(msgspec.Struct, frozen=True):
    """For one node: (volume, claim) to bind, and claims to have provisioned."""

    bindings: tuple[tuple[PersistentVolumeObject, ClaimObject], ...] = ()
    provisions: tuple[ClaimObject, ...] = ()


def choices(storage: Storage, claims: Claims, node: NodeObject) -> Choices | int:
    """What to do so that the pod's volumes are on this node, or the code of the reason why that can't be."""
    for claim in claims.bound:
        volume = storage.volumes.get(claim.spec.volume_name)
        if volume is None:
            return VOLUME_GONE
        if not reaches(volume, node):
            return VOLUME_AFFINITY
    taken: set[str] = set()
    bindings: list[tuple[PersistentVolumeObject, ClaimObject]] = []
    provisions: list[ClaimObject] = []
    for claim in sorted(claims.delayed, key=_size):
        selected = _selected(storage, claim)
        if selected and selected != node.metadata.name:
            return VOLUME_UNBOUND
        volume = None if selected else find_volume(storage, claim, node, taken)
        if volume is not None:
            taken.add(volume.metadata.name)
            bindings.append((volume, claim))
            continue
        code = can_provision(storage, claim, node)
        if code != POSSIBLE:
            return code
        provisions.append(claim)
    return Choices(tuple(bindings), tuple(provisions))


def reaches(volume: PersistentVolumeObject, node: NodeObject) -> bool:
    affinity = volume.spec.node_affinity
    return affinity is None or affinity.required is None or matches_selector(affinity.required, node)


def find_volume(
    storage: Storage, claim: ClaimObject, node: NodeObject, taken: set[str]
) -> PersistentVolumeObject | None:
    """The smallest volume that fits the claim and is reachable from the node; one made for the claim comes first."""
    key, size = claim_key(claim), _size(claim)
    best: PersistentVolumeObject | None = None
    for name in sorted(storage.volumes):
        volume = storage.volumes[name]
        if name in taken or storage.promised.get(name, key) != key or not _suits(volume, claim, size):
            continue
        if not reaches(volume, node):
            continue
        reference = volume.spec.claim_ref
        if reference is not None:
            if _is_for(volume, claim):
                return volume
            continue
        if volume.status.phase != "Available" or not _selected_by(claim, volume):
            continue
        if best is None or _capacity(volume) < _capacity(best):
            best = volume
    return best


def can_provision(storage: Storage, claim: ClaimObject, node: NodeObject) -> int:
    """POSSIBLE, or why no volume can be made for the claim on the node."""
    found = storage.class_of(claim)
    if found is None or found.provisioner in ("", NO_PROVISIONER) or not _allowed(found, node):
        return VOLUME_UNBOUND
    driver = storage.csi_drivers.get(found.provisioner)
    if driver is None or not driver.spec.storage_capacity:
        return POSSIBLE
    labels, size = node.metadata.labels or {}, _size(claim)
    for capacity in storage.capacities.values():
        if capacity.storage_class_name != found.metadata.name:
            continue
        limit = capacity.maximum_volume_size if capacity.maximum_volume_size is not None else capacity.capacity
        if limit is not None and amount(STORAGE, limit) >= size:
            topology = compile_selector(capacity.node_topology)
            if topology is not None and accepts(topology, labels):
                return POSSIBLE
    return VOLUME_SPACE


def _allowed(found: StorageClassObject, node: NodeObject) -> bool:
    labels = node.metadata.labels or {}
    terms = found.allowed_topologies or ()
    return not terms or any(
        all(labels.get(each.key) in (each.values or ()) for each in term.match_label_expressions or ())
        for term in terms
    )


def _selected(storage: Storage, claim: ClaimObject) -> str:
    annotated = (claim.metadata.annotations or {}).get(SELECTED_NODE, "")
    return annotated or storage.selected.get(claim_key(claim), "")


def _suits(volume: PersistentVolumeObject, claim: ClaimObject, size: int) -> bool:
    return (
        volume.metadata.deletion_timestamp is None
        and volume.spec.storage_class_name == (claim.spec.storage_class_name or "")
        and volume.spec.volume_mode == claim.spec.volume_mode
        and _capacity(volume) >= size
        and set(claim.spec.access_modes or ()) <= set(volume.spec.access_modes or ())
    )


def _is_for(volume: PersistentVolumeObject, claim: ClaimObject) -> bool:
    reference = volume.spec.claim_ref
    return (
        reference is not None
        and (reference.namespace, reference.name) == (claim.metadata.namespace, claim.metadata.name)
        and reference.uid in ("", claim.metadata.uid)
    )


def _selected_by(claim: ClaimObject, volume: PersistentVolumeObject) -> bool:
    selector = compile_selector(claim.spec.selector)
    return selector is None or accepts(selector, volume.metadata.labels or {})


def _capacity(volume: PersistentVolumeObject) -> int:
    return amount(STORAGE, (volume.spec.capacity or {}).get(STORAGE, 0))


def _size(claim: ClaimObject) -> int:
    requests = claim.spec.resources.requests if claim.spec.resources else None
    return amount(STORAGE, (requests or {}).get(STORAGE, 0))
