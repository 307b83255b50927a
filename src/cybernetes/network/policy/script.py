"""A change of the table as a script for nft(8), which the kernel takes whole or not at all. Pure.

Two chains look at forwarded packets: the first at who sends, the second at who receives. A packet has to pass both.
They come before iptables' FORWARD and after service addresses were replaced by those of endpoints.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from cybernetes.network.policy.ledger import Delta
from cybernetes.network.policy.objects import Block
from cybernetes.network.policy.rows import FAMILIES, Pool, Row
from cybernetes.network.policy.state import (
    Direction,
    itself_name,
    known_name,
    map_name,
    ranges_name,
    starting_chain,
)

TABLE = "cybernetes-policy"
_NAME = f"inet {TABLE}"
_PROTOCOL = {4: "ip", 6: "ip6"}
_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}
# Of one add or delete; nft's parser gets slow with very long lines.
_ELEMENTS_AT_ONCE = 1000


def remove_script() -> str:
    """Adding first makes the deletion of an absent table pass."""
    return f"add table {_NAME}\ndelete table {_NAME}\n"


def look_script() -> str:
    """Fails where the table is not there."""
    return f"list chain {_NAME} ingress\n"


def install_script(everything: Delta) -> str:
    """The whole table in the place of the one that is there."""
    return "\n".join(
        [
            f"add table {_NAME}",
            f"delete table {_NAME}",
            f"add table {_NAME}",
            *_lines(everything),
            *_base("egress", -20, "saddr"),
            *_base("ingress", -10, "daddr"),
            "",
        ]
    )


def change_script(delta: Delta) -> str:
    return "\n".join([*_lines(delta), ""])


def _base(direction: Direction, priority: int, side: str) -> Iterator[str]:
    yield f"add chain {_NAME} {direction} {{ type filter hook forward priority {priority}; policy accept; }}"
    yield f"add rule {_NAME} {direction} ct state established,related accept"
    for family in FAMILIES:
        of = _PROTOCOL[family]
        yield f"add rule {_NAME} {direction} {of} saddr . {of} daddr @{itself_name(family)} accept"
    for family in FAMILIES:
        address = f"{_PROTOCOL[family]} {side}"
        unknown = f"{address} @{ranges_name(family)} {address} != @{known_name(family)}"
        yield f"add rule {_NAME} {direction} {unknown} jump {starting_chain(direction)}"
    for family in FAMILIES:
        yield f"add rule {_NAME} {direction} {_PROTOCOL[family]} {side} vmap @{map_name(direction, family)}"


def _lines(delta: Delta) -> Iterator[str]:
    for name in delta.new_sets:
        yield _declare(name)
    for name in delta.chains:
        yield f"add chain {_NAME} {name}"
    yield from _elements("delete", delta.gone)
    for name, chain in delta.chains.items():
        yield f"flush chain {_NAME} {name}"
        yield from (f"add rule {_NAME} {name} {_rule(row, _other_side(name))}" for row in chain)
    yield from _elements(
        "add", [(name, f"{each} : goto {leads_to}" if leads_to else each) for name, each, leads_to in delta.added]
    )
    # Flushed before any goes: they refer to each other.
    for name in delta.gone_chains:
        yield f"flush chain {_NAME} {name}"
    for name in delta.gone_chains:
        yield f"delete chain {_NAME} {name}"
    for name in delta.gone_sets:
        yield f"delete set {_NAME} {name}"


def _declare(name: str) -> str:
    kind, family = name.partition("-")[0][:-1], int(name.partition("-")[0][-1])
    if kind in ("ingress", "egress"):
        return f"add map {_NAME} {name} {{ type {_TYPE[family]} : verdict; }}"
    parts = {
        "pods": [_TYPE[family]],
        "known": [_TYPE[family]],
        "ranges": [_TYPE[family]],
        "itself": [_TYPE[family], _TYPE[family]],
        "ports": [_TYPE[family], "inet_proto", "inet_service"],
    }[kind]
    flags = " flags interval;" if kind == "ranges" else ""
    return f"add set {_NAME} {name} {{ type {' . '.join(parts)};{flags} }}"


def _elements(verb: str, elements: Sequence[tuple[str, str]]) -> Iterator[str]:
    by_set: dict[str, list[str]] = {}
    for name, element in elements:
        by_set.setdefault(name, []).append(element)
    for name, listed in by_set.items():
        for at in range(0, len(listed), _ELEMENTS_AT_ONCE):
            yield f"{verb} element {_NAME} {name} {{ {', '.join(listed[at : at + _ELEMENTS_AT_ONCE])} }}"


def _other_side(chain: str) -> str:
    """Where the address of the one that the policy's pod speaks with is in a packet."""
    return "saddr" if chain.startswith("policy-ingress") else "daddr"


def _rule(row: Row | str, side: str) -> str:
    return row if isinstance(row, str) else " ".join([*_conditions(row, side), "accept"])


def _conditions(row: Row, side: str) -> Iterator[str]:
    of = _PROTOCOL.get(row.family, "")
    if isinstance(row.peer, Pool):
        yield f"{of} {side} @{row.peer.name}"
    elif isinstance(row.peer, Block):
        yield from _within(row.peer, f"{of} {side}")
    if row.named is not None:
        yield f"{of} daddr . meta l4proto . th dport @{row.named.name}"
    elif row.ports:
        yield f"{row.protocol.lower()} dport {{ {', '.join(_range(*each) for each in row.ports)} }}"
    elif row.protocol:
        yield f"meta l4proto {row.protocol.lower()}"


def _within(block: Block, address: str) -> Iterator[str]:
    yield f"{address} {ipaddress.ip_network(block.cidr, strict=False)}"
    excepted = [ipaddress.ip_network(each, strict=False) for each in block.excepts]
    # Of ranges within others nft takes only the outer ones.
    joined = [str(each) for each in ipaddress.collapse_addresses(excepted)]  # type: ignore[type-var]
    if joined:
        yield f"{address} != {{ {', '.join(joined)} }}"


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
