"""A node's pod network: CNI configuration, routes, masquerading, and what NetworkPolicies keep out of it."""

from __future__ import annotations

import asyncio

from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.client.kubeconfig import connect
from cybernetes.network.links.netlink import KernelLinks
from cybernetes.network.loop import Network
from cybernetes.network.plan import NetworkConfig
from cybernetes.network.policy.kernel import KernelFilter
from cybernetes.network.policy.loop import Policies
from cybernetes.run.notify import notify_ready
from cybernetes.run.start import Setting


async def serve(setting: Setting) -> None:
    clock, node = SystemClock(), setting.own_node
    places = setting.layout.node(node.name)
    client = connect(setting.layout.kubeconfig(f"proxy-{node.name}"), user_agent="cybernetes-network", clock=clock)
    config = NetworkConfig(
        node=node.name,
        conf_dir=places.cni_conf,
        state_dir=places.cni_state,
        pod_ranges=setting.config.network.pod_ranges,
    )
    random = SystemRandom()
    async with asyncio.TaskGroup() as group:
        network = Network(client, KernelLinks(), clock, random, config, ready=notify_ready)
        group.create_task(network.run(), name="network")
        group.create_task(Policies(client, KernelFilter(), clock, random, node.name).run(), name="policies")
