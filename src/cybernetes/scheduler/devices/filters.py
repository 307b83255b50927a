"""The device filter: nodes that can't give a pod what its claims ask for."""

from __future__ import annotations

from array import array

import msgspec

from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.devices.allocate import CannotAllocate, allocate
from cybernetes.scheduler.devices.expressions import SelectorFailed, Selectors
from cybernetes.scheduler.devices.objects import Allocation, ClaimObject
from cybernetes.scheduler.devices.pools import pools_of
from cybernetes.scheduler.devices.state import DeviceId, Devices
from cybernetes.scheduler.nodes import matches_selector
from cybernetes.scheduler.objects import NodeObject
from cybernetes.scheduler.pods import PodEntry
from cybernetes.scheduler.reasons import OTHER_NEVER

NAME = "DynamicResources"
CANNOT = "cannot allocate all claims"
ELSEWHERE = "resourceclaim not available on the node"
IN_USE = "resourceclaim in use"
# Pods that may share one claim.
CONSUMERS_MAX = 256
# Of one request.
ALTERNATIVES_MAX = 8


class Wanted(msgspec.Struct, frozen=True):
    """A pod's claims: those that have their devices, and those that need some."""

    allocated: tuple[ClaimObject, ...] = ()
    open: tuple[ClaimObject, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.allocated or self.open)


class Grant(msgspec.Struct, frozen=True):
    """What a placed pod gets: allocations to write, and claims that only note that the pod uses them."""

    allocations: tuple[tuple[ClaimObject, Allocation], ...] = ()
    shared: tuple[ClaimObject, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.allocations or self.shared)


NO_GRANT = Grant()


def rank(claim: ClaimObject, allocation: Allocation) -> int:
    """More for alternatives that are named earlier; 0 where there are none."""
    given = {each.request for each in allocation.devices.results or ()}
    total = 0
    for request in claim.spec.devices.requests or ():
        for n, each in enumerate(request.first_available or ()):
            if f"{request.name}/{each.name}" in given:
                total += ALTERNATIVES_MAX - n
    return total


class DeviceFilter:
    def __init__(self, devices: Devices) -> None:
        self.devices = devices
        self._selectors = Selectors()
        # Of the pod that was filtered last: how much of what it prefers the nodes of these rows give.
        self._preferred: tuple[str, dict[int, int]] = ("", {})

    def filter(self, pod: PodEntry, columns: Columns, code: array[int], words: dict[int, str]) -> str:
        """Mark nodes, with words; returns PreFilter's words when no node can do, "" otherwise."""
        wanted = self.wanted(pod)
        if isinstance(wanted, str):
            return wanted
        taken = set(self.devices.taken()) if wanted.open else set()
        preferred: dict[int, int] = {}
        for row, value in enumerate(code):
            node = columns.nodes[row] if value == 0 else None
            if node is None:
                continue
            found = self._judge(wanted, node, taken)
            if isinstance(found, str):
                code[row] = OTHER_NEVER
                words[row] = found
            else:
                preferred[row] = sum(map(rank, wanted.open, found))
        self._preferred = pod.key, preferred
        return ""

    def score(self, pod: PodEntry, code: array[int]) -> array[int] | None:
        """0..100 by row, for a pod that was filtered just now; None when no node gives more than another."""
        key, preferred = self._preferred
        found = [preferred.get(row, 0) for row in range(len(code))]
        most = max((found[row] for row, value in enumerate(code) if value == 0), default=0)
        if key != pod.key or not most:
            return None
        return array("q", [100 * each // most for each in found])

    def wanted(self, pod: PodEntry) -> Wanted | str:
        """The pod's claims, or PreFilter's words why it has to wait for them."""
        allocated: list[ClaimObject] = []
        still_open: list[ClaimObject] = []
        for name, claim_name in pod.device_claims:
            if claim_name is None:
                continue
            if not claim_name:
                return f'waiting for dynamic resource controller to create the resourceclaim "{name}"'
            claim = self.devices.claims.get(f"{pod.namespace}/{claim_name}")
            why = self._wrong(pod, claim, name, claim_name)
            if why:
                return why
            assert claim is not None
            (allocated if claim.status.allocation is not None else still_open).append(claim)
        return Wanted(tuple(allocated), tuple(still_open))

    def grant(self, pod: PodEntry, node: NodeObject) -> Grant:
        """For a pod that was placed on a node that the filter found possible."""
        wanted = self.wanted(pod)
        if isinstance(wanted, str) or not wanted:
            return NO_GRANT
        found = self._allocate(wanted, node, set(self.devices.taken())) if wanted.open else []
        assert isinstance(found, list)
        return Grant(tuple(zip(wanted.open, found, strict=True)), wanted.allocated)

    def _judge(self, wanted: Wanted, node: NodeObject, taken: set[DeviceId]) -> list[Allocation] | str:
        """What the node would give; or why it can't."""
        for claim in wanted.allocated:
            where = claim.status.allocation.node_selector if claim.status.allocation is not None else None
            if where is not None and not matches_selector(where, node):
                return ELSEWHERE
        return self._allocate(wanted, node, taken) if wanted.open else []

    def _allocate(self, wanted: Wanted, node: NodeObject, taken: set[DeviceId]) -> list[Allocation] | str:
        pools = pools_of(self.devices.pools, node)
        try:
            found = allocate(wanted.open, pools, taken, self.devices.classes, self._selectors)
        except CannotAllocate as why:
            text = str(why)
            return f"node {node.metadata.name}: {text}" if text.startswith("timed out") else text
        except SelectorFailed as why:
            return str(why)
        return CANNOT if found is None else found

    def _wrong(self, pod: PodEntry, claim: ClaimObject | None, name: str, claim_name: str) -> str:
        if claim is None:
            return f'resourceclaim.resource.k8s.io "{claim_name}" not found'
        meta = claim.metadata
        if meta.deletion_timestamp is not None:
            return f'resourceclaim "{claim_name}" is being deleted'
        owner = next((each for each in meta.owner_references or () if each.controller), None)
        generated = name in pod.template_claims
        if generated and (owner is None or owner.uid != pod.uid):
            return f"ResourceClaim {meta.namespace}/{claim_name} was not created for Pod {pod.key} (Pod is not owner)"
        if meta.uid in self.devices.promised:
            return f"resource claim {meta.namespace}/{claim_name} is in the process of being allocated"
        users = claim.status.reserved_for or ()
        if len(users) >= CONSUMERS_MAX and all(each.uid != pod.uid for each in users):
            return IN_USE
        for request in claim.spec.devices.requests or ():
            for ask in request.first_available or ([request.exactly] if request.exactly is not None else ()):
                if claim.status.allocation is None and ask.device_class_name not in self.devices.classes:
                    return f"request {request.name}: device class {ask.device_class_name} does not exist"
        return ""
