"""Joins several nodes on one machine: a network namespace each, and one bridge between them.

The machine itself is on the bridge too, so that the API server reaches every node and nodes reach
it. Service and pod addresses are routed to the first node, whose proxy and routes carry them on.
Where pods have two address families, nodes have an address of each.
"""

from __future__ import annotations

import ipaddress
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pyroute2 import IPRoute, NetNS, netns
from pyroute2.netlink.exceptions import NetlinkError

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.run.config import ClusterConfig, NodeConfig

FABRIC_RANGES = {4: ipaddress.ip_network("10.89.0.0/24"), 6: ipaddress.ip_network("fd00:10:89::/64")}
BRIDGE = "cyb-fabric"
_TABLE = "cybernetes-fabric"
_FIRST_NODE = 11
_EXISTS = 17
# Nobody else gives out addresses on the bridge: no need to wait for whether one is taken.
_NO_DUPLICATE_DETECTION = 0x02
_DEFAULT_ROUTE = {4: "0.0.0.0/0", 6: "::/0"}


def machine_address(version: int) -> str:
    """The machine's own address on the bridge."""
    return str(FABRIC_RANGES[version][1])


def plan_nodes(count: int, families: Sequence[int]) -> tuple[NodeConfig, ...]:
    """node-1 … node-N, each in a namespace of its own with an address of each family on the bridge."""
    return tuple(
        NodeConfig(
            name=f"node-{i}",
            address=_node_address(i, families[0]),
            second_address=_node_address(i, families[1]) if len(families) > 1 else "",
            network=f"cyb-node-{i}",
            max_pods=110,
        )
        for i in range(1, count + 1)
    )


def _node_address(i: int, version: int) -> str:
    return str(FABRIC_RANGES[version][_FIRST_NODE + i - 1])


def ensure(config: ClusterConfig) -> None:
    """Make the bridge, the namespaces and the routes; repeating it changes nothing. Raises EdgeError."""
    nodes = [each for each in config.nodes if each.network]
    if not nodes:
        return
    try:
        with IPRoute() as machine:
            bridge = _ensure_bridge(machine, config.network.families)
            for each in nodes:
                _ensure_node(machine, bridge, each)
            _ensure_routes(machine, config, nodes[0])
    except NetlinkError as refused:
        names = ", ".join(each.name for each in nodes)
        why = f"{refused}; `ip netns` shows whether another cluster on this machine has nodes of these names"
        raise EdgeError("join the networks of", names, why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER) from refused
    # Not for IPv6: a machine that forwards ignores the routers it has its addresses from.
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    _masquerade()


def remove(nodes: Sequence[NodeConfig]) -> None:
    """Take everything back; what is not there is not missed, and a bridge that others use stays."""
    nodes = [each for each in nodes if each.network]
    if not nodes:
        return
    with IPRoute() as machine:
        # Links first: the kernel takes its time to end a namespace, and its links would stay as long.
        for each in nodes:
            _delete_link(machine, _outside(each))
        unused = not any(machine.link_lookup(master=bridge) for bridge in machine.link_lookup(ifname=BRIDGE))
        if unused:
            _delete_link(machine, BRIDGE)
    existing = set(netns.listnetns())
    for each in nodes:
        if each.network in existing:
            netns.remove(each.network)
    if unused:
        subprocess.run(["nft", "delete", "table", "ip", _TABLE], capture_output=True, check=False)


def _delete_link(machine: IPRoute, name: str) -> None:
    for link in machine.link_lookup(ifname=name):
        machine.link("del", index=link)


def _ensure_bridge(machine: IPRoute, families: Sequence[int]) -> int:
    if not machine.link_lookup(ifname=BRIDGE):
        machine.link("add", ifname=BRIDGE, kind="bridge")
    bridge: int = machine.link_lookup(ifname=BRIDGE)[0]
    for version in families:
        _add_address(machine, bridge, machine_address(version))
    machine.link("set", index=bridge, state="up")
    return bridge


def _ensure_node(machine: IPRoute, bridge: int, node: NodeConfig) -> None:
    if node.network not in netns.listnetns():
        netns.create(node.network)
    outside = _outside(node)
    if not machine.link_lookup(ifname=outside):
        machine.link("add", ifname=outside, kind="veth", peer={"ifname": "eth0", "net_ns_fd": node.network})
    index = machine.link_lookup(ifname=outside)[0]
    machine.link("set", index=index, master=bridge, state="up")
    with NetNS(node.network) as inside:
        loopback, eth0 = inside.link_lookup(ifname="lo")[0], inside.link_lookup(ifname="eth0")[0]
        inside.link("set", index=loopback, state="up")
        for address in node.addresses:
            _add_address(inside, eth0, address)
        inside.link("set", index=eth0, state="up")
        for address in node.addresses:
            version = ipaddress.ip_address(address).version
            inside.route("replace", dst=_DEFAULT_ROUTE[version], gateway=machine_address(version))


def _outside(node: NodeConfig) -> str:
    """Name of the link's end on the machine; the kernel allows 15 characters."""
    return f"cyb-{node.name}"[:15]


def _add_address(links: IPRoute | NetNS, index: int, address: str) -> None:
    version = ipaddress.ip_address(address).version
    flags = {"flags": _NO_DUPLICATE_DETECTION} if version == 6 else {}
    try:
        links.addr("add", index=index, address=address, prefixlen=FABRIC_RANGES[version].prefixlen, **flags)
    except NetlinkError as refused:
        if refused.code != _EXISTS:
            raise


def _ensure_routes(machine: IPRoute, config: ClusterConfig, first: NodeConfig) -> None:
    gateways = {ipaddress.ip_address(each).version: each for each in first.addresses}
    for destination in (*config.network.service_ranges, *config.network.pod_ranges):
        gateway = gateways.get(ipaddress.ip_network(destination).version)
        if gateway is not None:
            machine.route("replace", dst=destination, gateway=gateway)


def _masquerade() -> None:
    rules = f"""
table ip {_TABLE} {{
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {FABRIC_RANGES[4]} oifname != "{BRIDGE}" masquerade
    }}
}}
"""
    script = f"table ip {_TABLE} {{}}\ndelete table ip {_TABLE}\n{rules}"
    subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True, capture_output=True)
