"""The certificates of a node: keys are made here, the cluster signs them.

The kubelet's first comes with the token. With it the node asks for the others, and for all of them again later.
"""

from __future__ import annotations

from pathlib import Path

from cybernetes.auth import pki
from cybernetes.auth.pki import Credential
from cybernetes.base.clock import SystemClock
from cybernetes.base.private_file import write_private
from cybernetes.base.random import SystemRandom
from cybernetes.client import certificates, kubeconfig
from cybernetes.client.api import ApiClient
from cybernetes.client.certificates import CLIENT, KUBELET_CLIENT, KUBELET_SERVING, Wanted
from cybernetes.client.kubeconfig import Access
from cybernetes.run import files
from cybernetes.run.config import ClusterConfig, NodeConfig
from cybernetes.run.layout import Layout

# A certificate is asked for anew when it has less than a third of its year left.
RENEW_BELOW_S = 120 * 24 * 3600


async def obtain(layout: Layout, config: ClusterConfig, first: Access | None = None) -> None:
    """Write what is missing or soon ends. first: who asks for the kubelet's certificate when there is none yet."""
    [node] = config.nodes
    kubelet = layout.kubeconfig(f"kubelet-{node.name}")
    asking = first or kubeconfig.access(kubeconfig.load([kubelet]))
    own = files.of(layout, f"client-kubelet-{node.name}")
    user = f"system:node:{node.name}"
    if first is not None or _ends_soon(own.certificate):
        got = await _signed(asking, Wanted(KUBELET_CLIENT, user, ("system:nodes",)))
        own.write(got)
        _write_kubeconfig(kubelet, config, asking.authority, user, got)
    asking = kubeconfig.access(kubeconfig.load([kubelet]))
    write_private(files.ca(layout).certificate, asking.authority)
    serving = files.kubelet_serving(layout, node.name)
    if _ends_soon(serving.certificate):
        serving.write(await _signed(asking, _serving(node, user)))
    for component, name in (("proxy", "system:kube-proxy"), ("dns", "system:cybernetes:dns")):
        where = files.of(layout, f"client-{component}-{node.name}")
        if _ends_soon(where.certificate):
            got = await _signed(asking, Wanted(CLIENT, name))
            where.write(got)
            _write_kubeconfig(layout.kubeconfig(f"{component}-{node.name}"), config, asking.authority, name, got)


def _serving(node: NodeConfig, user: str) -> Wanted:
    return Wanted(KUBELET_SERVING, user, ("system:nodes",), (node.name,), (node.address,))


async def _signed(asking: Access, wanted: Wanted) -> Credential:
    """Raises EdgeError when nobody approves or signs the request in time."""
    clock = SystemClock()
    client = ApiClient(kubeconfig.transport(asking), user_agent="cybernetes-join", clock=clock)
    try:
        return await certificates.obtain(client, wanted, clock, SystemRandom())
    finally:
        await client.close()


def _ends_soon(certificate: Path) -> bool:
    if not certificate.exists():
        return True
    return pki.expires_at(certificate.read_bytes()) - SystemClock().now() < RENEW_BELOW_S


def _write_kubeconfig(path: Path, config: ClusterConfig, authority: bytes, user: str, own: Credential) -> None:
    access = Access(server=config.server_url, authority=authority, certificate=own.certificate, key=own.key)
    kubeconfig.write(path, kubeconfig.build(access, name=config.name, user=user))
