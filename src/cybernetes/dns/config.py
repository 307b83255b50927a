"""What a node's DNS server is told."""

from __future__ import annotations

from pathlib import Path

import msgspec

# Not 53: a machine's own resolver may hold that. Pods use the Service's port 53.
PORT = 10053


class DnsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """node: the own node's name; address: the node's, where the server listens.

    service_address   the cluster address of `kube-dns`, which pods have in their resolv.conf
    cluster_ranges    pods and services: reverse names in these are answered here, never forwarded
    snapshot          where it keeps what it knows for its next start; None keeps nothing
    resolv_conf       whose name servers other names are forwarded to
    """

    node: str
    address: str
    port: int = PORT
    domain: str = "cluster.local"
    service_address: str = "10.96.0.10"
    cluster_ranges: tuple[str, ...] = ()
    snapshot: Path | None = None
    resolv_conf: Path = Path("/etc/resolv.conf")
