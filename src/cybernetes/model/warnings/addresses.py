"""Addresses and ranges in forms that are read, but not written any more."""

from __future__ import annotations

import ipaddress

from cybernetes.model.field import Path, quoted


def of_address(text: str, path: Path) -> list[str]:
    """Of text that is no address at all validation speaks."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return []
    if isinstance(address, ipaddress.IPv4Address):
        return []
    if address.ipv4_mapped is not None:
        return [
            f"{path}: non-standard IP address {quoted(text)} will be considered invalid in a future Kubernetes "
            f"release: use {quoted(str(address.ipv4_mapped))}"
        ]
    if str(address) == text:
        return []
    canonical = quoted(str(address))
    return [f"{path}: IPv6 address {quoted(text)} should be in RFC 5952 canonical format ({canonical})"]


def of_range(text: str, path: Path) -> list[str]:
    """Of text that is no range at all validation speaks."""
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        return []
    network, address = interface.network, interface.ip
    if address != network.network_address:
        whole, single = quoted(str(network)), quoted(f"{address}/{network.max_prefixlen}")
        return [f"{path}: CIDR value {quoted(text)} is ambiguous in this context (should be {whole} or {single}?)"]
    if network.version == 4 or str(network) == text:
        return []
    return [f"{path}: IPv6 CIDR value {quoted(text)} should be in RFC 5952 canonical format ({quoted(str(network))})"]
