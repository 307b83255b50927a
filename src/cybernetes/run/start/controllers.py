"""The controllers on the API, each as its own service account."""

from __future__ import annotations

import socket

from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom, uid
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import FileTransport
from cybernetes.controllers.manager import LEASE_NAME, ControllerManager, ManagerConfig
from cybernetes.run import files
from cybernetes.run.start import Setting, numbers
from cybernetes.run.start.serving import ALIVE, Serving, gate, serve_beside


async def serve(setting: Setting) -> None:
    clock, random = SystemClock(), SystemRandom()
    kubeconfig = setting.layout.kubeconfig("controller-manager")
    network = setting.config.network
    transports = [numbers.Counted(FileTransport(kubeconfig, clock, identity=own)) for own in (True, False)]
    client = ApiClient(transports[0], user_agent="kube-controller-manager", clock=clock)
    manager = ControllerManager(
        client,
        clock,
        random,
        ManagerConfig(
            identity=f"{socket.gethostname()}_{uid(random)}",
            root_ca=files.ca(setting.layout).certificate.read_text(),
            signer=files.ca(setting.layout).read(),
            account_key=files.service_account_key(setting.layout).read_bytes(),
            pod_ranges=network.node_parts,
        ),
        accounts=transports[1],
    )
    serving = Serving(
        gate(client, setting.layout, clock),
        {"healthz": ALIVE, "livez": ALIVE, "readyz": ALIVE},
        numbers.registry(
            numbers.Queues(manager.queues),
            numbers.Requests(setting.config.api_host, transports),
            numbers.Leading(LEASE_NAME, lambda: manager.leads),
        ),
        {"kubecontrollermanager.config.k8s.io": {"kind": "KubeControllerManagerConfiguration"}},
    )
    where = (setting.config.serving.bind_address, setting.config.serving.controller_manager_port)
    await serve_beside(manager.run, serving, where, files.controller_manager(setting.layout), setting.layout)
