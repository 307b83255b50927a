"""Finds devices for claims on one node: depth first, claim by claim, request by request, device by device.

enters   claims without an allocation, the node's pools, devices that are taken, classes
leaves   an Allocation for each claim, or None when the node can't give them
holds    the first solution in this order is taken, so equal clusters give equal devices
fails    CannotAllocate with words where a claim can't be understood, or where the search is too long
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cybernetes.model.placement import tolerated
from cybernetes.scheduler.devices.expressions import Selectors, attribute_of, value_of
from cybernetes.scheduler.devices.objects import (
    Allocation,
    Ask,
    ClaimObject,
    ClassObject,
    Constraint,
    DeviceResults,
    DeviceTaint,
    Request,
    Result,
)
from cybernetes.scheduler.devices.pools import NodePool, Reachable, consumed
from cybernetes.scheduler.devices.state import DeviceId
from cybernetes.scheduler.objects import LabelRequirement, NodeSelector, NodeSelectorTerm

# Devices of one claim; and devices looked at before a search is given up, instead of upstream's ten seconds.
RESULTS_MAX = 32
STEPS_MAX = 200_000
BAD_EFFECTS = ("NoSchedule", "NoExecute")


class CannotAllocate(Exception):
    """A claim that no node can satisfy as it stands; the text has Kubernetes' words."""


class _Chosen(msgspec.Struct, frozen=True):
    claim: int
    request: str
    ask: Ask
    found: Reachable


def allocate(
    claims: Sequence[ClaimObject],
    pools: Sequence[NodePool],
    taken: set[DeviceId],
    classes: Mapping[str, ClassObject],
    selectors: Selectors,
) -> list[Allocation] | None:
    """Raises CannotAllocate, SelectorFailed."""
    search = _Search(claims, pools, taken, classes, selectors)
    return search.allocations() if search.run() else None


