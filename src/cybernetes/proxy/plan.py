"""Service ports -> rows and chains. Pure: the same views and settings give the same rule set."""

from __future__ import annotations

import ipaddress
import sys
import zlib
from collections.abc import Iterable, Sequence

from cybernetes.proxy.frame import Frame, Settings, nodeport_rows
from cybernetes.proxy.objects import family_of, unpack
from cybernetes.proxy.rules import (
    AFFINITY_CHOICES,
    AFFINITY_ENDPOINTS,
    CLUSTER_IPS,
    DROP_VERDICT,
    ENDPOINTS,
    EXTERNAL_CLUSTER,
    EXTERNAL_LOCAL,
    FIREWALL_IPS,
    FIREWALL_RANGES,
    HAIRPIN,
    LOCAL_FIRST,
    NO_ENDPOINT_NODEPORTS,
    NO_ENDPOINT_SERVICES,
    NODEPORT_IPS,
    NODEPORT_SHAPES,
    NODEPORT_SPREADS,
    REJECT_VERDICT,
    SERVICE_IPS,
    SERVICE_NODEPORTS,
    SERVICE_SHAPES,
    SERVICE_SPREADS,
    SETS,
    SHAPE_MAPS,
    Chain,
    RuleSet,
)
from cybernetes.proxy.select import Target
from cybernetes.proxy.shapes import (
    ENDPOINTS_MAX,
    Kind,
    Shape,
    chain_name,
    chains_for,
    decode,
    is_node_port,
)
from cybernetes.proxy.state import PortView

_TAG = [bytes((number,)) for number in range(len(SETS))]
_UNSPECIFIED = {4: bytes(4), 6: bytes(16)}
# Numbers in registers have the order of the machine.
_ORDER = sys.byteorder
_PROTOCOL_WORD = {number: bytes((number, 0, 0, 0)) for number in (6, 17, 132)}
_NO_PORT = bytes(2)


def rules(views: Iterable[PortView], family: int, settings: Settings) -> RuleSet:
    """The whole table of one family; of two services that claim one address and port, `losers` decides."""
    chosen = list(views)
    lost = losers(chosen)
    rows: set[bytes] = set(fixed_rows(family, settings))
    for view in chosen:
        rows.update(port_rows(view, settings, lost.get(view.key, frozenset())))
    frame = Frame(family, settings)
    return rule_set(frame, rows)


def rule_set(frame: Frame, rows: Iterable[bytes], kept: Iterable[tuple[str, bytes]] = ()) -> RuleSet:
    """The chains that these rows need, and the rows.

    kept  (map of shapes, encoded shape) of further ones that have to be there
    """
    ordered = tuple(sorted(rows))
    chains: dict[str, Chain] = {chain.name: chain for chain in frame.chains()}
    shapes: dict[str, dict[bytes, str]] = {name: {} for name in SHAPE_MAPS}
    memories: set[int] = set()
    named = {found for row in ordered if (found := shape_of(row, frame.family))}
    for name, encoded in sorted(named.union(kept)):
        shape, node_port = decode(encoded), is_node_port(name)
        chains.update((chain.name, chain) for chain in chains_for(frame, shape, node_port))
        shapes[name][encoded] = chain_name(shape, node_port)
        if shape.affinity_s:
            memories.add(shape.affinity_s)
    return RuleSet(frame.family, chains, tuple(sorted(memories)), shapes, ordered)


def shape_of(row: bytes, family: int) -> tuple[str, bytes] | None:
    """(map of shapes, encoded shape) of rows that name one."""
    kind = row[0]
    if kind == SERVICE_IPS:
        return SERVICE_SHAPES, row[-4:]
    if kind == SERVICE_NODEPORTS:
        return NODEPORT_SHAPES, row[-4:]
    if kind in (EXTERNAL_CLUSTER, EXTERNAL_LOCAL):
        unspecified = _UNSPECIFIED[family]
        return NODEPORT_SPREADS if row.startswith(unspecified, 1) else SERVICE_SPREADS, row[-4:]
    return None


def fixed_rows(family: int, settings: Settings) -> list[bytes]:
    return [_TAG[NODEPORT_IPS] + address for address in nodeport_rows(settings, family)]


