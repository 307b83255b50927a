"""How a service's traffic is spread, apart from where to: its shape. One chain a shape, shared by all services.

A service's row in `service-ips` or `service-nodeports` names its shape; the shape's chain draws a number
and looks the endpoint up in `endpoints` under the very address, protocol and port of the packet, and that
number. So a packet costs the same with one service as with a million, and a changed endpoint is one row.

With ClientIP affinity endpoints have tags that stay theirs while others come and go: a client's tag is
remembered, and counts only as long as the service has an endpoint with that tag.
"""

from __future__ import annotations

import enum
import struct
import sys

import msgspec

from cybernetes.base.errors import Bug
from cybernetes.proxy.frame import Frame, dispatch, forget, keep
from cybernetes.proxy.rules import (
    LOCAL_FIRST,
    NODEPORT_SHAPES,
    NODEPORT_SPREADS,
    SERVICE_SPREADS,
    Chain,
    Choose,
    Compare,
    Field,
    Find,
    Forget,
    Goto,
    Load,
    Put,
    Remember,
    Rewrite,
    Rule,
    Step,
    affinity_memory,
)

# What fits into a shape: 13 bits. Endpoints of one service port beyond that are left out, in order.
ENDPOINTS_MAX = (1 << 13) - 1
# 17 bits; the API allows one day.
_AFFINITY_MAX_S = (1 << 17) - 1
_WORD = struct.Struct("=I")


class Kind(enum.IntEnum):
    """CLUSTER, LOCAL: spread over that list. EXTERNAL, EXTERNAL_LOCAL: from outside, by external policy."""

    CLUSTER = 0
    LOCAL = 1
    EXTERNAL = 2
    EXTERNAL_LOCAL = 3


class Shape(msgspec.Struct, frozen=True, gc=False):
    """count: endpoints of the list, 0 for EXTERNAL_LOCAL; affinity_s: 0 for none."""

    kind: Kind
    count: int = 0
    affinity_s: int = 0

    def encode(self) -> bytes:
        """4 bytes, as maps have it."""
        if self.count > ENDPOINTS_MAX or self.affinity_s > _AFFINITY_MAX_S:
            raise Bug(f"shape out of range: {self}")
        return _WORD.pack(self.kind << 30 | self.affinity_s << 13 | self.count)

    @property
    def name(self) -> str:
        name = self.kind.name.lower().replace("_", "-")
        if self.kind is Kind.EXTERNAL_LOCAL:
            return name
        return f"{name}-{self.count}" + (f"-affinity-{self.affinity_s}" if self.affinity_s else "")


def decode(encoded: bytes) -> Shape:
    number = _WORD.unpack(encoded)[0]
    return Shape(Kind(number >> 30), number & ENDPOINTS_MAX, number >> 13 & _AFFINITY_MAX_S)


def is_node_port(shape_map: str) -> bool:
    return shape_map in (NODEPORT_SHAPES, NODEPORT_SPREADS)


def chain_name(shape: Shape, node_port: bool) -> str:
    return f"nodeport-{shape.name}" if node_port else shape.name


def chains_for(frame: Frame, shape: Shape, node_port: bool) -> list[Chain]:
    """The shape's chain, after the chains that it goes to by name."""
    name = chain_name(shape, node_port)
    match shape.kind:
        case Kind.CLUSTER | Kind.LOCAL:
            return [Chain(name, _spread(frame, shape, node_port))]
        case Kind.EXTERNAL:
            inner = Shape(Kind.CLUSTER, shape.count, shape.affinity_s)
            mark = Rule(frame.mark_for_masquerade(), "masquerade")
            chain = Chain(name, (mark, Rule((Goto(chain_name(inner, node_port)),))))
            return [*chains_for(frame, inner, node_port), chain]
        case Kind.EXTERNAL_LOCAL:
            return [Chain(name, _external_local(frame, node_port))]


