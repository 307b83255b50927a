"""Writes a cluster's keys, certificates and kubeconfigs; what exists and is still valid is kept.

`auth.pki` builds them purely; here is only which there are, for whom, and where they lie.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import yaml

from cybernetes.auth import pki
from cybernetes.auth.pki import Credential
from cybernetes.base.clock import SystemClock
from cybernetes.base.private_file import write_private
from cybernetes.base.random import SystemRandom
from cybernetes.client import kubeconfig
from cybernetes.client.kubeconfig import Access
from cybernetes.install import administrators
from cybernetes.install.containerd import RegistryHost
from cybernetes.install.registry import REGISTRY_NAME, REGISTRY_PORT
from cybernetes.run import files
from cybernetes.run.config import ClusterConfig, NodeConfig, bracketed
from cybernetes.run.layout import Layout

# A certificate is made anew when it has less than this part of its life left.
RENEW_BELOW = 1 / 3


def registry_hosts(config: ClusterConfig, layout: Layout) -> list[RegistryHost]:
    if not config.registry:
        return []
    # A node that joined shows its own certificate; it is of the same authority.
    name = f"client-kubelet-{config.nodes[0].name}" if config.joined else "registry-client"
    client = files.of(layout, name)
    server = f"https://{bracketed(config.registry_address)}:{REGISTRY_PORT}"
    return [RegistryHost(REGISTRY_NAME, server, files.ca(layout).certificate, client.certificate, client.key)]


def ensure(config: ClusterConfig, layout: Layout) -> None:
    """Make what is missing or soon ends."""
    layout.pki.mkdir(parents=True, exist_ok=True, mode=0o700)
    issuer = Issuer(config, layout)
    issuer.authorities()
    issuer.control_plane()
    for node in config.nodes:
        issuer.node(node)


class Issuer:
    """Writes the files of one machine. The first certificate of an authority's file signs; all of them are trusted."""

    def __init__(self, config: ClusterConfig, layout: Layout) -> None:
        self._config = config
        self._layout = layout
        self._terms = pki.Terms(SystemClock().now(), SystemRandom())
        self._ca_terms = pki.Terms(self._terms.now, self._terms.random, pki.CA_LIFETIME_S)

    def authorities(self) -> None:
        for where, name in (
            (files.ca(self._layout), "cybernetes-ca"),
            (files.front_proxy_ca(self._layout), "front-proxy-ca"),
            (files.etcd_ca(self._layout), "etcd-ca"),
        ):
            # Never made anew by itself: everything trusts it. `cybernetes certs rotate-ca` does that in steps.
            if not (where.certificate.exists() and (where.key.exists() or self._is_foreign(where))):
                where.write(pki.ca(name, self._ca_terms))
        key = files.service_account_key(self._layout)
        if not key.exists():
            write_private(key, pki.new_key(self._terms.random))
        if not files.envelope_key(self._layout).exists():
            write_private(files.envelope_key(self._layout), b64encode(self._terms.random.token(32)) + b"\n")
        if not files.members_key(self._layout).exists():
            write_private(files.members_key(self._layout), self._terms.random.token(32))

    def control_plane(self) -> None:
        layout = self._layout
        self._api_server()
        self._client(files.kubelet_client(layout), "kube-apiserver-kubelet-client", "system:masters")
        self._client(files.front_proxy_client(layout), "front-proxy-client", authority=files.front_proxy_ca(layout))
        self._client(files.registry_client(layout), "registry-client")
        self._client(files.etcd_client(layout), "apiserver", authority=files.etcd_ca(layout))
        asked_at = sorted({"127.0.0.1", self._config.api_address})
        self._serving(files.scheduler(layout), "kube-scheduler", ["localhost"], asked_at)
        self._serving(files.controller_manager(layout), "kube-controller-manager", ["localhost"], asked_at)
        self._serving(files.registry(layout), "registry", [], [self._config.api_address])
        self._serving(files.etcd_server(layout), "etcd", ["localhost"], ["127.0.0.1"], authority=files.etcd_ca(layout))
        self._kubeconfig("admin", layout.admin_kubeconfig, "kubernetes-admin", administrators.GROUP, local=True)
        masters = files.super_admin_kubeconfig(layout)
        self._kubeconfig("super-admin", masters, "kubernetes-super-admin", "system:masters", local=True)
        for component in ("controller-manager", "scheduler"):
            self._kubeconfig(component, layout.kubeconfig(component), f"system:kube-{component}", local=True)

    def node(self, node: NodeConfig) -> None:
        serving = files.kubelet_serving(self._layout, node.name)
        self._serving(serving, f"system:node:{node.name}", [node.name], [node.address], organization="system:nodes")
        kubelet, proxy, dns = f"kubelet-{node.name}", f"proxy-{node.name}", f"dns-{node.name}"
        self._kubeconfig(kubelet, self._layout.kubeconfig(kubelet), f"system:node:{node.name}", "system:nodes")
        self._kubeconfig(proxy, self._layout.kubeconfig(proxy), "system:kube-proxy")
        self._kubeconfig(dns, self._layout.kubeconfig(dns), "system:cybernetes:dns")

    def _api_server(self) -> None:
        config = self._config
        domain = config.network.cluster_domain
        names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{domain}"]
        addresses = ["127.0.0.1", "::1", config.network.kubernetes_address, config.api_address]
        endpoint = config.api_server.endpoint.partition(":")[0]
        for each in (*config.api_server.extra_names, *([endpoint] if endpoint else ())):
            (addresses if each.replace(".", "").isdigit() or ":" in each else names).append(each)
        self._serving(files.api_server(self._layout), "kube-apiserver", [*names, "localhost"], sorted(set(addresses)))

    def _serving(
        self,
        where: files.CertificateFiles,
        common_name: str,
        names: list[str],
        addresses: list[str],
        *,
        organization: str = "",
        authority: files.CertificateFiles | None = None,
    ) -> None:
        signer = authority or files.ca(self._layout)
        organizations = [organization] if organization else []
        self._ensure(
            where,
            signer,
            lambda: pki.serving(
                signer.read(),
                common_name,
                self._terms,
                names=names,
                addresses=addresses,
                organizations=organizations,
            ),
        )

    def _client(
        self,
        where: files.CertificateFiles,
        user: str,
        group: str = "",
        *,
        authority: files.CertificateFiles | None = None,
    ) -> None:
        signer, groups = authority or files.ca(self._layout), [group] if group else []
        self._ensure(where, signer, lambda: pki.client(signer.read(), user, groups, self._terms))

    def _kubeconfig(self, name: str, path: Path, user: str, group: str = "", *, local: bool = False) -> None:
        """local: used on this machine, where loopback always reaches the API server."""
        where = files.of(self._layout, f"client-{name}")
        self._client(where, user, group)
        config = self._config
        address = "127.0.0.1" if local and config.api_server.bind_address in ("0.0.0.0", "127.0.0.1") else ""
        server = f"https://{address}:{config.api_server.port}" if address else config.server_url
        document = render_kubeconfig(
            config.name, server, files.ca(self._layout).certificate.read_bytes(), user, where.read()
        )
        # Components look at it again when it was written.
        if not path.exists() or path.read_bytes() != document:
            write_private(path, document)

    def _ensure(
        self, where: files.CertificateFiles, signer: files.CertificateFiles, make: Callable[[], Credential]
    ) -> None:
        if where.certificate.exists() and where.key.exists() and self._lasts(where, signer):
            return
        if signer.key.exists():
            where.write(make())

    def _is_foreign(self, authority: files.CertificateFiles) -> bool:
        """Whether an authority is of somebody who keeps its key: that of an etcd which others run."""
        return authority == files.etcd_ca(self._layout) and bool(self._config.store.endpoints)

    def _lasts(self, where: files.CertificateFiles, signer: files.CertificateFiles) -> bool:
        certificate = where.certificate.read_bytes()
        starts, ends = pki.validity(certificate)
        lasts = ends - self._terms.now > (ends - starts) * RENEW_BELOW
        return lasts and pki.is_issued_by(certificate, signer.certificate.read_bytes())


def render_kubeconfig(cluster: str, server: str, authority: bytes, user: str, own: Credential) -> bytes:
    """A kubeconfig with everything inside, so that it can be copied elsewhere."""
    access = Access(server=server, authority=authority, certificate=own.certificate, key=own.key)
    context = cluster if user == "kubernetes-admin" else f"{user}@{cluster}"
    document = kubeconfig.build(access, name=cluster, user=f"{cluster}-{user}", context=context)
    return yaml.safe_dump(document, sort_keys=False).encode()
