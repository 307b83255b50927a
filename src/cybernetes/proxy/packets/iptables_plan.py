"""Service ports as iptables chains, in kube-proxy's layout with fewer rules: names, comments and order are its own.

Every change takes longer the more rules there are. So an endpoint has a chain (KUBE-SEP-) only where it does more than
to rewrite: on its own node, where packets may come back to their sender, and with affinity. And what comes from outside
the cluster is marked by one rule for all cluster addresses.

A line is (template, words); `native.iptext` makes text of many. Pure.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import ipaddress
from collections.abc import Iterator, Sequence

import msgspec

from cybernetes.proxy.frame import LocalPods, Settings
from cybernetes.proxy.objects import PROTOCOL_NAMES, family_of, unpack
from cybernetes.proxy.select import Target
from cybernetes.proxy.state import PortView

TEMPLATES = (
    b":\0 - [0:0]\n",
    b"-A \0 \0-j \0\n",
    b"-A \0 \0-p \0 -j DNAT --to-destination \0\n",
    b"-X \0\n",
    b"-I \0 1 \0-j \0\n",
    b"-D \0 \0-j \0\n",
    b"*\0\n",
    b"COMMIT\n",
)
DECLARE, JUMP, DNAT, DELETE, INSERT, REMOVE, TABLE, COMMIT = range(len(TEMPLATES))

Line = tuple[int, tuple[str, ...]]

NAT, FILTER = "nat", "filter"
SERVICES, NODEPORTS = "KUBE-SERVICES", "KUBE-NODEPORTS"
EXTERNAL_SERVICES, PROXY_FIREWALL = "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-FIREWALL"
MARK_MASQ, CLUSTER_MASQ = "KUBE-MARK-MASQ", "KUBE-CLUSTER-MASQ"


class PortChains(msgspec.Struct, frozen=True):
    """What one service port needs, all in table nat but for the shared lines.

    own     chain -> its lines; endpoints' chains first
    shared  (table, chain, match, target) of lines in chains that all services share
    """

    own: dict[str, tuple[Line, ...]]
    shared: tuple[tuple[str, str, str, str], ...]


NOTHING = PortChains({}, ())


def port_chains(view: PortView, settings: Settings, *, comments: bool) -> PortChains:
    """comments: left out in large clusters, where they are most of the text."""
    return _Writer(view, settings, comments).write()


def chain_hash(text: str) -> str:
    """The first 16 characters of the base32 of a SHA-256: those of its first 10 bytes."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()[:10]).decode()


@functools.lru_cache(maxsize=16)
def local_pods(pods: LocalPods, family: int) -> tuple[str, ...]:
    """What matches traffic of such pods; empty when it can't be told."""
    if pods.interface:
        return (f"-i {pods.interface}",)
    found = (f"-s {each}" for each in pods.ranges if ipaddress.ip_network(each, strict=False).version == family)
    return tuple(found)[:1]


def masqueraded_sources(settings: Settings, family: int) -> tuple[str, ...]:
    """What matches traffic to cluster addresses that is masqueraded; empty when none is."""
    if settings.masquerade_all:
        return ("",)
    return tuple(f"! {each} " for each in local_pods(settings.local_pods, family))


def is_marked_for_all(cluster_ip: bytes, settings: Settings) -> bool:
    """Whether KUBE-CLUSTER-MASQ speaks of this address; services elsewhere have a rule of their own."""
    return any(first <= cluster_ip <= last for first, last in _bounds(settings.service_ranges, len(cluster_ip)))


@functools.lru_cache(maxsize=16)
def _bounds(ranges: tuple[str, ...], size: int) -> tuple[tuple[bytes, bytes], ...]:
    """First and last address of each range, packed, of those whose addresses have this many bytes."""
    found = ((each.network_address.packed, each.broadcast_address.packed) for each in _networks(ranges))
    return tuple((first, last) for first, last in found if len(first) == size)


@functools.lru_cache(maxsize=16)
def _networks(ranges: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(each, strict=False) for each in ranges)