class _Search:
    def __init__(
        self,
        claims: Sequence[ClaimObject],
        pools: Sequence[NodePool],
        taken: set[DeviceId],
        classes: Mapping[str, ClassObject],
        selectors: Selectors,
    ) -> None:
        self._claims = claims
        self._pools = pools
        self._usable = [each for pool in pools if not pool.incomplete and not pool.invalid for each in pool.devices]
        self._taken = set(taken)
        self._left = {pool.id: _left(pool, taken) for pool in pools}
        self._classes = classes
        self._selectors = selectors
        self._chosen: list[_Chosen] = []
        self._steps = 0

    def run(self) -> bool:
        return self._request(0, 0)

    def allocations(self) -> list[Allocation]:
        return [self._allocation(n, claim) for n, claim in enumerate(self._claims)]

    def _request(self, at: int, n: int) -> bool:
        """Satisfy everything from request n of claim `at` on."""
        if at == len(self._claims):
            return True
        requests = self._claims[at].spec.devices.requests or []
        if n == len(requests):
            return self._request(at + 1, 0)
        return any(self._alternative(at, n, name, ask) for name, ask in _alternatives(requests[n]))

    def _alternative(self, at: int, n: int, name: str, ask: Ask) -> bool:
        whose = f"claim {_key(self._claims[at])}, request {name}"
        if not ask.device_class_name:
            raise CannotAllocate(f"{whose}: missing device class name (unsupported request type?)")
        if ask.device_class_name not in self._classes:
            raise CannotAllocate(f"{whose}: device class {ask.device_class_name} does not exist")
        if ask.allocation_mode == "All":
            return self._all(at, n, name, ask, whose)
        if self._count(at) + ask.count > RESULTS_MAX:
            raise CannotAllocate(_too_many(self._claims[at], self._count(at) + ask.count))
        return self._exactly(at, n, name, ask, ask.count, 0)

    def _exactly(self, at: int, n: int, name: str, ask: Ask, missing: int, start: int) -> bool:
        """`missing` more devices, in the order of the pools: other orders are the same choice."""
        if missing == 0:
            return self._request(at, n + 1)
        for index in range(start, len(self._usable)):
            found = self._usable[index]
            if not self._fits(at, name, ask, found):
                continue
            self._take(_Chosen(at, name, ask, found))
            if self._exactly(at, n, name, ask, missing - 1, index + 1):
                return True
            self._give_back()
        return False

    def _all(self, at: int, n: int, name: str, ask: Ask, whose: str) -> bool:
        """Every device that matches; there must be one, and all must be free."""
        wanted: list[Reachable] = []
        for pool in self._pools:
            where = f"{pool.id[0]}/{pool.id[1]}"
            if pool.incomplete:
                raise CannotAllocate(
                    f"{whose}: asks for all devices, but resource pool {where} is currently being updated"
                )
            if pool.invalid:
                raise CannotAllocate(f"{whose}: asks for all devices, but resource pool {where} is currently invalid")
            wanted += [each for each in pool.devices if self._selected(at, ask, each)]
        if not wanted:
            return False
        if self._count(at) + len(wanted) > RESULTS_MAX:
            raise CannotAllocate(_too_many(self._claims[at], self._count(at) + len(wanted)))
        before = len(self._chosen)
        for each in wanted:
            if not self._fits(at, name, ask, each):
                break
            self._take(_Chosen(at, name, ask, each))
        else:
            if self._request(at, n + 1):
                return True
        while len(self._chosen) > before:
            self._give_back()
        return False

    def _fits(self, at: int, name: str, ask: Ask, found: Reachable) -> bool:
        self._steps += 1
        if self._steps > STEPS_MAX:
            raise CannotAllocate("timed out trying to allocate devices")
        if ask.admin_access:
            if any(each.claim == at and each.found.id == found.id for each in self._chosen):
                return False
        elif found.id in self._taken:
            return False
        return (
            self._selected(at, ask, found)
            and all(_bears(ask, each) for each in found.device.taints or ())
            and (ask.admin_access or self._counters_suffice(found))
            and self._constraints_hold(at, name, found)
        )

    def _selected(self, at: int, ask: Ask, found: Reachable) -> bool:
        driver, device = found.id[0], found.device
        of_class = self._classes[ask.device_class_name].spec.selectors
        accept = self._selectors.all_accept
        return accept(of_class, driver, device, f"class {ask.device_class_name}") and accept(
            ask.selectors, driver, device, f"claim {_key(self._claims[at])}"
        )

    def _counters_suffice(self, found: Reachable) -> bool:
        left = self._left[found.id[0], found.id[1]]
        return all(amount <= left.get(key, 0) for key, amount in consumed(found.device).items())

    def _constraints_hold(self, at: int, name: str, found: Reachable) -> bool:
        for constraint in self._claims[at].spec.devices.constraints or ():
            if not _speaks_of(constraint, name):
                continue
            others = [each for each in self._chosen if each.claim == at and _speaks_of(constraint, each.request)]
            if not _agrees(constraint, found, [each.found for each in others]):
                return False
        return True

    def _take(self, chosen: _Chosen) -> None:
        self._chosen.append(chosen)
        if not chosen.ask.admin_access:
            self._taken.add(chosen.found.id)
            self._use(chosen.found, 1)

    def _give_back(self) -> None:
        chosen = self._chosen.pop()
        if not chosen.ask.admin_access:
            self._taken.discard(chosen.found.id)
            self._use(chosen.found, -1)

    def _use(self, found: Reachable, sign: int) -> None:
        left = self._left[found.id[0], found.id[1]]
        for key, amount in consumed(found.device).items():
            left[key] -= sign * amount

    def _count(self, at: int) -> int:
        return sum(each.claim == at for each in self._chosen)

    def _allocation(self, at: int, claim: ClaimObject) -> Allocation:
        chosen = [each for each in self._chosen if each.claim == at]
        results = [
            Result(
                each.request,
                *each.found.id,
                admin_access=True if each.ask.admin_access else None,
                tolerations=each.ask.tolerations,
            )
            for each in chosen
        ]
        config = [*_class_config(chosen, self._classes), *_claim_config(claim, chosen)]
        return Allocation(DeviceResults(results, config or None), _node_selector([each.found for each in chosen]))


