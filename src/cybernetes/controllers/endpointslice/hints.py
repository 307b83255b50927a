"""Which zone each endpoint serves, for Services with the annotation topology-mode: Auto.

Zones get endpoints in proportion to the CPU of their nodes; most serve their own zone, some are lent to another.

source  Kubernetes documentation "Topology Aware Routing"
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from cybernetes.controllers import pods
from cybernetes.controllers.endpointslice.objects import Endpoint, Hints, Named, Ports
from cybernetes.controllers.objects import Node, Service
from cybernetes.model import quantity

ANNOTATION = "service.kubernetes.io/topology-mode"
ZONE_LABEL = "topology.kubernetes.io/zone"
# A zone may get so much more traffic for each of its endpoints than the mean before hints are given up.
OVERLOAD = 0.2
_EXCLUDED = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
ENABLED = "Topology Aware Hints has been enabled"

Sorted = dict[Ports, list[Endpoint]]


def wanted(service: Service) -> bool:
    mode = service.metadata.annotations.get(ANNOTATION, "")
    return mode in ("Auto", "auto") and service.spec.traffic_distribution is None


def by_zone(found: Sorted, shares: dict[str, float] | str) -> tuple[Sorted, str]:
    """The endpoints with hints, and how it went: ENABLED, or why there are none. shares: as `zone_shares` tells them."""
    ready = sorted(
        (each for listed in found.values() for each in listed if each.conditions.ready), key=lambda e: e.addresses
    )
    if isinstance(shares, str):
        return found, shares
    if any(each.zone is None for each in ready):
        return found, "One or more Endpoints do not have a zone specified"
    given = assign([each.zone or "" for each in ready], shares)
    if isinstance(given, str):
        return found, given
    zones = {each.identity: zone for each, zone in zip(ready, given, strict=True)}
    return {ports: [_hinted(each, zones) for each in listed] for ports, listed in found.items()}, ENABLED


def _hinted(endpoint: Endpoint, zones: Mapping[tuple[Any, ...], str]) -> Endpoint:
    zone = zones.get(endpoint.identity)
    return endpoint if zone is None else msgspec.structs.replace(endpoint, hints=Hints(for_zones=(Named(name=zone),)))


def zone_shares(nodes: Iterable[Node]) -> dict[str, float] | str:
    """Share of each zone in the CPU of the nodes that are ready; or why it can't be told."""
    cpus: Counter[str] = Counter()
    for node in nodes:
        ready = pods.condition(node.status.conditions, "Ready")
        if ready is None or ready.status != "True" or any(each in node.metadata.labels for each in _EXCLUDED):
            continue
        zone, cpu = node.metadata.labels.get(ZONE_LABEL), quantity.milli(node.status.allocatable.get("cpu", 0))
        if not zone or not cpu:
            return "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
        cpus[zone] += int(cpu)
    if len(cpus) < 2:
        return "Nodes only ready in one zone"
    whole = cpus.total()
    return {zone: cpu / whole for zone, cpu in sorted(cpus.items())}


def assign(own: Sequence[str], shares: Mapping[str, float]) -> list[str] | str:
    """A zone for each endpoint, its own where that may be; or why there is no safe way."""
    count = len(own)
    if count < len(shares):
        return f"Insufficient number of Endpoints ({count}), impossible to safely allocate proportionally"
    least = {zone: math.ceil(round(count * share / (1 + OVERLOAD), 9)) for zone, share in shares.items()}
    if sum(least.values()) > count:
        return (
            "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold "
            f"({count} endpoints, {len(shares)} zones)"
        )
    given = list(own)
    while True:
        have = Counter(given)
        lacking = max(shares, key=lambda zone: least[zone] - have[zone])
        if have[lacking] >= least[lacking]:
            return given
        giving = max(have, key=lambda zone: have[zone] - count * shares.get(zone, 0.0))
        # The last one that is at home there leaves first, so that a changed count moves few.
        given[max(n for n, zone in enumerate(given) if zone == giving)] = lacking
