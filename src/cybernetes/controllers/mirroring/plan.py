"""Endpoints of slices from the subsets of an Endpoints object.

source  Kubernetes documentation "EndpointSlices", EndpointSlice mirroring
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from cybernetes.controllers.endpointslice.objects import Conditions, Endpoint, Port, Ports, TargetRef
from cybernetes.controllers.objects import View

# Of one subset, ready ones first.
ADDRESSES_MAX = 1000


class Address(View, frozen=True, gc=False):
    ip: str
    hostname: str = ""
    node_name: str | None = None
    target_ref: TargetRef | None = None


class Subset(View, frozen=True, gc=False):
    addresses: tuple[Address, ...] = ()
    not_ready_addresses: tuple[Address, ...] = ()
    ports: tuple[Port, ...] = ()


def desired(subsets: Sequence[Subset], family: str) -> dict[Ports, list[Endpoint]]:
    """Endpoints of one family by their ports; an address that is listed twice for the same ports counts once."""
    found: dict[Ports, dict[str, Endpoint]] = {}
    for subset in subsets:
        ports = tuple(sorted(subset.ports))
        for address, ready in islice(_listed(subset), ADDRESSES_MAX):
            if (":" in address.ip) == (family == "IPv6"):
                found.setdefault(ports, {}).setdefault(address.ip, _endpoint(address, ready))
    return {ports: list(by_address.values()) for ports, by_address in found.items()}


def _listed(subset: Subset) -> Iterator[tuple[Address, bool]]:
    """Addresses, and whether they are ready."""
    yield from ((each, True) for each in subset.addresses)
    yield from ((each, False) for each in subset.not_ready_addresses)


def skipped(subsets: Sequence[Subset]) -> int:
    """How many addresses are too many."""
    listed = (len(each.addresses) + len(each.not_ready_addresses) for each in subsets)
    return sum(max(0, count - ADDRESSES_MAX) for count in listed)


def _endpoint(address: Address, ready: bool) -> Endpoint:
    return Endpoint(
        addresses=(address.ip,),
        conditions=Conditions(ready=ready),
        hostname=address.hostname or None,
        target_ref=address.target_ref,
        node_name=address.node_name,
    )