def service_word(address: bytes, protocol: int, port: int) -> bytes:
    """Address, protocol and port as keys have them; NodePorts have the unspecified address."""
    return address + _PROTOCOL_WORD[protocol] + port.to_bytes(2, "big") + _NO_PORT


def claims(view: PortView) -> list[bytes]:
    """The service words that this port answers for."""
    found = [service_word(view.cluster_ip, view.protocol, view.port)]
    if view.is_external:
        found += outside_words(view)
    return found


def outside_words(view: PortView) -> list[bytes]:
    """Service words of traffic from outside; that of the NodePort has the unspecified address."""
    addresses = [ip for ip in (*view.external_ips, *view.ingress_ips) if ip != view.cluster_ip]
    words = [service_word(ip, view.protocol, view.port) for ip in dict.fromkeys(addresses)]
    if view.node_port:
        words.append(service_word(_UNSPECIFIED[family_of(view.cluster_ip)], view.protocol, view.node_port))
    return words


def losers(views: Sequence[PortView]) -> dict[str, frozenset[bytes]]:
    """Port key -> service words that belong to another port."""
    best: dict[bytes, PortView] = {}
    lost: dict[str, set[bytes]] = {}
    for view in views:
        for word in dict.fromkeys(claims(view)):
            holder = best.setdefault(word, view)
            if holder is view:
                continue
            winner, loser = sorted((holder, view), key=lambda each: rank(each, word))
            best[word] = winner
            lost.setdefault(loser.key, set()).add(word)
    return {key: frozenset(words) for key, words in lost.items()}


def rank(view: PortView, word: bytes) -> tuple[bool, str]:
    """Cluster addresses are unique, so they win over external addresses that somebody chose; then the name decides."""
    return not word.startswith(view.cluster_ip), view.key


def port_rows(view: PortView, settings: Settings, lost: frozenset[bytes] = frozenset()) -> list[bytes]:
    """The rows of one service port, in no particular order; some may be those of other ports too.

    lost  service words that another port has claimed with better right
    cost  one row an endpoint and address, plus a handful
    """
    selected = view.selected
    cluster, local = selected.cluster[:ENDPOINTS_MAX], selected.local[:ENDPOINTS_MAX]
    rows = [_TAG[CLUSTER_IPS] + view.cluster_ip, *_internal_rows(view, cluster, local)]
    if view.is_external:
        rows += _external_rows(view, cluster, local, lost)
        rows += _firewall_rows(view, settings, lost) if view.source_ranges else []
    if view.affinity_s:
        rows += _affinity_rows(view, cluster, local, lost)
    for target in selected.on_node:
        address = target[:-2]
        rows.append(_TAG[HAIRPIN] + address + address + _PROTOCOL_WORD[view.protocol] + target[-2:] + _NO_PORT)
    return rows


def _internal_rows(view: PortView, cluster: Sequence[Target], local: Sequence[Target]) -> list[bytes]:
    word = service_word(view.cluster_ip, view.protocol, view.port)
    targets, kind = (local, Kind.LOCAL) if view.internal_local else (cluster, Kind.CLUSTER)
    if not targets:
        return [_TAG[NO_ENDPOINT_SERVICES] + word + _verdict(view)]
    shape = _TAG[SERVICE_IPS] + word + Shape(kind, len(targets), view.affinity_s).encode()
    return [shape, *_endpoint_rows(view, word, targets, kind)]


def _verdict(view: PortView) -> bytes:
    """Without any endpoint the caller should learn it at once; with some elsewhere, a retry may well succeed."""
    return DROP_VERDICT if view.any_endpoint else REJECT_VERDICT


def _endpoint_rows(view: PortView, word: bytes, targets: Sequence[Target], kind: Kind) -> list[bytes]:
    if view.affinity_s:
        return []
    tag = _TAG[ENDPOINTS] + word
    first = LOCAL_FIRST if kind is Kind.LOCAL else 0
    return [tag + (first + number).to_bytes(4, _ORDER) + target + _NO_PORT for number, target in enumerate(targets)]


