"""Which endpoints of a service port this node sends packets to.

source  Kubernetes docs "Virtual IPs and Service Proxies": traffic policies, terminating endpoints;
        "Topology Aware Routing"; "EndpointSlices", conditions
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from cybernetes.proxy.objects import Endpoint

# What a plan calls an endpoint: the packed address and the port, 2 bytes, network order.
Target = bytes


class Selected(msgspec.Struct, frozen=True, gc=False):
    """All sorted, without duplicates.

    cluster  for policy Cluster: ready ones that topology allows, else all that still serve while terminating
    local    for policy Local: the same, of this node only and whatever topology says
    on_node  those of `cluster` and `local` that run on this node
    serving  everything that answers, here or elsewhere, used or not
    healthy  those of this node that are ready; load balancers are told to go elsewhere when there are none
    """

    cluster: tuple[Target, ...] = ()
    local: tuple[Target, ...] = ()
    on_node: tuple[Target, ...] = ()
    serving: tuple[Target, ...] = ()
    healthy: tuple[Target, ...] = ()


NONE = Selected()


def select(candidates: Sequence[tuple[Endpoint, int]], node: str, zone: str) -> Selected:
    """candidates: endpoints with their port numbers, duplicates allowed."""
    if not candidates:
        return NONE
    ready = [each for each in candidates if each[0].ready]
    near = _topology([endpoint for endpoint, _ in ready], node, zone)
    used = [each for each in ready if near(each[0])]
    here = [each for each in ready if each[0].node == node]
    healthy = _targets(here) if here else ()
    if not used or not here:
        ending = [each for each in candidates if each[0].serving and each[0].terminating]
        used = used or ending
        here = here or [each for each in ending if each[0].node == node]
    cluster = _targets(used)
    # Mostly everything serves and is used; one tuple for both then.
    serving = cluster if len(used) == len(ready) == len(candidates) else None
    return Selected(
        cluster=cluster,
        local=healthy or (_targets(here) if here else ()),
        on_node=_targets(each for each in (*used, *here) if each[0].node == node),
        serving=_targets(each for each in candidates if each[0].serving) if serving is None else serving,
        healthy=healthy,
    )


def _topology(ready: Sequence[Endpoint], node: str, zone: str) -> Callable[[Endpoint], bool]:
    """Hints count only when every ready endpoint has them and one of them means this node."""
    if all(each.nodes for each in ready) and any(node in each.nodes for each in ready):
        return lambda endpoint: node in endpoint.nodes
    if zone and all(each.zones for each in ready) and any(zone in each.zones for each in ready):
        return lambda endpoint: zone in endpoint.zones
    return lambda endpoint: True


def _targets(chosen: Iterable[tuple[Endpoint, int]]) -> tuple[Target, ...]:
    return tuple(sorted({endpoint.address + port.to_bytes(2, "big") for endpoint, port in chosen}))
