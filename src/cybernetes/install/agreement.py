"""Replacing an authority together with other machines: the API carries it there, and back that they go by it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.client.api import ApiClient
from cybernetes.client.target import CONFIG_MAPS, ENDPOINTS, NODES
from cybernetes.install import members
from cybernetes.install.authority import Authority
from cybernetes.install.joining.invitation import MANAGER, cluster_info
from cybernetes.run import published
from cybernetes.run.config import ClusterConfig

Object = dict[str, Any]

# A kubelet that has lost its watch looks again within a minute, and its requests are signed within another. API servers
# write what they give to others once a minute.
AGREED_WITHIN_S = 150.0
_LOOK_S = 1.0
_AUTHENTICATION, _FRONT_PROXY = "extension-apiserver-authentication", "requestheader-client-ca-file"


def behind(nodes: Iterable[Object], own: Iterable[str], bundle: bytes) -> list[str]:
    """Names of nodes that have not said that they go by the bundle. own: those of machines of the control plane."""
    wanted, here = published.confirmation(bundle), set(own)
    said = {
        each["metadata"]["name"]: (each["metadata"].get("annotations") or {}).get(published.CONFIRMED)
        for each in nodes
        if each["metadata"]["name"] not in here
    }
    return sorted(name for name, what in said.items() if what != wanted)


def other_servers(endpoints: Object, own: Iterable[str]) -> list[str]:
    """Addresses of API servers of other machines than those, by the endpoints of the Service `kubernetes`."""
    subsets: Sequence[Object] = endpoints.get("subsets") or ()
    found = {address["ip"] for subset in subsets for address in subset.get("addresses") or ()}
    return sorted(found - set(own))


async def accounted(client: ApiClient, config: ClusterConfig) -> None:
    """Raises EdgeError when there are machines of the control plane that nobody tells of another authority."""
    own = {config.api_address} | members.told(await members.all_said(client), "address")
    # None at all where pods can't reach the API server: then it listens on loopback.
    selector = "metadata.name=kubernetes"
    endpoints = await client.list(ENDPOINTS, namespace="default", field_selector=selector)
    found = [address for each in endpoints.objects() for address in other_servers(each, own)]
    if found:
        why = (
            f"{', '.join(found)}: machines of the control plane that don't go along; those that `cybernetes up` started "
            "with this release say so within a minute, take down the others first"
        )
        raise _not_done(why, Retry.LATER)


async def publish(client: ApiClient, config: ClusterConfig, bundle: bytes) -> None:
    """Tell everybody which authorities are to be trusted, and (the first) which one signs."""
    target, obj = cluster_info(config, bundle)
    await client.apply(target, obj, field_manager=MANAGER)


async def reached(
    client: ApiClient, config: ClusterConfig, bundle: bytes, clock: Clock, within_s: float = AGREED_WITHIN_S
) -> None:
    """Wait until all nodes that joined go by the bundle. Raises EdgeError with the names of those that don't in time."""
    own = {each.name for each in config.nodes}

    async def missing() -> list[str]:
        # A node of a machine of the control plane goes by what that machine goes by.
        with_members = own | members.told(await members.all_said(client), "node")
        return behind((await client.list(NODES)).objects(), with_members, bundle)

    await _all(missing, clock, within_s, "delete nodes that are gone")


async def members_reached(
    client: ApiClient,
    config: ClusterConfig,
    of: Authority,
    bundle: bytes,
    clock: Clock,
    within_s: float = AGREED_WITHIN_S,
) -> None:
    """Wait until all machines of the control plane go by the bundle. Raises EdgeError with the names of the others."""
    own = members.name(config)

    async def missing() -> list[str]:
        return members.behind(await members.all_said(client), own, of, bundle)

    forget = f"take the keys of machines that are gone out of the ConfigMap {members.NAMESPACE}/{members.MEMBERS}"
    await _all(missing, clock, within_s, forget)


async def aggregated_reached(client: ApiClient, bundle: bytes, clock: Clock, within_s: float = AGREED_WITHIN_S) -> None:
    """Wait until aggregated API servers are told by all API servers to trust the front proxies of the bundle."""

    async def missing() -> list[str]:
        found = await client.get(CONFIG_MAPS, _AUTHENTICATION, namespace="kube-system")
        return [] if found["data"].get(_FRONT_PROXY) == bundle.decode() else [_AUTHENTICATION]

    await _all(missing, clock, within_s, "see cybernetes logs apiserver")


async def _all(missing: Callable[[], Awaitable[list[str]]], clock: Clock, within_s: float, otherwise: str) -> None:
    late = await missing()
    try:
        async with asyncio.timeout(within_s):
            while late:
                await clock.sleep(_LOOK_S)
                late = await missing()
    except TimeoutError as timeout:
        why = f"{', '.join(late)}: not gone along yet; do they run? Repeat the command when they do, or {otherwise}"
        raise _not_done(why, Retry.LATER) from timeout


def _not_done(why: str, retry: Retry) -> EdgeError:
    return EdgeError("rotate", "the authority", why, outcome=Outcome.NOT_DONE, retry=retry)
