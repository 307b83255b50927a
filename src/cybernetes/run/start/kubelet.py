"""A node's kubelet on its containerd."""

from __future__ import annotations

import asyncio

from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.client.kubeconfig import connect
from cybernetes.kubelet.config import KubeletConfig
from cybernetes.kubelet.local_volumes import LocalVolumes
from cybernetes.kubelet.loop import Kubelet
from cybernetes.kubelet.runtime.cri import CriRuntime
from cybernetes.run import files
from cybernetes.run.naming import cgroup_root
from cybernetes.run.notify import notify_ready
from cybernetes.run.start import Setting, rotation
from cybernetes.run.start.authority import Follower


async def serve(setting: Setting) -> None:
    clock = SystemClock()
    node = setting.own_node
    kubeconfig = setting.layout.kubeconfig(f"kubelet-{node.name}")
    client = connect(kubeconfig, user_agent="kubelet", clock=clock)
    runtime = CriRuntime(str(setting.layout.node(node.name).containerd_socket))
    random = SystemRandom()
    config = _config(setting)
    kubelet = Kubelet(client, runtime, clock, random, config)
    notify_ready()
    rotations = {
        each.where.certificate.stem: rotation.Rotation(client, each, clock, random)
        for each in rotation.of_node(setting)
    }
    async with asyncio.TaskGroup() as group:
        for each in rotations.values():
            group.create_task(each.run(), name="kubelet.certificates")
        if setting.config.joined:
            follower = Follower(client, setting, rotations, clock, random)
            group.create_task(follower.run(), name="kubelet.authority")
        volumes = LocalVolumes(client, clock, random, node.name, config.local_volumes)
        group.create_task(volumes.run(), name="kubelet.localvolumes")
        await kubelet.run()


def _config(setting: Setting) -> KubeletConfig:
    node, network = setting.own_node, setting.config.network
    places, serving = setting.layout.node(node.name), files.kubelet_serving(setting.layout, node.name)
    return KubeletConfig(
        node_name=node.name,
        node_ip=node.address,
        second_node_ip=node.second_address,
        root_dir=places.kubelet,
        pod_log_dir=places.pod_logs,
        container_log_dir=None,
        cgroup_root=cgroup_root(node),
        cluster_dns=(network.dns_address,),
        cluster_domain=network.cluster_domain,
        address=node.address,
        serving_cert=serving.certificate,
        serving_key=serving.key,
        client_ca=files.ca(setting.layout).certificate,
        max_pods=node.max_pods,
    )
