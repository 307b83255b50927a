"""`down`: from a cluster, running or crashed, back to the machine as it was."""

from __future__ import annotations

import shutil

from cybernetes.install import cgroups, fabric, removal
from cybernetes.install.bring_up import Step
from cybernetes.install.network_removal import remove_network
from cybernetes.install.pod_removal import remove_pods
from cybernetes.install.user_kubeconfig import remove_from_users
from cybernetes.run import config as cluster_config
from cybernetes.run import control
from cybernetes.run.layout import Layout
from cybernetes.run.naming import cgroup_root


def down(layout: Layout, step: Step, *, keep_data: bool) -> None:
    """Stop and remove; every part may be gone already."""
    config = cluster_config.read(layout.config)
    if control.is_running(layout.control_socket):
        for node in config.nodes:
            with step(f"removing pods of {node.name}"):
                control.ask(layout.control_socket, f"hold kubelet-{node.name}")
                remove_pods(layout.node(node.name))
        with step("stopping processes"):
            control.stop(layout.control_socket, layout.supervisor_lock)
    for node in config.nodes:
        with step(f"removing mounts and rules of {node.name}"):
            removal.remove_node(layout.node(node.name), cgroup_root(node))
            remove_network(node, layout.node(node.name))
    fabric.remove(config.nodes)
    if config.nodes:
        # An API server alone hid nothing, and may end while the nodes of another cluster begin.
        cgroups.show_strays()
    if keep_data:
        return
    with step("removing keys, state and kubeconfig"):
        remove_from_users(layout.admin_kubeconfig)
        shutil.rmtree(layout.data_dir)
