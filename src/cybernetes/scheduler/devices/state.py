"""The devices of the cluster: slices by pool, classes, claims, and allocations that are not written yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cybernetes.client.target import RESOURCE_CLAIMS, Target
from cybernetes.scheduler.devices.objects import Allocation, ClaimObject, ClassObject, SliceObject

CLASSES = Target("resource.k8s.io", "v1", "deviceclasses", "DeviceClass", namespaced=False)
SLICES = Target("resource.k8s.io", "v1", "resourceslices", "ResourceSlice", namespaced=False)
KINDS: tuple[tuple[Target, Any], ...] = ((RESOURCE_CLAIMS, ClaimObject), (CLASSES, ClassObject), (SLICES, SliceObject))

# (driver, pool), and a device in it.
PoolId = tuple[str, str]
DeviceId = tuple[str, str, str]


class Promise(msgspec.Struct, frozen=True):
    """An allocation that is being written, and the key of the pod that it was made for."""

    pod: str
    allocation: Allocation


class Devices:
    """promised: claim uid -> allocation; version: raised with every change of slices."""

    def __init__(self) -> None:
        self.claims: dict[str, ClaimObject] = {}
        self.classes: dict[str, ClassObject] = {}
        self.slices: dict[str, SliceObject] = {}
        self.pools: dict[PoolId, dict[str, SliceObject]] = {}
        self.promised: dict[str, Promise] = {}
        self.version = 0

    def change(self, target: Target, key: str, new: Any) -> None:
        if target.plural == "resourceslices":
            self._change_slice(key, new)
            return
        table: dict[str, Any] = self.claims if target.plural == "resourceclaims" else self.classes
        if new is None:
            gone = table.pop(key, None)
            if isinstance(gone, ClaimObject):
                self.promised.pop(gone.metadata.uid, None)
        else:
            table[key] = new
            if isinstance(new, ClaimObject) and new.status.allocation is not None:
                self.promised.pop(new.metadata.uid, None)

    def taken(self) -> Iterator[DeviceId]:
        """Devices that are somebody's; administrative access takes none."""
        allocations = [claim.status.allocation for claim in self.claims.values()]
        allocations += [promise.allocation for promise in self.promised.values()]
        for allocation in allocations:
            for result in (allocation.devices.results if allocation is not None else None) or ():
                if not result.admin_access:
                    yield result.driver, result.pool, result.device

    def _change_slice(self, key: str, new: SliceObject | None) -> None:
        self.version += 1
        old = self.slices.pop(key, None)
        if old is not None:
            pool = old.spec.driver, old.spec.pool.name
            del self.pools[pool][key]
            if not self.pools[pool]:
                del self.pools[pool]
        if new is not None:
            self.slices[key] = new
            self.pools.setdefault((new.spec.driver, new.spec.pool.name), {})[key] = new
