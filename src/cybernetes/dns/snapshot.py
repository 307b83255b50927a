"""What a node's DNS server knew last, on disk: a server that starts while the API server is away answers from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.dns.objects import Service, Slice
from cybernetes.dns.zone import Zone

VERSION = 1


class Snapshot(msgspec.Struct, frozen=True):
    """services and slices by their own keys."""

    services: Mapping[str, Service] = {}
    slices: Mapping[str, Slice] = {}
    version: int = VERSION

    def zone(self) -> Zone:
        zone = Zone()
        for key, service in self.services.items():
            zone.reduce_service(key, None, service)
        for key, each in self.slices.items():
            zone.reduce_slice(key, None, each)
        return zone


_decoder = msgspec.json.Decoder(Snapshot)


def read(path: Path) -> Snapshot | None:
    """None when there is none, or it is of another release. Raises EdgeError when it can't be read."""
    try:
        found = _decoder.decode(path.read_bytes())
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    except OSError as failed:
        raise EdgeError("read", str(path), str(failed), outcome=Outcome.NOT_DONE, retry=Retry.LATER) from failed
    return found if found.version == VERSION else None


def write(path: Path, snapshot: Snapshot) -> None:
    """A reader sees the former one or this one, whole. Raises EdgeError."""
    new = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(msgspec.json.encode(snapshot))
        os.replace(new, path)
    except OSError as failed:
        raise EdgeError("write", str(path), str(failed), outcome=Outcome.NOT_DONE, retry=Retry.LATER) from failed