def _alternatives(request: Request) -> list[tuple[str, Ask]]:
    """(name in results, what is wanted), the preferred first."""
    if request.first_available:
        return [(f"{request.name}/{each.name}", each) for each in request.first_available]
    return [(request.name, request.exactly or Ask())]


def _left(pool: NodePool, taken: set[DeviceId]) -> dict[tuple[str, str], int]:
    """What devices that are taken leave of the pool's counters."""
    left = dict(pool.counters)
    for name, device in pool.members.items():
        if (*pool.id, name) in taken:
            for key, amount in consumed(device).items():
                left[key] = left.get(key, 0) - amount
    return left


def _bears(ask: Ask, taint: DeviceTaint) -> bool:
    return taint.effect not in BAD_EFFECTS or tolerated(taint, ask.tolerations or ())


def _speaks_of(constraint: Constraint, name: str) -> bool:
    return not constraint.requests or name in constraint.requests or name.partition("/")[0] in constraint.requests


def _agrees(constraint: Constraint, found: Reachable, others: Sequence[Reachable]) -> bool:
    name = constraint.match_attribute or constraint.distinct_attribute or ""
    mine = _attribute(found, name)
    if mine is None:
        return False
    theirs = [_attribute(each, name) for each in others]
    return mine not in theirs if constraint.distinct_attribute else all(each == mine for each in theirs)


def _attribute(found: Reachable, name: str) -> tuple[type, Any] | None:
    attribute = attribute_of(found.device, found.id[0], name)
    if attribute is None:
        return None
    value = value_of(attribute)
    return type(value), value


def _class_config(chosen: Sequence[_Chosen], classes: Mapping[str, ClassObject]) -> list[dict[str, Any]]:
    """Of each class once, for all requests that use it."""
    requests: dict[str, dict[str, None]] = {}
    for each in chosen:
        requests.setdefault(each.ask.device_class_name, {})[each.request] = None
    return [
        {"source": "FromClass", "requests": list(names), "opaque": config.opaque}
        for name, names in requests.items()
        for config in classes[name].spec.config or ()
    ]


def _claim_config(claim: ClaimObject, chosen: Sequence[_Chosen]) -> list[dict[str, Any]]:
    used = {each.request for each in chosen} | {each.request.partition("/")[0] for each in chosen}
    found = []
    for config in claim.spec.devices.config or ():
        if config.requests and not used & set(config.requests):
            # It speaks of an alternative that was not taken.
            continue
        entry: dict[str, Any] = {"source": "FromClaim", "opaque": config.opaque}
        found.append({**entry, "requests": config.requests} if config.requests else entry)
    return found


def _node_selector(chosen: Sequence[Reachable]) -> NodeSelector | None:
    """Where the devices can be used: None for everywhere."""
    expressions: list[LabelRequirement] = []
    fields: list[LabelRequirement] = []
    for each in chosen:
        where: Any = each.device if each.slice.spec.per_device_node_selection else each.slice.spec
        if where.node_name:
            fields = [LabelRequirement("metadata.name", "In", [where.node_name])]
        elif where.node_selector is not None:
            for term in where.node_selector.node_selector_terms or ():
                expressions += [one for one in term.match_expressions or () if one not in expressions]
                fields = fields or list(term.match_fields or ())
    if not expressions and not fields:
        return None
    if fields:
        return NodeSelector([NodeSelectorTerm(match_fields=fields)])
    return NodeSelector([NodeSelectorTerm(match_expressions=expressions)])


def _key(claim: ClaimObject) -> str:
    return f"{claim.metadata.namespace}/{claim.metadata.name}"


def _too_many(claim: ClaimObject, count: int) -> str:
    return f"claim {_key(claim)}: number of requested devices {count} exceeds the claim limit of {RESULTS_MAX}"
