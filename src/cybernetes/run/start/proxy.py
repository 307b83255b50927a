"""A node's proxy on the kernel of its network namespace."""

from __future__ import annotations

from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.client.kubeconfig import connect
from cybernetes.proxy.config import ProxyConfig
from cybernetes.proxy.conntrack import KernelFlows
from cybernetes.proxy.dataplane import TableDataplane
from cybernetes.proxy.loop import Proxy
from cybernetes.proxy.packets.nft import NftPackets
from cybernetes.run.notify import notify_ready
from cybernetes.run.start import Setting


async def serve(setting: Setting) -> None:
    clock, node, network = SystemClock(), setting.own_node, setting.config.network
    client = connect(setting.layout.kubeconfig(f"proxy-{node.name}"), user_agent="kube-proxy", clock=clock)
    config = ProxyConfig(
        node=node.name,
        mode=network.proxy_mode,
        cluster_ranges=(network.pod_range,),
        service_ranges=(network.service_range,),
        bind=node.address,
    )
    planes = [TableDataplane(NftPackets(family)) for family in config.families]
    proxy = Proxy(client, planes, KernelFlows(), clock, SystemRandom(), config, ready=notify_ready)
    await proxy.run()