class _Writer:
    """One service port; collects its chains and lines."""

    def __init__(self, view: PortView, settings: Settings, comments: bool) -> None:
        self._view = view
        self._settings = settings
        self._comments = comments
        self._protocol = PROTOCOL_NAMES[view.protocol].lower()
        name = chain_hash(view.name + self._protocol)
        self._svc, self._svl = f"KUBE-SVC-{name}", f"KUBE-SVL-{name}"
        self._ext, self._fw = f"KUBE-EXT-{name}", f"KUBE-FW-{name}"
        self._own_pods = local_pods(settings.own_pods, family_of(view.cluster_ip))
        self._seps: dict[Target, str] = {}
        self._own: dict[str, list[Line]] = {}
        self._shared: list[tuple[str, str, str, str]] = []

    def write(self) -> PortChains:
        view = self._view
        cluster, local = view.selected.cluster, view.selected.local
        uses_cluster = not view.internal_local or view.is_external
        uses_local = view.internal_local or (view.is_external and view.external_local)
        used = dict.fromkeys((*(cluster if uses_cluster else ()), *(local if uses_local else ())))
        for target in sorted(used):
            if view.affinity_s or target in view.selected.on_node:
                self._endpoint(target)
        if uses_cluster and cluster:
            self._own[self._svc] = []
        if uses_local and local:
            self._own[self._svl] = []
        self._internal()
        if uses_cluster and cluster:
            self._spread(self._svc, cluster)
        if uses_local and local:
            self._spread(self._svl, local)
        if view.is_external:
            self._external()
        return PortChains({name: tuple(lines) for name, lines in self._own.items()}, tuple(self._shared))

    def _comment(self, text: str) -> str:
        return f'-m comment --comment "{text}" ' if self._comments else ""

    def _match(self, address: bytes | None, port: int) -> str:
        to = f"-d {unpack(address)} " if address is not None else ""
        return f"-m {self._protocol} -p {self._protocol} {to}--dport {port} "

    def _endpoint(self, target: Target) -> None:
        to = endpoint_text(target)
        chain = f"KUBE-SEP-{chain_hash(self._view.name + self._protocol + to)}"
        name = self._comment(self._view.name)
        recent = f"-m recent --name {chain} --set " if self._view.affinity_s else ""
        self._seps[target] = chain
        self._own[chain] = [
            (JUMP, (chain, f"{name}-s {unpack(target[:-2])} ", MARK_MASQ)),
            self._rewrite(chain, name + recent, to),
        ]

    def _rewrite(self, chain: str, match: str, to: str) -> Line:
        return DNAT, (chain, match, self._protocol, to)

    def _internal(self) -> None:
        view = self._view
        match = self._match(view.cluster_ip, view.port)
        if not view.internal:
            self._refuse(FILTER, SERVICES, view.any_endpoint, match)
            return
        chain = self._svl if view.internal_local else self._svc
        comment = self._comment(f"{view.name} cluster IP")
        self._shared.append((NAT, SERVICES, comment + match, chain))
        if not is_marked_for_all(view.cluster_ip, self._settings):
            self._own[chain] += [
                (JUMP, (chain, f"{comment}{match}{source}", MARK_MASQ))
                for source in masqueraded_sources(self._settings, family_of(view.cluster_ip))
            ]

    def _spread(self, chain: str, targets: Sequence[Target]) -> None:
        lines = self._own[chain]
        if self._view.affinity_s:
            for sep in (self._seps[target] for target in targets):
                recent = f"-m recent --name {sep} --rcheck --seconds {self._view.affinity_s} --reap "
                lines.append((JUMP, (chain, self._comment(self._view.name) + recent, sep)))
        for left, target in zip(range(len(targets), 0, -1), targets, strict=True):
            to = endpoint_text(target)
            match = self._comment(f"{self._view.name} -> {to}")
            if left > 1:
                match += f"-m statistic --mode random --probability {1 / left:.10f} "
            own = self._seps.get(target)
            lines.append(self._rewrite(chain, match, to) if own is None else (JUMP, (chain, match, own)))

    def _external(self) -> None:
        view = self._view
        if view.any_endpoint:
            self._external_chain()
        for address, what in self._external_addresses():
            match = self._match(address, view.port)
            balanced = what == "loadbalancer IP"
            if view.any_endpoint:
                target = self._fw if balanced and view.source_ranges else self._ext
                self._shared.append((NAT, SERVICES, self._comment(f"{view.name} {what}") + match, target))
            if not view.external:
                self._refuse(FILTER, EXTERNAL_SERVICES, view.any_endpoint, match)
            if balanced and view.source_ranges:
                comment = self._comment(f"{view.name} traffic not accepted by {self._fw}")
                self._shared.append((FILTER, PROXY_FIREWALL, comment + match, "DROP"))
        if view.source_ranges and view.ingress_ips and view.any_endpoint:
            self._firewall_chain()
        if view.node_port:
            self._node_port()

    def _external_addresses(self) -> Iterator[tuple[bytes, str]]:
        own = self._view.cluster_ip
        yield from ((each, "external IP") for each in self._view.external_ips if each != own)
        yield from ((each, "loadbalancer IP") for each in self._view.ingress_ips if each != own)

    def _external_chain(self) -> None:
        view, chain = self._view, self._ext
        lines: list[Line] = []
        if not view.external_local:
            comment = self._comment(f"masquerade traffic for {view.name} external destinations")
            lines.append((JUMP, (chain, comment, MARK_MASQ)))
            lines.append((JUMP, (chain, "", self._svc)))
        else:
            if view.selected.cluster:
                for each in self._own_pods:
                    comment = self._comment(f"pod traffic for {view.name} external destinations")
                    lines.append((JUMP, (chain, f"{comment}{each} ", self._svc)))
                local = "-m addrtype --src-type LOCAL "
                comment = self._comment(f"masquerade LOCAL traffic for {view.name} external destinations")
                lines.append((JUMP, (chain, comment + local, MARK_MASQ)))
                comment = self._comment(f"route LOCAL traffic for {view.name} external destinations")
                lines.append((JUMP, (chain, comment + local, self._svc)))
            if view.selected.local:
                lines.append((JUMP, (chain, "", self._svl)))
        self._own[chain] = lines

    def _firewall_chain(self) -> None:
        view = self._view
        comment = self._comment(f"{view.name} loadbalancer IP")
        sources = list(view.source_ranges)
        networks = [ipaddress.ip_network(each, strict=False) for each in sources]
        own = [ipaddress.ip_address(unpack(each)) for each in self._settings.node_ips]
        if any(address in network for address in own for network in networks):
            sources += [unpack(each) for each in view.ingress_ips]
        self._own[self._fw] = [(JUMP, (self._fw, f"{comment}-s {each} ", self._ext)) for each in sources]

    def _node_port(self) -> None:
        view = self._view
        match = self._match(None, view.node_port)
        if view.any_endpoint:
            self._shared.append((NAT, NODEPORTS, self._comment(view.name) + match, self._ext))
        if not view.external:
            self._refuse(FILTER, EXTERNAL_SERVICES, view.any_endpoint, f"-m addrtype --dst-type LOCAL {match}")
        if view.external_local and view.health_port:
            health = f"-m tcp -p tcp --dport {view.health_port} "
            comment = self._comment(f"{view.name} health check node port")
            self._shared.append((FILTER, NODEPORTS, comment + health, "ACCEPT"))

    def _refuse(self, table: str, chain: str, elsewhere: bool, match: str) -> None:
        """Dropped where endpoints exist on other nodes, else rejected: of TCP by a reset, which is never lost."""
        why = "has no local endpoints" if elsewhere else "has no endpoints"
        comment = self._comment(f"{self._view.name} {why}")
        reject = "REJECT --reject-with tcp-reset" if self._protocol == "tcp" else "REJECT"
        self._shared.append((table, chain, comment + match, "DROP" if elsewhere else reject))


