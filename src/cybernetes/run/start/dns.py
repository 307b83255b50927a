"""A node's DNS server."""

from __future__ import annotations

from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.client.kubeconfig import connect
from cybernetes.dns.config import DnsConfig
from cybernetes.dns.loop import Dns
from cybernetes.run.notify import notify_ready
from cybernetes.run.start import Setting


async def serve(setting: Setting) -> None:
    clock, node, network = SystemClock(), setting.own_node, setting.config.network
    client = connect(setting.layout.kubeconfig(f"dns-{node.name}"), user_agent="cybernetes-dns", clock=clock)
    config = DnsConfig(
        node=node.name,
        address=node.address,
        domain=network.cluster_domain,
        service_address=network.dns_address,
        cluster_ranges=(*network.pod_ranges, *network.service_ranges),
        snapshot=setting.layout.node(node.name).dns_snapshot,
    )
    await Dns(client, clock, SystemRandom(), config, ready=notify_ready).run()
