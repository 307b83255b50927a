"""Replacing the authority with machines that joined: the API carries the bundle there, and back that they go by it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.client.api import ApiClient
from cybernetes.client.target import ENDPOINTS, NODES
from cybernetes.install.joining.invitation import MANAGER, cluster_info
from cybernetes.run import published
from cybernetes.run.config import ClusterConfig

Object = dict[str, Any]

# A kubelet that has lost its watch looks again within a minute, and its requests are signed within another.
AGREED_WITHIN_S = 150.0
_LOOK_S = 1.0


def behind(nodes: Iterable[Object], own: Iterable[str], bundle: bytes) -> list[str]:
    """Names of nodes of other machines that have not said that they go by the bundle. own: this machine's nodes."""
    wanted, here = published.confirmation(bundle), set(own)
    said = {
        each["metadata"]["name"]: (each["metadata"].get("annotations") or {}).get(published.CONFIRMED)
        for each in nodes
        if each["metadata"]["name"] not in here
    }
    return sorted(name for name, what in said.items() if what != wanted)


def other_servers(endpoints: Object, own: str) -> list[str]:
    """Addresses of API servers of other machines, by the endpoints of the Service `kubernetes`."""
    subsets: Sequence[Object] = endpoints.get("subsets") or ()
    found = {address["ip"] for subset in subsets for address in subset.get("addresses") or ()}
    return sorted(found - {own})


async def alone(client: ApiClient, config: ClusterConfig) -> None:
    """Raises EdgeError when there are other machines of the control plane: they sign, too, and nobody tells them."""
    # None at all where pods can't reach the API server: then it listens on loopback.
    selector = "metadata.name=kubernetes"
    endpoints = await client.list(ENDPOINTS, namespace="default", field_selector=selector)
    found = [address for each in endpoints.objects() for address in other_servers(each, config.api_address)]
    if found:
        why = f"{', '.join(found)}: several machines of the control plane; take down all but this one first"
        raise _not_done(why, Retry.NEVER)


async def publish(client: ApiClient, config: ClusterConfig, bundle: bytes) -> None:
    """Tell everybody which authorities are to be trusted, and (the first) which one signs."""
    target, obj = cluster_info(config, bundle)
    await client.apply(target, obj, field_manager=MANAGER)


async def reached(
    client: ApiClient, config: ClusterConfig, bundle: bytes, clock: Clock, within_s: float = AGREED_WITHIN_S
) -> None:
    """Wait until all nodes that joined go by the bundle. Raises EdgeError with the names of those that don't in time."""
    own, missing = [each.name for each in config.nodes], [""]
    try:
        async with asyncio.timeout(within_s):
            while missing := behind((await client.list(NODES)).objects(), own, bundle):
                await clock.sleep(_LOOK_S)
    except TimeoutError as late:
        why = (
            f"{', '.join(missing)}: not gone along yet; do they run? "
            "Repeat the command when they do, or delete nodes that are gone"
        )
        raise _not_done(why, Retry.LATER) from late


def _not_done(why: str, retry: Retry) -> EdgeError:
    return EdgeError("rotate", "the cluster's authority", why, outcome=Outcome.NOT_DONE, retry=retry)