def endpoint_text(target: Target) -> str:
    """IP:PORT, IPv6 in brackets."""
    address, port = unpack(target[:-2]), int.from_bytes(target[-2:], "big")
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def base_jumps() -> list[tuple[str, str, str, str]]:
    """(table, built-in chain, match, target): what leads packets to our chains, in order from the top."""

    def comment(text: str) -> str:
        return f'-m comment --comment "{text}" '

    new = "-m conntrack --ctstate NEW "
    firewall = new + comment("kubernetes load balancer firewall")
    portals = new + comment("kubernetes service portals")
    visible = new + comment("kubernetes externally-visible service portals")
    masquerading = comment("kubernetes cluster IP traffic requiring SNAT")
    return [
        (NAT, "PREROUTING", masquerading, CLUSTER_MASQ),
        (NAT, "PREROUTING", comment("kubernetes service portals"), SERVICES),
        (NAT, "OUTPUT", masquerading, CLUSTER_MASQ),
        (NAT, "OUTPUT", comment("kubernetes service portals"), SERVICES),
        (NAT, "POSTROUTING", comment("kubernetes postrouting rules"), "KUBE-POSTROUTING"),
        (FILTER, "INPUT", firewall, PROXY_FIREWALL),
        (FILTER, "INPUT", comment("kubernetes health check service ports"), NODEPORTS),
        (FILTER, "INPUT", visible, EXTERNAL_SERVICES),
        (FILTER, "INPUT", "", "KUBE-FIREWALL"),
        (FILTER, "FORWARD", firewall, PROXY_FIREWALL),
        (FILTER, "FORWARD", comment("kubernetes forwarding rules"), "KUBE-FORWARD"),
        (FILTER, "FORWARD", portals, SERVICES),
        (FILTER, "FORWARD", visible, EXTERNAL_SERVICES),
        (FILTER, "OUTPUT", firewall, PROXY_FIREWALL),
        (FILTER, "OUTPUT", portals, SERVICES),
        (FILTER, "OUTPUT", "", "KUBE-FIREWALL"),
    ]


