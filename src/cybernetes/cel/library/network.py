"""IP addresses and networks.

source  Kubernetes documentation "Common Expression Language in Kubernetes": IP and CIDR libraries
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.functions import Overload, function, method, predicate
from cybernetes.cel.types import BOOL, INT, STRING, opaque

IP, CIDR = opaque("net.IP"), opaque("net.CIDR")
_LINK_LOCAL_4, _LINK_LOCAL_6 = ipaddress.ip_network("224.0.0.0/24"), ipaddress.ip_network("ff02::/16")
_BROADCAST = ipaddress.ip_address("255.255.255.255")


class Address:
    __slots__ = ("value",)
    cel_type = IP

    def __init__(self, value: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
        self.value = value

    @property
    def size(self) -> int:
        return self.value.max_prefixlen // 8

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)


class Network:
    """An address with the length of its prefix; the address may have bits beyond it."""

    __slots__ = ("value",)
    cel_type = CIDR

    def __init__(self, value: ipaddress.IPv4Interface | ipaddress.IPv6Interface) -> None:
        self.value = value

    @property
    def size(self) -> int:
        return -(-self.value.network.prefixlen // 8)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)


def overloads() -> list[Overload]:
    text, ip, cidr_ = [STRING], [IP], [CIDR]
    return [
        function("ip", "string_to_ip", text, IP, address),
        function("isIP", "is_ip", text, BOOL, predicate(address)),
        function("ip.isCanonical", "ip_is_canonical", text, BOOL, lambda value: str(address(value).value) == value),
        function("string", "ip_to_string", ip, STRING, lambda value: str(value.value)),
        method("family", "ip_family", ip, INT, lambda value: value.value.version),
        method("isUnspecified", "ip_is_unspecified", ip, BOOL, lambda value: value.value.is_unspecified),
        method("isLoopback", "ip_is_loopback", ip, BOOL, lambda value: value.value.is_loopback),
        method("isLinkLocalMulticast", "ip_is_link_local_multicast", ip, BOOL, _is_link_local_multicast),
        method("isLinkLocalUnicast", "ip_is_link_local_unicast", ip, BOOL, lambda value: value.value.is_link_local),
        method("isGlobalUnicast", "ip_is_global_unicast", ip, BOOL, _is_global_unicast),
        function("cidr", "string_to_cidr", text, CIDR, network),
        function("isCIDR", "is_cidr", text, BOOL, predicate(network)),
        function("string", "cidr_to_string", cidr_, STRING, lambda value: str(value.value)),
        method("containsIP", "cidr_contains_ip_string", [CIDR, STRING], BOOL, _parsing(address, _contains)),
        method("containsIP", "cidr_contains_ip_ip", [CIDR, IP], BOOL, _contains),
        method("containsCIDR", "cidr_contains_cidr_string", [CIDR, STRING], BOOL, _parsing(network, _contains_network)),
        method("containsCIDR", "cidr_contains_cidr", [CIDR, CIDR], BOOL, _contains_network),
        method("ip", "cidr_ip", cidr_, IP, lambda value: Address(value.value.ip)),
        method("prefixLength", "cidr_prefix_length", cidr_, INT, lambda value: value.value.network.prefixlen),
        method("masked", "cidr_masked", cidr_, CIDR, lambda value: network(str(value.value.network))),
    ]


def address(text: str) -> Address:
    """Raises EvaluationError."""
    if "%" in text:
        raise EvaluationError(f'IP address "{text}" with zone value is not allowed')
    try:
        value = ipaddress.ip_address(text)
    except ValueError as wrong:
        said = f'ParseAddr("{text}"): unable to parse IP'
        raise EvaluationError(f'IP Address "{text}" parse error during conversion from string: {said}') from wrong
    if isinstance(value, ipaddress.IPv6Address) and value.ipv4_mapped is not None:
        raise EvaluationError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return Address(value)


def network(text: str) -> Network:
    """Raises EvaluationError."""
    start, slash, length = text.partition("/")
    plain = slash and length.isascii() and length.isdigit() and (length == "0" or not length.startswith("0"))
    try:
        value = ipaddress.ip_interface(text) if plain and "%" not in start else None
    except ValueError:
        value = None
    if value is None:
        said = f'netip.ParsePrefix("{text}"): ' + (
            "no '/'" if not slash else f'ParseAddr("{start}"): unable to parse IP'
        )
        raise EvaluationError(f"network address parse error during conversion from string: {said}")
    if isinstance(value, ipaddress.IPv6Interface) and value.ip.ipv4_mapped is not None:
        raise EvaluationError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return Network(value)


def _parsing(parse: Callable[[str], Any], test: Callable[[Network, Any], bool]) -> Callable[[Network, str], bool]:
    return lambda value, text: test(value, parse(text))


def _contains(value: Network, other: Address) -> bool:
    return other.value in value.value.network


def _contains_network(value: Network, other: Network) -> bool:
    inner, outer = other.value.network, value.value.network
    return inner.version == outer.version and inner.prefixlen >= outer.prefixlen and other.value.ip in outer


def _is_link_local_multicast(value: Address) -> bool:
    return value.value in _LINK_LOCAL_4 or value.value in _LINK_LOCAL_6


def _is_global_unicast(value: Address) -> bool:
    found = value.value
    special = found.is_unspecified or found.is_loopback or found.is_multicast or found.is_link_local
    return not special and found != _BROADCAST
