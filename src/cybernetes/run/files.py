"""Where each key and certificate lies; `install.pki` writes them, components read them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from cybernetes.auth.pki import Credential
from cybernetes.base.private_file import write_private
from cybernetes.run.layout import Layout


class CertificateFiles(msgspec.Struct, frozen=True):
    certificate: Path
    key: Path

    def read(self) -> Credential:
        return Credential(self.certificate.read_bytes(), self.key.read_bytes())

    def write(self, credential: Credential) -> None:
        """Each as a whole, the key first."""
        write_private(self.key, credential.key)
        write_private(self.certificate, credential.certificate)


def ca(layout: Layout) -> CertificateFiles:
    return of(layout, "ca")


def front_proxy_ca(layout: Layout) -> CertificateFiles:
    return of(layout, "front-proxy-ca")


def front_proxy_client(layout: Layout) -> CertificateFiles:
    return of(layout, "front-proxy-client")


def api_server(layout: Layout) -> CertificateFiles:
    return of(layout, "apiserver")


def kubelet_client(layout: Layout) -> CertificateFiles:
    """What the API server shows to kubelets."""
    return of(layout, "apiserver-kubelet-client")


def registry(layout: Layout) -> CertificateFiles:
    return of(layout, "registry")


def registry_client(layout: Layout) -> CertificateFiles:
    return of(layout, "registry-client")


def etcd_ca(layout: Layout) -> CertificateFiles:
    return of(layout, "etcd-ca")


def etcd_server(layout: Layout) -> CertificateFiles:
    return of(layout, "etcd")


def etcd_client(layout: Layout) -> CertificateFiles:
    return of(layout, "apiserver-etcd-client")


def scheduler(layout: Layout) -> CertificateFiles:
    """What the scheduler shows to whoever asks for its health or its metrics."""
    return of(layout, "scheduler")


def controller_manager(layout: Layout) -> CertificateFiles:
    return of(layout, "controller-manager")


def kubelet_serving(layout: Layout, node: str) -> CertificateFiles:
    return of(layout, f"kubelet-{node}")


def service_account_key(layout: Layout) -> Path:
    return layout.pki / "sa.key"


def former_service_account_keys(layout: Layout) -> list[Path]:
    """Public keys, newest first: what they signed is believed until it ends."""
    return sorted(layout.pki.glob("sa-former-*.pub"), reverse=True)


def envelope_key(layout: Layout) -> Path:
    """What Secrets are encrypted with in the store."""
    return layout.pki / "secrets.key"


def members_key(layout: Layout) -> Path:
    """What the machines of a control plane seal with what is for each other only."""
    return layout.pki / "members.key"


def super_admin_kubeconfig(layout: Layout) -> Path:
    """For when roles and bindings are broken: whom no rule can stop. It stays on this machine."""
    return layout.data_dir / "super-admin.kubeconfig"


def fingerprint(*contents: bytes) -> str:
    """Tells whether the API server uses what lies in its files of encryption, without telling what that is."""
    digest = hashlib.sha256()
    for each in contents:
        digest.update(hashlib.sha256(each).digest())
    return f"sha256:{digest.hexdigest()}"


def of(layout: Layout, name: str) -> CertificateFiles:
    return CertificateFiles(layout.pki / f"{name}.crt", layout.pki / f"{name}.key")