def _external_local(frame: Frame, node_port: bool) -> tuple[Rule, ...]:
    """Traffic that did not come from outside is spread over the whole cluster; the rest keeps its source."""
    spreads = NODEPORT_SPREADS if node_port else SERVICE_SPREADS
    found = frame.words + 2

    def spread(shapes: str) -> tuple[Step, ...]:
        return (*_destination(frame, 0, node_port), Find(shapes, 0, found), *dispatch(spreads, found))

    from_node: tuple[Step, ...] = (Load(Field.SOURCE_TYPE, 0), Compare(0, frame.LOCAL_TYPE))
    return (
        *(Rule((*steps, *spread("external-cluster")), "short-circuit pod traffic") for steps in frame.from_own_pod()),
        Rule((*from_node, *frame.mark_for_masquerade()), "masquerade local traffic"),
        Rule((*from_node, *spread("external-cluster")), "short-circuit local traffic"),
        Rule(spread("external-local")),
    )


def _spread(frame: Frame, shape: Shape, node_port: bool) -> tuple[Rule, ...]:
    first = LOCAL_FIRST if shape.kind is Kind.LOCAL else 0
    number = frame.words + 2
    drawn: list[Choose | Put] = [Choose(shape.count, number, first)]
    if shape.count > 1:
        # A packet may be on its way through these rules while the endpoint of its number goes: the first is left then.
        drawn.append(Put(first.to_bytes(4, sys.byteorder), number))
    if not shape.affinity_s:
        return tuple(_spread_freely(frame, each, node_port) for each in drawn)
    memory = affinity_memory(shape.affinity_s).name
    return (
        _return(frame, memory, node_port),
        _spread_and_remember(frame, memory, shape.count, first, node_port),
        *(_spread_and_forget(frame, each, node_port) for each in drawn),
    )


def _destination(frame: Frame, register: int, node_port: bool) -> tuple[Step, ...]:
    """The packet's service into 3 parts from `register` on; NodePorts have the unspecified address."""
    address, protocol, port = frame.service(register)
    if node_port:
        address = Put(bytes(4 * frame.words), register)
    return address, protocol, port


def _spread_freely(frame: Frame, number: Choose | Put, node_port: bool) -> Rule:
    """number: what puts the endpoint's number after the service."""
    found = frame.words + 3
    return Rule(
        (
            *forget(0),
            *_destination(frame, 0, node_port),
            number,
            Find("endpoints", 0, found),
            Rewrite(found, found + frame.words),
        )
    )


def _return(frame: Frame, memory: str, node_port: bool) -> Rule:
    """Send a client where it was sent before, while that endpoint is still there; refreshes the memory."""
    tag = 2 * frame.words + 2
    return Rule(
        (
            Load(Field.SOURCE, 0),
            *_destination(frame, frame.words, node_port),
            Find(memory, 0, tag),
            *_send(frame, tag, Remember(memory, 0, tag)),
        )
    )


def _spread_and_remember(frame: Frame, memory: str, count: int, first: int, node_port: bool) -> Rule:
    tag = 2 * frame.words + 2
    return Rule(
        (
            Load(Field.SOURCE, 0),
            *_destination(frame, frame.words, node_port),
            Choose(count, tag, first),
            Find("affinity-choices", frame.words, tag),
            *_send(frame, tag, Forget(memory, 0, tag), Remember(memory, 0, tag)),
        )
    )


def _spread_and_forget(frame: Frame, number: Choose | Put, node_port: bool) -> Rule:
    """When the memory is full, new clients are served without affinity. number: as in `_spread_freely`."""
    tag = frame.words + 2
    found = tag + 1
    return Rule(
        (
            *_destination(frame, 0, node_port),
            number,
            Find("affinity-choices", 0, tag),
            *keep(tag),
            Find("affinity-endpoints", 0, found),
            *forget(tag),
            Rewrite(found, found + frame.words),
        )
    )


def _send(frame: Frame, tag: int, *remember: Step) -> tuple[Step, ...]:
    """The client is in the registers from 0 on, then the service, then the endpoint's tag."""
    found = tag + 1
    return (
        *keep(tag),
        Find("affinity-endpoints", frame.words, found),
        *remember,
        *forget(tag),
        Rewrite(found, found + frame.words),
    )
