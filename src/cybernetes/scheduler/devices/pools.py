"""The devices that a node can reach, pool by pool; pools that are being changed or are wrong are said to be so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from cybernetes.model import quantity
from cybernetes.scheduler.devices.objects import Device, SliceObject
from cybernetes.scheduler.devices.state import DeviceId, PoolId
from cybernetes.scheduler.nodes import matches_selector
from cybernetes.scheduler.objects import NodeObject


class Reachable(msgspec.Struct, frozen=True):
    """One device, and the slice that it is in."""

    id: DeviceId
    device: Device
    slice: SliceObject


class NodePool(msgspec.Struct, frozen=True):
    """devices: those that the node reaches, in order. incomplete, invalid: why ("") nothing may be taken from it.

    counters   (counter set, counter) -> amount that all devices of the pool share, in nano
    members    all devices of the pool, those of other nodes included: they may have taken of the counters
    """

    id: PoolId
    devices: tuple[Reachable, ...]
    incomplete: bool = False
    invalid: str = ""
    counters: dict[tuple[str, str], int] = {}
    members: dict[str, Device] = {}


def pools_of(pools: Mapping[PoolId, Mapping[str, SliceObject]], node: NodeObject) -> list[NodePool]:
    """Pools with at least one device for the node, by driver and name."""
    found = []
    for pool_id in sorted(pools):
        slices = _newest(pools[pool_id])
        devices = tuple(each for piece in slices for each in _reached(pool_id, piece, node))
        if devices:
            found.append(_node_pool(pool_id, slices, devices))
    return found


def _newest(slices: Mapping[str, SliceObject]) -> list[SliceObject]:
    newest = max(each.spec.pool.generation for each in slices.values())
    return [slices[key] for key in sorted(slices) if slices[key].spec.pool.generation == newest]


def _reached(pool_id: PoolId, piece: SliceObject, node: NodeObject) -> list[Reachable]:
    spec = piece.spec
    if spec.per_device_node_selection:
        devices = [each for each in spec.devices or () if _is_for(each, node)]
    elif _is_for(spec, node):
        devices = list(spec.devices or ())
    else:
        devices = []
    return [Reachable((*pool_id, each.name), each, piece) for each in devices]


def _is_for(where: object, node: NodeObject) -> bool:
    """Whether a slice, or a device of a slice that leaves it to them, is for the node."""
    if getattr(where, "all_nodes", None):
        return True
    if getattr(where, "node_name", None):
        return getattr(where, "node_name", None) == node.metadata.name
    selector = getattr(where, "node_selector", None)
    return selector is not None and matches_selector(selector, node)


def _node_pool(pool_id: PoolId, slices: Sequence[SliceObject], devices: tuple[Reachable, ...]) -> NodePool:
    incomplete = len(slices) != slices[0].spec.pool.resource_slice_count
    members: dict[str, Device] = {}
    counters: dict[tuple[str, str], int] = {}
    invalid = ""
    for piece in slices:
        for each in piece.spec.devices or ():
            invalid = invalid or (f"duplicate device name {each.name}" if each.name in members else "")
            members[each.name] = each
        for counter_set in piece.spec.shared_counters or ():
            for name, counter in (counter_set.counters or {}).items():
                key = counter_set.name, name
                invalid = invalid or (f"duplicate counter set {counter_set.name}" if key in counters else "")
                counters[key] = quantity.nano(counter.value)
    for each in members.values():
        unknown = next((key for key in consumed(each) if key not in counters), None)
        if unknown is not None:
            invalid = invalid or f"device {each.name} consumes unknown counter {unknown[0]}/{unknown[1]}"
    # Counters may be in a slice that has not come yet: the pool is then incomplete, not wrong.
    return NodePool(pool_id, devices, incomplete, "" if incomplete else invalid, counters, members)


def consumed(device: Device) -> dict[tuple[str, str], int]:
    """(counter set, counter) -> amount in nano."""
    return {
        (each.counter_set, name): quantity.nano(counter.value)
        for each in device.consumes_counters or ()
        for name, counter in (each.counters or {}).items()
    }
