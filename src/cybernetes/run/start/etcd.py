"""The API server's store in an etcd cluster."""

from __future__ import annotations

from cybernetes.base.clock import Clock
from cybernetes.run import files
from cybernetes.run.start import Setting
from cybernetes.store.etcd.calls import Tls
from cybernetes.store.etcd.store import EtcdStore

# The member that is started here when the configuration names none.
OWN_MEMBER = "127.0.0.1:2379"
# Apart from other users of the cluster, and from a Kubernetes that keeps its state under /registry.
ROOT = "/cybernetes"


async def open_etcd(setting: Setting, clock: Clock) -> EtcdStore:
    layout = setting.layout
    client = files.etcd_client(layout)
    tls = Tls(
        ca=files.etcd_ca(layout).certificate.read_bytes(),
        cert=client.certificate.read_bytes(),
        key=client.key.read_bytes(),
    )
    endpoints = setting.config.store.endpoints or (OWN_MEMBER,)
    return await EtcdStore.open(endpoints, clock=clock, tls=tls, root=ROOT)
