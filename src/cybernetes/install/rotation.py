"""Leads the rotation of an authority from this machine: one step here, then everybody who has to go along.

Each step ends when all others have said that they took it, so that none is ever ahead of the rest by more than one.
"""

from __future__ import annotations

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import connect
from cybernetes.install import agreement, authority, members
from cybernetes.install.authority import CLUSTER, ETCD, FRONT_PROXY, Authority
from cybernetes.run import files
from cybernetes.run.config import ClusterConfig
from cybernetes.run.layout import Layout
from cybernetes.run.private import exclusive

_ETCD_ELSEWHERE = (
    "it is not run by this cluster: replace it there, put both authorities into pki/etcd-ca.crt of every machine of the "
    "control plane, then a certificate of the new one into pki/apiserver-etcd-client.crt and .key, and start each API "
    "server again after both"
)


def refuse_what_is_not_there(config: ClusterConfig, of: Authority) -> None:
    """Raises EdgeError when this cluster has no such authority."""
    if of is not ETCD:
        return
    why = "the state is in SQLite, there is no etcd" if config.store.kind != "etcd" else _ETCD_ELSEWHERE
    if config.store.kind != "etcd" or config.store.endpoints:
        raise EdgeError("rotate", "the authority of etcd", why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)


async def refuse_with_others(config: ClusterConfig, layout: Layout, what: str) -> None:
    """Raises EdgeError when there are other machines of the control plane, which nobody tells of it."""
    if not members.has_others(config):
        return
    client = _client(layout)
    try:
        await agreement.accounted(client, config)
        others = sorted(set(await members.all_said(client)) - {members.name(config)})
    finally:
        await client.close()
    if others:
        why = f"{', '.join(others)} would not know it; take them down, and let them join again afterwards"
        raise EdgeError("rotate", what, why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)


async def settle(config: ClusterConfig, layout: Layout, of: Authority) -> None:
    """Complete what was interrupted, here and elsewhere. Raises EdgeError with the names of those that don't go along."""
    client = _client(layout)
    try:
        with exclusive(layout.pki):
            if authority.is_under_way(layout, of):
                authority.complete(config, layout, of)
            if members.has_others(config):
                await members.say(client, config, layout)
        await agreement.accounted(client, config)
        await _go_along(client, config, layout, of)
    finally:
        await client.close()


async def take(config: ClusterConfig, layout: Layout, of: Authority, step: str) -> None:
    """One step, on all machines. Raises EdgeError; the same step is to be repeated then."""
    client = _client(layout)
    try:
        with exclusive(layout.pki):
            wanted = authority.target(layout, of, step)
            if members.has_others(config):
                await members.publish(client, layout, of, wanted)
            authority.adopt(config, layout, of, wanted)
            if members.has_others(config):
                await members.say(client, config, layout)
        await _go_along(client, config, layout, of)
        if step == "finish" and members.has_others(config):
            await members.withdraw(client, of)
    finally:
        await client.close()


async def _go_along(client: ApiClient, config: ClusterConfig, layout: Layout, of: Authority) -> None:
    clock, bundle = SystemClock(), files.of(layout, of.file).certificate.read_bytes()
    if members.has_others(config):
        await agreement.members_reached(client, config, of, bundle, clock)
    if of is CLUSTER:
        await agreement.publish(client, config, bundle)
        await agreement.reached(client, config, bundle, clock)
    elif of is FRONT_PROXY:
        await agreement.aggregated_reached(client, bundle, clock)


def _client(layout: Layout) -> ApiClient:
    return connect(layout.admin_kubeconfig, user_agent="cybernetes-certs", clock=SystemClock())