def fixed_chains(family: int, settings: Settings) -> dict[str, dict[str, tuple[Line, ...]]]:
    """Table -> chain -> lines of the chains that are there whatever services exist.

    KUBE-SERVICES and the other shared chains hold what comes after all services' lines.
    """
    mark = f"0x{1 << settings.masquerade_bit:x}"
    last = "kubernetes service nodeports; NOTE: this must be the last rule in this chain"
    if settings.nodeport_ips is None:
        # Packets to ::1 can't leave the loopback interface, whatever the rules say.
        to_node = ["-m addrtype --dst-type LOCAL " + ("! -d ::1/128 " if family == 6 else "")]
    else:
        to_node = [f"-d {unpack(each)} " for each in settings.nodeport_ips if family_of(each) == family]
    loopback = "::1/128" if family == 6 else "127.0.0.0/8"
    marked = f"-m mark --mark {mark}/{mark} "
    states = "-m conntrack --ctstate RELATED,ESTABLISHED "
    return {
        NAT: {
            MARK_MASQ: ((JUMP, (MARK_MASQ, "", f"MARK --or-mark {mark}")),),
            CLUSTER_MASQ: tuple(
                (JUMP, (CLUSTER_MASQ, f"-d {network} {source}", MARK_MASQ))
                for network in _networks(settings.service_ranges)
                if network.version == family
                for source in masqueraded_sources(settings, family)
            ),
            "KUBE-POSTROUTING": (
                (JUMP, ("KUBE-POSTROUTING", f"-m mark ! --mark {mark}/{mark} ", "RETURN")),
                (JUMP, ("KUBE-POSTROUTING", "", f"MARK --xor-mark {mark}")),
                (
                    JUMP,
                    (
                        "KUBE-POSTROUTING",
                        '-m comment --comment "kubernetes service traffic requiring SNAT" ',
                        "MASQUERADE --random-fully",
                    ),
                ),
            ),
            NODEPORTS: (),
            SERVICES: tuple((JUMP, (SERVICES, f'-m comment --comment "{last}" {each}', NODEPORTS)) for each in to_node),
            "KUBE-PROXY-CANARY": (),
        },
        FILTER: {
            "KUBE-FORWARD": (
                (JUMP, ("KUBE-FORWARD", "-m conntrack --ctstate INVALID ", "DROP")),
                (JUMP, ("KUBE-FORWARD", f'-m comment --comment "kubernetes forwarding rules" {marked}', "ACCEPT")),
                (
                    JUMP,
                    ("KUBE-FORWARD", f'-m comment --comment "kubernetes forwarding conntrack rule" {states}', "ACCEPT"),
                ),
            ),
            "KUBE-FIREWALL": (
                (
                    JUMP,
                    (
                        "KUBE-FIREWALL",
                        f'-m comment --comment "block incoming localnet connections" ! -s {loopback} -d {loopback} '
                        "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT ",
                        "DROP",
                    ),
                ),
            ),
            NODEPORTS: (),
            SERVICES: (),
            EXTERNAL_SERVICES: (),
            PROXY_FIREWALL: (),
            "KUBE-PROXY-CANARY": (),
        },
    }
