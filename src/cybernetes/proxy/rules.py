"""Packet rules as plain values: what a plan yields, what the kernel gets, what the interpreter runs.

A rule set has few chains, whose number does not grow with services, and many rows: elements of a fixed
list of sets and maps. A row is one byte with the number of its set, then the key, then the data (both
padded to words of 4 bytes per part, as the kernel keeps them), so that a million rows stay small.

Steps work on 16 registers of 4 bytes, numbered 0 to 15; a step that finds nothing ends its rule.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

WORD = 4
REGISTERS = 16


class Field(enum.Enum):
    """What a packet can be asked for."""

    SOURCE = "source address"
    DESTINATION = "destination address"
    PROTOCOL = "transport protocol"
    PORT = "destination port"
    MARK = "packet mark"
    STATE = "conntrack state"
    STATUS = "conntrack status"
    SOURCE_TYPE = "address type of the source"
    DESTINATION_TYPE = "address type of the destination"
    KEPT = "what was kept"
    INPUT_INTERFACE = "name of the input interface"


class Load(msgspec.Struct, frozen=True):
    field: Field
    into: int


class Put(msgspec.Struct, frozen=True):
    data: bytes
    into: int


class Mask(msgspec.Struct, frozen=True):
    """register = register & mask ^ flip."""

    register: int
    mask: bytes
    flip: bytes


class Keep(msgspec.Struct, frozen=True):
    """Keep 4 bytes for a later step or rule: Field.KEPT."""

    register: int


class Compare(msgspec.Struct, frozen=True):
    """Ends the rule unless the register begins with `data`; unless it does not, where `equal` is false."""

    register: int
    data: bytes
    equal: bool = True


class Find(msgspec.Struct, frozen=True):
    """Look a key up in a set: ends the rule when it is absent. Of a map the data goes to `into`."""

    set: str
    key: int
    into: int | None = None


class Dispatch(msgspec.Struct, frozen=True):
    """Look a key up in a verdict map and follow its verdict; ends the rule when it is absent."""

    map: str
    key: int


class Choose(msgspec.Struct, frozen=True):
    """A random number, first <= number < first + count."""

    count: int
    into: int
    first: int = 0


class Remember(msgspec.Struct, frozen=True):
    """Add an element to a map whose elements expire, or refresh the one there is, whatever its data."""

    set: str
    key: int
    data: int


class Forget(msgspec.Struct, frozen=True):
    """Remove an element that packets have added, if it is there; `data` is only for the kernel to check."""

    set: str
    key: int
    data: int


class SetMark(msgspec.Struct, frozen=True):
    register: int


class Rewrite(msgspec.Struct, frozen=True):
    """Destination NAT to the address and port in these registers; ends the hook."""

    address: int
    port: int


class Masquerade(msgspec.Struct, frozen=True):
    pass


class Reject(msgspec.Struct, frozen=True):
    """ICMP port unreachable."""


class Reset(msgspec.Struct, frozen=True):
    """Answers a packet of TCP by a reset."""


class Jump(msgspec.Struct, frozen=True):
    chain: str


class Goto(msgspec.Struct, frozen=True):
    chain: str


class Drop(msgspec.Struct, frozen=True):
    pass


class Return(msgspec.Struct, frozen=True):
    pass


Step = (
    Load
    | Put
    | Mask
    | Keep
    | Compare
    | Find
    | Dispatch
    | Choose
    | Remember
    | Forget
    | SetMark
    | Rewrite
    | Masquerade
    | Reject
    | Reset
    | Jump
    | Goto
    | Drop
    | Return
)


class Rule(msgspec.Struct, frozen=True):
    steps: tuple[Step, ...]
    comment: str = ""


class Hook(msgspec.Struct, frozen=True):
    """type: filter or nat; hook: prerouting, input, forward, output, postrouting."""

    type: str
    hook: str
    priority: int


class Chain(msgspec.Struct, frozen=True):
    name: str
    rules: tuple[Rule, ...]
    hook: Hook | None = None


class Part(enum.Enum):
    """A part of a key or of data."""

    ADDRESS = "address"
    PROTOCOL = "protocol"
    PORT = "port"
    MARK = "mark"
    KEPT = "kept"


class SetKind(enum.IntEnum):
    """RANGES: rows hold the first and the last key of a range. MEMORY: filled by packets, elements expire."""

    SET = 0
    MAP = 1
    VERDICTS = 2
    RANGES = 3
    MEMORY = 4


class SetSpec(msgspec.Struct, frozen=True):
    name: str
    kind: SetKind
    key: tuple[Part, ...]
    data: tuple[Part, ...] = ()
    comment: str = ""
    timeout_s: int = 0

    def key_bytes(self, family: int) -> int:
        return _bytes(self.key, family)

    def data_bytes(self, family: int) -> int:
        return _bytes(self.data, family)

    def row_bytes(self, family: int) -> int:
        """Length of a row without the number of its set."""
        key = self.key_bytes(family)
        match self.kind:
            case SetKind.VERDICTS:
                return key + 1
            case SetKind.RANGES:
                return 2 * key
            case _:
                return key + self.data_bytes(family)


def address_words(family: int) -> int:
    return 4 if family == 6 else 1


def _bytes(parts: tuple[Part, ...], family: int) -> int:
    return WORD * sum(address_words(family) if part is Part.ADDRESS else 1 for part in parts)


_A, _P, _S, _M = Part.ADDRESS, Part.PROTOCOL, Part.PORT, Part.MARK
_K = Part.KEPT
_SERVICE = (_A, _P, _S)

CLUSTER_IPS = 0
NODEPORT_IPS = 1
SERVICE_IPS = 2
SERVICE_NODEPORTS = 3
NO_ENDPOINT_SERVICES = 4
NO_ENDPOINT_NODEPORTS = 5
FIREWALL_IPS = 6
FIREWALL_RANGES = 7
HAIRPIN = 8
ENDPOINTS = 9
EXTERNAL_CLUSTER = 10
EXTERNAL_LOCAL = 11
AFFINITY_CHOICES = 12
AFFINITY_ENDPOINTS = 13

# A row's first byte is an index into this.
SETS = (
    SetSpec("cluster-ips", SetKind.SET, (_A,), (), "Active ClusterIPs"),
    SetSpec("nodeport-ips", SetKind.SET, (_A,), (), "IPs that accept NodePort traffic"),
    SetSpec("service-ips", SetKind.MAP, _SERVICE, (_K,), "ClusterIP, ExternalIP and LoadBalancer IP traffic"),
    SetSpec("service-nodeports", SetKind.MAP, (_P, _S), (_K,), "NodePort traffic"),
    SetSpec("no-endpoint-services", SetKind.VERDICTS, _SERVICE, (), "services without endpoints for this node"),
    SetSpec("no-endpoint-nodeports", SetKind.VERDICTS, (_P, _S), (), "NodePorts without endpoints for this node"),
    SetSpec("firewall-ips", SetKind.SET, _SERVICE, (), "load balancer addresses with source ranges"),
    SetSpec("firewall-ranges", SetKind.RANGES, (*_SERVICE, _A), (), "sources that load balancer addresses accept"),
    SetSpec("hairpin-connections", SetKind.SET, (_A, _A, _P, _S), (), "endpoints of this node that reach themselves"),
    SetSpec("endpoints", SetKind.MAP, (*_SERVICE, _M), (_A, _S), "service, number : endpoint"),
    SetSpec("external-cluster", SetKind.MAP, _SERVICE, (_K,), "external policy Local, traffic from inside"),
    SetSpec("external-local", SetKind.MAP, _SERVICE, (_K,), "external policy Local, traffic from outside"),
    SetSpec("affinity-choices", SetKind.MAP, (*_SERVICE, _M), (_K,), "service, number : tag of the endpoint"),
    SetSpec("affinity-endpoints", SetKind.MAP, (*_SERVICE, _K), (_A, _S), "service, tag : endpoint"),
)


def affinity_memory(timeout_s: int) -> SetSpec:
    """Client and service : tag of the endpoint; one map for each timeout in use."""
    return SetSpec(f"affinity-{timeout_s}", SetKind.MEMORY, (_A, *_SERVICE), (_K,), "who was sent where", timeout_s)


# Data of verdict maps in rows.
DROP_VERDICT = b"\0"
REJECT_VERDICT = b"\1"
REJECT_CHAIN = "reject-chain"

# Verdict maps from shapes to chains. What `external-local` goes on to has maps of its own, because the kernel
# refuses a chain that could come back to itself.
SERVICE_SHAPES = "service-shapes"
NODEPORT_SHAPES = "nodeport-shapes"
SERVICE_SPREADS = "service-spreads"
NODEPORT_SPREADS = "nodeport-spreads"
SHAPE_MAPS = (SERVICE_SHAPES, NODEPORT_SHAPES, SERVICE_SPREADS, NODEPORT_SPREADS)

# Number of a service's first local endpoint in `endpoints` and `affinity-choices`.
LOCAL_FIRST = 1 << 16


class RuleSet(msgspec.Struct, frozen=True):
    """Everything that one address family's table should hold.

    chains     by name, each after those that it goes to
    memories   timeouts of the affinity maps in use, sorted
    shapes     verdict maps: name -> shape -> chain
    rows       sorted
    """

    family: int
    chains: Mapping[str, Chain]
    memories: tuple[int, ...]
    shapes: Mapping[str, Mapping[bytes, str]]
    rows: tuple[bytes, ...]
