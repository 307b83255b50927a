"""The certificates that lie on this machine, as rows to show."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cybernetes.auth import pki
from cybernetes.run.layout import Layout

_AUTHORITIES = ("ca", "front-proxy-ca", "etcd-ca", "ca-next")
_OF_NODES = ("kubelet-", "client-kubelet-", "client-proxy-", "client-dns-")


class Row(msgspec.Struct, frozen=True):
    """ends: in seconds since the epoch."""

    name: str
    subject: str
    issuer: str
    starts: float
    ends: float
    renewed_by: str


def rows(layout: Layout) -> list[Row]:
    """What ends first stands first."""
    found = [_row(path) for path in sorted(layout.pki.glob("*.crt"))]
    return sorted(found, key=lambda each: each.ends)


def _row(path: Path) -> Row:
    pem = path.read_bytes()
    subject, issuer = pki.names(pem)
    return Row(path.stem, subject, issuer, *pki.validity(pem), _renewed_by(path.stem))


def _renewed_by(name: str) -> str:
    if name in _AUTHORITIES:
        return "cybernetes certs rotate-ca" if name in ("ca", "ca-next") else "-"
    return "the node's kubelet" if name.startswith(_OF_NODES) else "itself, hourly"
