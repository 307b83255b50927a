"""Nodes as slim values: pod ranges and addresses."""

from __future__ import annotations

import msgspec


class Node(msgspec.Struct, frozen=True, gc=False):
    """pod_ranges and addresses (InternalIP) as texts, in the order of the API."""

    name: str
    pod_ranges: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


class _Meta(msgspec.Struct, frozen=True, gc=False):
    name: str


class _Spec(msgspec.Struct, rename={"pod_range": "podCIDR", "pod_ranges": "podCIDRs"}, frozen=True, gc=False):
    pod_range: str = ""
    pod_ranges: list[str] | None = None


class _Address(msgspec.Struct, frozen=True, gc=False):
    type: str = ""
    address: str = ""


class _Status(msgspec.Struct, frozen=True, gc=False):
    addresses: list[_Address] | None = None


class _Node(msgspec.Struct, frozen=True, gc=False):
    metadata: _Meta
    spec: _Spec = _Spec()
    status: _Status = _Status()


_decoder = msgspec.json.Decoder(_Node)


def decode(body: bytes) -> Node:
    read = _decoder.decode(body)
    ranges = read.spec.pod_ranges or ([read.spec.pod_range] if read.spec.pod_range else [])
    addresses = [each.address for each in read.status.addresses or () if each.type == "InternalIP"]
    return Node(read.metadata.name, tuple(ranges), tuple(addresses))
