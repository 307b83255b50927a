"""The certificates that lie on this machine, as rows to show."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cybernetes.auth import pki
from cybernetes.install.authority import AUTHORITIES
from cybernetes.run.layout import Layout

_AUTHORITIES = {each.file: f"cybernetes certs rotate-ca --authority {each.name}" for each in AUTHORITIES.values()}
_AUTHORITIES |= {f"{file}-next": command for file, command in _AUTHORITIES.items()}
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
        return _AUTHORITIES[name]
    return "the node's kubelet" if name.startswith(_OF_NODES) else "itself, hourly"
