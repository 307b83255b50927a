"""A node's proxy on the kernel of its network namespace."""

from __future__ import annotations

import os

from cybernetes.base.clock import SystemClock
from cybernetes.base.log import Log
from cybernetes.base.random import SystemRandom
from cybernetes.client.kubeconfig import connect
from cybernetes.proxy.config import ProxyConfig
from cybernetes.proxy.conntrack import KernelFlows, raise_limits
from cybernetes.proxy.dataplane import Dataplane, TableDataplane
from cybernetes.proxy.loop import Proxy
from cybernetes.proxy.packets.iptables import IptablesDataplane
from cybernetes.proxy.packets.nft import NftPackets
from cybernetes.proxy.packets.switch import leave_iptables, leave_nftables, leave_other_variant
from cybernetes.run.notify import notify_ready
from cybernetes.run.start import Setting

_log = Log("proxy")


async def serve(setting: Setting) -> None:
    clock, node, network = SystemClock(), setting.own_node, setting.config.network
    client = connect(setting.layout.kubeconfig(f"proxy-{node.name}"), user_agent="kube-proxy", clock=clock)
    config = ProxyConfig(
        node=node.name,
        mode=network.proxy_mode,
        cluster_ranges=network.pod_ranges,
        service_ranges=network.service_ranges,
        # Upstream's defaults: iptables take node ports on every address of the node, localhost too.
        nodeport_addresses=() if network.proxy_mode == "iptables" else ("primary",),
        bind=node.address,
        second_bind=node.second_address,
    )
    planes = [_plane(config.mode, family) for family in config.families]
    if await _leave_others(config):
        _log.info("rules.of_other_mode_removed", mode=config.mode)
    for why in raise_limits(os.cpu_count() or 1):
        _log.debug("limit.not_raised", why=why)
    proxy = Proxy(client, planes, KernelFlows(), clock, SystemRandom(), config, ready=notify_ready)
    await proxy.run()


async def _leave_others(config: ProxyConfig) -> bool:
    if config.mode == "iptables":
        left = [await leave_nftables(config.families), await leave_other_variant(config.families)]
        return any(left)
    return await leave_iptables(config.families)


def _plane(mode: str, family: int) -> Dataplane:
    if mode == "iptables":
        return IptablesDataplane(family)
    return TableDataplane(NftPackets(family))
