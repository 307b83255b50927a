"""The chains that are there whatever services exist: hooks, checks, masquerading.

source  kube-proxy's table `kube-proxy`: names of chains and sets, hooks, priorities and order are its own
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence

import msgspec

from cybernetes.proxy.objects import unpack
from cybernetes.proxy.rules import (
    NODEPORT_SHAPES,
    REJECT_CHAIN,
    SERVICE_SHAPES,
    Chain,
    Compare,
    Dispatch,
    Drop,
    Field,
    Find,
    Goto,
    Hook,
    Jump,
    Keep,
    Load,
    Mask,
    Masquerade,
    Put,
    Reject,
    Reset,
    Return,
    Rule,
    SetMark,
    Step,
    address_words,
)

MASQUERADE_BIT = 14
FILTER_PRIORITY = 0
DSTNAT_PRIORITY = -100
SRCNAT_PRIORITY = 100
_BEFORE_DNAT = DSTNAT_PRIORITY - 10

# Bits and values of the kernel: IP_CT_NEW of `ct state`, IPS_DST_NAT of `ct status`, RTN_LOCAL.
STATE_NEW = 8
STATUS_DST_NAT = 32
TYPE_LOCAL = 2


class LocalPods(msgspec.Struct, frozen=True):
    """How traffic of this node's pods (or of the cluster's) is told apart from other traffic.

    ranges     CIDR texts of any family
    interface  name, or with a `+` at the end the beginning of names, of the interfaces that pods are behind
    Neither: nothing counts as pod traffic and cluster addresses are never masqueraded.
    """

    ranges: tuple[str, ...] = ()
    interface: str = ""


class Settings(msgspec.Struct, frozen=True):
    """What a node's administrator decides.

    local_pods        whose traffic to cluster addresses keeps its source
    node_pods         those of this node, where local pods are more: external policy Local is not for their traffic. That
                      of other nodes' pods comes from outside: answers of an endpoint elsewhere would not come back here
    nodeport_ips      packed addresses that accept NodePort traffic; None for all local ones
    node_ips          packed: the node's own addresses; one in a load balancer's source ranges may use that as its own
    service_ranges    CIDR texts; other traffic to them is dropped when known
    """

    local_pods: LocalPods = LocalPods()
    node_pods: LocalPods | None = None
    masquerade_all: bool = False
    masquerade_bit: int = MASQUERADE_BIT
    nodeport_ips: tuple[bytes, ...] | None = None
    node_ips: tuple[bytes, ...] = ()
    service_ranges: tuple[str, ...] = ()

    @property
    def own_pods(self) -> LocalPods:
        return self.local_pods if self.node_pods is None else self.node_pods


def keep(register: int) -> tuple[Step, Step]:
    """Put what was found in a map where keys can be made of it, and load it from there.

    nft(8) aborts when it prints a rule in which a map's result is a key, since it does not know its length. So the
    number makes a detour over the packet's priority, which has no meaning before routing; `forget` resets it.
    """
    return Keep(register), Load(Field.KEPT, register)


def forget(register: int) -> tuple[Step, Step]:
    return Put(bytes(4), register), Keep(register)


def dispatch(shapes: str, register: int) -> tuple[Step, ...]:
    """Go where the shape in the register, as found in a map, leads."""
    return *keep(register), Dispatch(shapes, register)


class Frame:
    """The fixed chains of one family under given settings."""

    LOCAL_TYPE = struct.pack("=I", TYPE_LOCAL)
    TCP = bytes((6,))

    def __init__(self, family: int, settings: Settings) -> None:
        self.family = family
        self.settings = settings
        self.words = address_words(family)
        self.mark = 1 << settings.masquerade_bit

    def chains(self) -> list[Chain]:
        """All of them, each after those that it goes to, base chains last."""
        return [
            Chain(REJECT_CHAIN, self._reject()),
            Chain("firewall-check", self._firewall_check()),
            Chain("nodeport-endpoints-check", self._nodeport_endpoints_check()),
            Chain("service-endpoints-check", self._service_endpoints_check()),
            Chain("cluster-ips-check", tuple(self._cluster_ips_check())),
            Chain("services", tuple(self._services())),
            Chain("masquerading", tuple(self._masquerading())),
            *self._base_chains(),
        ]

    def _reject(self) -> tuple[Rule, ...]:
        """An ICMP error is lost on a program of this machine whose kernel is about to send still: it waits a second."""
        return Rule((Load(Field.PROTOCOL, 0), Compare(0, self.TCP), Reset())), Rule((Reject(),))

    def mark_for_masquerade(self) -> tuple[Step, ...]:
        """mark |= bit."""
        keep = struct.pack("=I", 0xFFFFFFFF ^ self.mark)
        return (Load(Field.MARK, 0), Mask(0, keep, struct.pack("=I", self.mark)), SetMark(0))

    def from_own_pod(self) -> list[tuple[Step, ...]]:
        """One rule's steps for each way in which a packet can be known to come from a pod of this node."""
        pods = self.settings.own_pods
        found = [self._in_range(each, equal=True) for each in self._ranges(pods.ranges)]
        if pods.interface:
            found.append(self._from_interface(pods.interface, equal=True))
        return found

    def _not_from_local_pod(self) -> tuple[Step, ...]:
        pods = self.settings.local_pods
        steps: list[Step] = []
        for each in self._ranges(pods.ranges):
            steps += self._in_range(each, equal=False)
        if pods.interface:
            steps += self._from_interface(pods.interface, equal=False)
        return tuple(steps)

    def _ranges(self, ranges: Sequence[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        networks = [ipaddress.ip_network(each, strict=False) for each in ranges]
        return [each for each in networks if each.version == self.family]

    def _in_range(
        self,
        network: ipaddress.IPv4Network | ipaddress.IPv6Network,
        *,
        equal: bool,
        field: Field = Field.SOURCE,
    ) -> tuple[Step, ...]:
        mask = network.netmask.packed
        return (Load(field, 0), Mask(0, mask, bytes(len(mask))), Compare(0, network.network_address.packed, equal))

    @staticmethod
    def _from_interface(name: str, *, equal: bool) -> tuple[Step, ...]:
        data = name[:-1].encode() if name.endswith("+") else name.encode() + b"\0"
        return (Load(Field.INPUT_INTERFACE, 0), Compare(0, data, equal))

    def service(self, register: int = 0) -> tuple[Step, ...]:
        """Address, protocol and port of the destination."""
        after = register + self.words
        return (Load(Field.DESTINATION, register), Load(Field.PROTOCOL, after), Load(Field.PORT, after + 1))

    def _firewall_check(self) -> tuple[Rule, ...]:
        accepted = (*self.service(), Load(Field.SOURCE, self.words + 2), Find("firewall-ranges", 0), Return())
        return (Rule(accepted), Rule((*self.service(), Find("firewall-ips", 0), Drop())))

    def _node_address(self) -> tuple[Step, ...]:
        """Ends the rule unless the packet goes to an address that accepts NodePort traffic."""
        if self.settings.nodeport_ips is not None:
            return (Load(Field.DESTINATION, 0), Find("nodeport-ips", 0))
        return self._not_loopback()

    def _not_loopback(self) -> tuple[Step, ...]:
        loopback = ipaddress.ip_network("::1/128" if self.family == 6 else "127.0.0.0/8")
        return self._in_range(loopback, equal=False, field=Field.DESTINATION)

    def _nodeport_endpoints_check(self) -> tuple[Rule, ...]:
        look_up = (Load(Field.PROTOCOL, 0), Load(Field.PORT, 1), Dispatch("no-endpoint-nodeports", 0))
        return (Rule((*self._node_address(), *look_up)),)

    def _service_endpoints_check(self) -> tuple[Rule, ...]:
        return (Rule((*self.service(), Dispatch("no-endpoint-services", 0))),)

    def _cluster_ips_check(self) -> list[Rule]:
        known = (Load(Field.DESTINATION, 0), Find("cluster-ips", 0), Goto(REJECT_CHAIN))
        rules = [Rule(known, "Reject traffic to invalid ports of ClusterIPs")]
        for network in self._ranges(self.settings.service_ranges):
            steps = (*self._in_range(network, equal=True, field=Field.DESTINATION), Drop())
            rules.append(Rule(steps, "Drop traffic to unallocated ClusterIPs"))
        return rules

    def _services(self) -> list[Rule]:
        rules: list[Rule] = []
        to_cluster_ip = (Load(Field.DESTINATION, 0), Find("cluster-ips", 0))
        if self.settings.masquerade_all:
            rules.append(Rule((*to_cluster_ip, *self.mark_for_masquerade()), "masquerade all clusterIP traffic"))
        elif self._not_from_local_pod():
            steps = (*to_cluster_ip, *self._not_from_local_pod(), *self.mark_for_masquerade())
            rules.append(Rule(steps, "masquerade clusterIP traffic from outside cluster"))
        shape = self.words + 2
        rules.append(Rule((*self.service(), Find("service-ips", 0, shape), *dispatch(SERVICE_SHAPES, shape))))
        to_node = self._node_address()
        if self.settings.nodeport_ips is None:
            local: tuple[Step, ...] = (Load(Field.DESTINATION_TYPE, 0), Compare(0, self.LOCAL_TYPE))
            to_node = (*local, *to_node)
        node_port = (Load(Field.PROTOCOL, 0), Load(Field.PORT, 1), Find("service-nodeports", 0, 2))
        rules.append(Rule((*to_node, *node_port, *dispatch(NODEPORT_SHAPES, 2))))
        return rules

    def _masquerading(self) -> list[Rule]:
        mark, zero = struct.pack("=I", self.mark), bytes(4)
        all_bits = struct.pack("=I", 0xFFFFFFFF)
        status = struct.pack("=I", STATUS_DST_NAT)
        marked: tuple[Step, ...] = (
            *(Load(Field.MARK, 0), Mask(0, mark, zero), Compare(0, zero, False)),
            *(Load(Field.MARK, 0), Mask(0, all_bits, mark), SetMark(0)),
            Masquerade(),
        )
        w = self.words
        hairpin: tuple[Step, ...] = (
            *(Load(Field.STATUS, 0), Mask(0, status, zero), Compare(0, zero, False)),
            *(Load(Field.SOURCE, 0), *self.service(w), Find("hairpin-connections", 0)),
            Masquerade(),
        )
        return [Rule(marked), Rule(hairpin, "masquerade hairpin traffic")]

    def _base_chains(self) -> list[Chain]:
        new = _state_new()
        services: tuple[Step, ...] = (*new, Jump("service-endpoints-check"))
        cluster_ips: tuple[Step, ...] = (*new, Jump("cluster-ips-check"))
        firewall = (Rule((*new, Jump("firewall-check"))),)
        dispatch = (Rule((Jump("services"),)),)
        outgoing = (Rule(services), Rule(cluster_ips))
        return [
            Chain("filter-prerouting-pre-dnat", firewall, Hook("filter", "prerouting", _BEFORE_DNAT)),
            Chain("filter-output-pre-dnat", firewall, Hook("filter", "output", _BEFORE_DNAT)),
            Chain(
                "filter-input",
                (Rule((*new, Jump("nodeport-endpoints-check"))), Rule(services)),
                Hook("filter", "input", FILTER_PRIORITY),
            ),
            Chain("filter-forward", outgoing, Hook("filter", "forward", FILTER_PRIORITY)),
            Chain("filter-output", outgoing, Hook("filter", "output", FILTER_PRIORITY)),
            Chain("nat-prerouting", dispatch, Hook("nat", "prerouting", DSTNAT_PRIORITY)),
            Chain("nat-output", dispatch, Hook("nat", "output", DSTNAT_PRIORITY)),
            Chain("nat-postrouting", (Rule((Jump("masquerading"),)),), Hook("nat", "postrouting", SRCNAT_PRIORITY)),
        ]


def _state_new() -> tuple[Step, ...]:
    bit = struct.pack("=I", STATE_NEW)
    return (Load(Field.STATE, 0), Mask(0, bit, bytes(4)), Compare(0, bytes(4), False))


def nodeport_rows(settings: Settings, family: int) -> list[bytes]:
    """Addresses of the family in `nodeport-ips`; loopback ones are skipped."""
    size = 16 if family == 6 else 4
    found = [each for each in settings.nodeport_ips or () if len(each) == size]
    return [each for each in found if not ipaddress.ip_address(unpack(each)).is_loopback]
