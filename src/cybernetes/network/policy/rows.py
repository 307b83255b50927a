"""A policy as rows of a chain: which packets it lets pass. Pure.

A row names the sets of addresses that it looks into; `pools` says what is in them.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from cybernetes.network.policy.objects import Block, Policy, Port, Rule, Selected

FAMILIES = (4, 6)
EVERY_POD = Selected("", (), ())


class Pool(msgspec.Struct, frozen=True, gc=False):
    """A set that follows pods: their addresses, or with `port` and `protocol` the ports of that name on them."""

    pods: Selected
    family: int
    port: str = ""
    protocol: str = ""

    @property
    def name(self) -> str:
        return f"{'ports' if self.port else 'pods'}{self.family}-{short(f'{self.pods}|{self.port}|{self.protocol}')}"


class Row(msgspec.Struct, frozen=True, gc=False):
    """Lets a packet pass when all that is given holds.

    family    4 or 6; 0: both
    peer      the other side: in a pool or in a range; None: anybody
    protocol  TCP, UDP or SCTP; "": any
    ports     of the receiver, as ranges (first, last); (): any
    named     the receiver's address, protocol and port are in this pool
    """

    family: int = 0
    peer: Pool | Block | None = None
    protocol: str = ""
    ports: tuple[tuple[int, int], ...] = ()
    named: Pool | None = None

    def pools(self) -> Iterator[Pool]:
        for each in (self.peer, self.named):
            if isinstance(each, Pool):
                yield each


def short(text: str) -> str:
    """A name for what is too long to be one: 12 hexadecimal digits."""
    return hashlib.blake2s(text.encode(), digest_size=6).hexdigest()


def ingress_rows(policy: Policy) -> tuple[Row, ...]:
    """Ports of a name are those of the policy's own pods."""
    return tuple(
        row
        for rule in policy.ingress or ()
        for row in _rows(rule, dict.fromkeys(rule.peers, policy.subjects), policy.subjects)
    )


def egress_rows(policy: Policy) -> tuple[Row, ...]:
    """Ports of a name are those of the pods that packets go to."""
    return tuple(
        row
        for rule in policy.egress or ()
        for row in _rows(rule, {peer: peer for peer in rule.peers if isinstance(peer, Selected)}, EVERY_POD)
    )


def _rows(rule: Rule, receivers: dict[Block | Selected, Selected], otherwise: Selected) -> Iterator[Row]:
    """receivers: by peer, whose ports are meant by a name; `otherwise` for peers that are not in it."""
    for peer in rule.peers or (None,):
        receiver = receivers.get(peer, otherwise) if peer is not None else otherwise
        for family, matched in _matches(peer):
            if not rule.ports:
                yield Row(family, matched)
            for protocol, ranges in _ranges(rule.ports):
                yield Row(family, matched, protocol, ranges)
            for port in rule.ports:
                if port.name:
                    yield from _named(family, matched, port, receiver)


def _matches(peer: Block | Selected | None) -> Iterator[tuple[int, Pool | Block | None]]:
    if peer is None:
        yield 0, None
    elif isinstance(peer, Block):
        yield ipaddress.ip_network(peer.cidr, strict=False).version, peer
    else:
        for family in FAMILIES:
            yield family, Pool(peer, family)


def _named(family: int, matched: Pool | Block | None, port: Port, receiver: Selected) -> Iterator[Row]:
    for each in (family,) if family else FAMILIES:
        yield Row(each, matched, named=Pool(receiver, each, port.name, port.protocol))


def _ranges(ports: Sequence[Port]) -> Iterator[tuple[str, tuple[tuple[int, int], ...]]]:
    """By protocol the numbers, as ranges that neither touch nor overlap; () for all of a protocol."""
    numbered = [each for each in ports if not each.name]
    for protocol in dict.fromkeys(each.protocol for each in numbered):
        of_protocol = [each for each in numbered if each.protocol == protocol]
        if any(each.port == 0 for each in of_protocol):
            yield protocol, ()
        else:
            yield protocol, tuple(_joined((each.port, each.end) for each in of_protocol))


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined
