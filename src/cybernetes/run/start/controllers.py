"""The controllers on the API, each as its own service account."""

from __future__ import annotations

import socket

from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom, uid
from cybernetes.client.kubeconfig import FileTransport, connect
from cybernetes.controllers.manager import ControllerManager, ManagerConfig
from cybernetes.run import files
from cybernetes.run.notify import notify_ready
from cybernetes.run.start import Setting


async def serve(setting: Setting) -> None:
    clock, random = SystemClock(), SystemRandom()
    kubeconfig = setting.layout.kubeconfig("controller-manager")
    network = setting.config.network
    manager = ControllerManager(
        connect(kubeconfig, user_agent="kube-controller-manager", clock=clock),
        clock,
        random,
        ManagerConfig(
            identity=f"{socket.gethostname()}_{uid(random)}",
            root_ca=files.ca(setting.layout).certificate.read_text(),
            signer=files.ca(setting.layout).read(),
            account_key=files.service_account_key(setting.layout).read_bytes(),
            pod_ranges=network.node_parts,
        ),
        accounts=FileTransport(kubeconfig, clock, identity=False),
    )
    notify_ready()
    await manager.run()
