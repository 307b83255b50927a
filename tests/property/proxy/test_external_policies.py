"""Who gets where from a node port: both modes' rules against what is plainly said of it."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from cybernetes.base.random import SeededRandom
from cybernetes.proxy import plan
from cybernetes.proxy.frame import LocalPods, Settings
from cybernetes.proxy.objects import pack, unpack
from cybernetes.proxy.packets.fake import FakePackets
from cybernetes.proxy.packets.iptables_plan import DNAT, MARK_MASQ, NODEPORTS, Line, endpoint_text, port_chains
from cybernetes.proxy.packets.machine import Landed, Machine, Packet
from cybernetes.proxy.select import Selected, Target
from cybernetes.proxy.state import PortView

NODE, VIP = pack("10.0.0.1"), pack("10.96.0.5")
PORT = 30080
SETTINGS = Settings(
    LocalPods(("10.244.0.0/16",)),
    node_pods=LocalPods(("10.244.1.0/24",)),
    nodeport_ips=(NODE,),
    node_ips=(NODE,),
    service_ranges=("10.96.0.0/12",),
)
OWN = [pack(f"10.244.1.{n}") for n in (1, 2)]
FAR = [pack(f"10.244.2.{n}") for n in (1, 2)]
# Endpoint and whether the source is replaced by the node's.
Fates = set[tuple[str, bool]]


def targets(addresses: Sequence[bytes]) -> st.SearchStrategy[tuple[Target, ...]]:
    one = st.sampled_from(addresses).map(lambda address: address + (8080).to_bytes(2, "big"))
    return st.lists(one, unique=True, max_size=4).map(lambda found: tuple(sorted(found)))


@st.composite
def views(draw: st.DrawFn) -> PortView:
    cluster, local = draw(targets([*OWN, *FAR])), draw(targets(OWN))
    here = tuple(sorted({each for each in (*cluster, *local) if each[:-2] in OWN}))
    chosen = Selected(cluster, local if cluster else (), here if cluster else (), cluster)
    return PortView("a/b", 6, VIP, 80, chosen, node_port=PORT, external_local=draw(st.booleans()))


def plainly(view: PortView, source: bytes) -> Fates:
    """Policy Cluster: any endpoint, by the node. Local: of the node's own, but its own pods and itself get anywhere."""
    near = source == NODE or source in OWN
    used = view.selected.local if view.external_local and not near else view.selected.cluster
    by_node = not view.external_local or source == NODE
    hairpin = {target for target in view.selected.on_node if target[:-2] == source}
    return {(endpoint_text(target), by_node or target in hairpin) for target in used}


def by_nftables(view: PortView, source: bytes, seed: int) -> Fates:
    packets = FakePackets(4)
    asyncio.run(packets.adopt(None, plan.rules([view], 4, SETTINGS)))
    through = Machine(packets, frozenset((NODE,)), SeededRandom(seed))
    packet = Packet(source, NODE, 6, PORT, local=source == NODE)
    landed = [fate for _ in range(60) if isinstance(fate := through.send(packet), Landed)]
    return {(f"{unpack(each.destination)}:{each.port}", each.masqueraded) for each in landed if each.port != PORT}


def by_iptables(view: PortView, source: bytes) -> Fates:
    chains = port_chains(view, SETTINGS, comments=True)
    starts = [to for _, chain, _, to in chains.shared if chain == NODEPORTS]
    return _walk(chains.own, starts[0], source, marked=False) if starts else set()


def _walk(chains: Mapping[str, Sequence[Line]], chain: str, source: bytes, *, marked: bool) -> Fates:
    found: Fates = set()
    for kind, (_, match, *to) in chains[chain]:
        if not _matches(match, source):
            continue
        if to == [MARK_MASQ]:
            marked = True
            continue
        found |= {(to[1], marked)} if kind == DNAT else _walk(chains, to[0], source, marked=marked)
        if "statistic" not in match:
            break
    return found


def _matches(match: str, source: bytes) -> bool:
    if "--src-type LOCAL" in match and source != NODE:
        return False
    found = re.search(r"-s (\S+)", match)
    return found is None or ipaddress.ip_address(source) in ipaddress.ip_network(found[1])


@settings(max_examples=60, deadline=None)
@given(views(), st.sampled_from([NODE, *OWN, *FAR, pack("198.51.100.7")]), st.integers(0, 99))
def test_node_ports_lead_where_the_external_policy_says(view: PortView, source: bytes, seed: int) -> None:
    expected = plainly(view, source)
    assert by_nftables(view, source, seed) == expected
    assert by_iptables(view, source) == expected