def _external_rows(
    view: PortView, cluster: Sequence[Target], local: Sequence[Target], lost: frozenset[bytes]
) -> list[bytes]:
    rows: list[bytes] = []
    size = len(view.cluster_ip)
    for word in outside_words(view):
        if word in lost:
            continue
        node_port = word.startswith(_UNSPECIFIED[family_of(view.cluster_ip)])
        key = word[size:] if node_port else word
        services = SERVICE_NODEPORTS if node_port else SERVICE_IPS
        without = NO_ENDPOINT_NODEPORTS if node_port else NO_ENDPOINT_SERVICES
        if view.external_local:
            rows += _outside_local(view, word, _TAG[services] + key, cluster, local)
        elif cluster:
            rows.append(_TAG[services] + key + Shape(Kind.EXTERNAL, len(cluster), view.affinity_s).encode())
            rows += _endpoint_rows(view, word, cluster, Kind.CLUSTER)
        if not (local if view.external_local else cluster):
            rows.append(_TAG[without] + key + _verdict(view))
    return rows


def _outside_local(
    view: PortView, word: bytes, tagged_key: bytes, cluster: Sequence[Target], local: Sequence[Target]
) -> list[bytes]:
    if not view.any_endpoint:
        return []
    rows = [tagged_key + Shape(Kind.EXTERNAL_LOCAL).encode()]
    for kind, tag, targets in ((Kind.CLUSTER, EXTERNAL_CLUSTER, cluster), (Kind.LOCAL, EXTERNAL_LOCAL, local)):
        if targets:
            rows.append(_TAG[tag] + word + Shape(kind, len(targets), view.affinity_s).encode())
            rows += _endpoint_rows(view, word, targets, kind)
    return rows


def _firewall_rows(view: PortView, settings: Settings, lost: frozenset[bytes]) -> list[bytes]:
    """Sources that may use the load balancer's addresses; the node itself may use an address that stands for it."""
    networks = [ipaddress.ip_network(each, strict=False) for each in view.source_ranges]
    own = [ipaddress.ip_address(unpack(each)) for each in settings.node_ips]
    holds_node = any(address in network for address in own for network in networks)
    rows: list[bytes] = []
    for address in dict.fromkeys(view.ingress_ips):
        word = service_word(address, view.protocol, view.port)
        if word in lost or address == view.cluster_ip:
            continue
        rows.append(_TAG[FIREWALL_IPS] + word)
        allowed = [*networks, ipaddress.ip_network(unpack(address))] if holds_node else networks
        for network in ipaddress.collapse_addresses(allowed):  # type: ignore[type-var]
            first, last = network.network_address.packed, network.broadcast_address.packed
            rows.append(_TAG[FIREWALL_RANGES] + word + first + word + last)
    return rows


def _affinity_rows(
    view: PortView, cluster: Sequence[Target], local: Sequence[Target], lost: frozenset[bytes]
) -> list[bytes]:
    rows: list[bytes] = []
    uses_local = view.internal_local or view.external_local
    tags = _tags((*cluster, *local) if uses_local else cluster)
    for word in dict.fromkeys(claims(view)):
        if word in lost:
            continue
        rows += [_TAG[AFFINITY_ENDPOINTS] + word + tag + target + _NO_PORT for target, tag in tags.items()]
        rows += _choice_rows(word, [tags[target] for target in cluster], 0)
        rows += _choice_rows(word, [tags[target] for target in local], LOCAL_FIRST) if uses_local else []
    return rows


def _choice_rows(word: bytes, tags: Sequence[bytes], first: int) -> list[bytes]:
    head = _TAG[AFFINITY_CHOICES] + word
    return [head + (first + index).to_bytes(4, _ORDER) + tag for index, tag in enumerate(tags)]


def _tags(targets: Iterable[Target]) -> dict[Target, bytes]:
    """A tag for each endpoint that does not depend on the others, unless two collide."""
    taken: dict[int, Target] = {}
    for target in sorted(set(targets)):
        tag = zlib.crc32(target)
        while tag in taken:
            tag = tag + 1 & 0xFFFFFFFF
        taken[tag] = target
    return {target: tag.to_bytes(4, _ORDER) for tag, target in taken.items()}
