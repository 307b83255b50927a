"""Writes a cluster's keys, certificates and kubeconfigs; what exists and is still valid is kept.

auth.pki builds them purely; here is only which there are, for whom, and where they lie.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import msgspec
import yaml

from cybernetes.auth import pki
from cybernetes.run.config import ClusterConfig, NodeConfig
from cybernetes.run.layout import Layout

# User and groups of each component of the control plane and of the administrator.
_IDENTITIES = {
    "admin": ("kubernetes-admin", ("system:masters",)),
    "controller-manager": ("system:kube-controller-manager", ()),
    "scheduler": ("system:kube-scheduler", ()),
}


class CertificateFiles(msgspec.Struct, frozen=True):
    certificate: Path
    key: Path


def ca(layout: Layout) -> CertificateFiles:
    return _files(layout, "ca")


def front_proxy_ca(layout: Layout) -> CertificateFiles:
    return _files(layout, "front-proxy-ca")


def api_server(layout: Layout) -> CertificateFiles:
    return _files(layout, "apiserver")


def kubelet_client(layout: Layout) -> CertificateFiles:
    """What the API server shows to kubelets."""
    return _files(layout, "apiserver-kubelet-client")


def registry(layout: Layout) -> CertificateFiles:
    return _files(layout, "registry")


def registry_client(layout: Layout) -> CertificateFiles:
    return _files(layout, "registry-client")


def etcd_server(layout: Layout) -> CertificateFiles:
    return _files(layout, "etcd")


def etcd_client(layout: Layout) -> CertificateFiles:
    return _files(layout, "apiserver-etcd-client")


def kubelet_serving(layout: Layout, node: str) -> CertificateFiles:
    return _files(layout, f"kubelet-{node}")


def service_account_key(layout: Layout) -> Path:
    return layout.pki / "sa.key"


def _files(layout: Layout, name: str) -> CertificateFiles:
    return CertificateFiles(layout.pki / f"{name}.crt", layout.pki / f"{name}.key")
