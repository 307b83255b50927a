"""What the node's network should be, from the nodes there are. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import orjson

from cybernetes.network.links.api import Masquerade, Route
from cybernetes.network.objects import Node

CNI_VERSION = "1.0.0"
# Containerd takes the first file by name; administrators who bring their own plugin use a lower number.
CNI_FILE = "10-cybernetes.conflist"
NETWORK_NAME = "cybernetes"
# Ours: cni/main.c.
PLUGIN = "cybernetes"
FORWARD_IPV6 = "net/ipv6/conf/all/forwarding"


class NetworkConfig(msgspec.Struct, frozen=True, kw_only=True):
    """node: the own node's name.

    conf_dir      where the runtime looks for CNI configuration
    state_dir     where the address plugin keeps which addresses are taken
    pod_ranges    of the whole cluster: traffic to them keeps the pod's address
    mtu           of pods' interfaces; 0: 1500
    """

    node: str
    conf_dir: Path
    state_dir: Path
    pod_ranges: tuple[str, ...] = ()
    mtu: int = 0


class Desired(msgspec.Struct, frozen=True):
    """cni: the file's text, b"" while the node has no pod range yet. forwarded: ranges of pods, sorted."""

    routes: frozenset[Route] = frozenset()
    masquerade: Masquerade | None = None
    forwarded: tuple[str, ...] = ()
    cni: bytes = b""
    sysctls: dict[str, str] = {}


def plan(nodes: Iterable[Node], config: NetworkConfig) -> Desired:
    """Everything that the node `config.node` needs; of others their pod ranges and addresses.

    Pods have addresses of the families that their node has one of: others could not send anything back to the rest.
    """
    ordered = sorted(nodes, key=lambda node: node.name)
    own = next((node for node in ordered if node.name == config.node), None)
    if own is None:
        return Desired()
    pod_ranges = [each for each in own.pod_ranges if _address_for(each, own.addresses)]
    if not pod_ranges:
        return Desired(routes=routes(ordered, own))
    inside = {
        *config.pod_ranges,
        *(each for node in ordered for each in (*node.pod_ranges, *map(_host, node.addresses))),
    }
    return Desired(
        routes=routes(ordered, own),
        masquerade=Masquerade(tuple(sorted(pod_ranges)), tuple(sorted(inside))),
        forwarded=tuple(sorted({*config.pod_ranges, *(each for node in ordered for each in node.pod_ranges)})),
        cni=render_cni(pod_ranges, config),
        sysctls=sysctls(pod_ranges),
    )


def routes(nodes: Sequence[Node], own: Node) -> frozenset[Route]:
    """One for each pod range of other nodes of a family that both have an address of, by the other's address.

    Of two nodes with the same range, which a broken allocation could yield, the first by name has it.
    """
    found: dict[str, Route] = {}
    for node in nodes:
        for pod_range in node.pod_ranges:
            gateway = _address_for(pod_range, node.addresses)
            if node.name != own.name and gateway and _address_for(pod_range, own.addresses):
                found.setdefault(pod_range, Route(pod_range, gateway))
    return frozenset(found.values())


def _address_for(pod_range: str, addresses: Sequence[str]) -> str:
    version = ipaddress.ip_network(pod_range).version
    return next((each for each in addresses if ipaddress.ip_address(each).version == version), "")


def _host(address: str) -> str:
    return str(ipaddress.ip_network(address))


def sysctls(pod_ranges: Sequence[str]) -> dict[str, str]:
    """Forwarding for the families that pods have."""
    versions = {ipaddress.ip_network(each).version for each in pod_ranges}
    values = {}
    if 4 in versions:
        values["net/ipv4/ip_forward"] = "1"
    if 6 in versions:
        values[FORWARD_IPV6] = "1"
    return values


def render_cni(pod_ranges: Sequence[str], config: NetworkConfig) -> bytes:
    """Routed pairs, addresses from the node's ranges, host ports.

    source  CNI specification 1.0.0; cni/main.c
    """
    pair = {
        "type": PLUGIN,
        "dataDir": str(config.state_dir),
        "ranges": list(pod_ranges),
        **({"mtu": config.mtu} if config.mtu else {}),
        "capabilities": {"portMappings": True},
        "snat": True,
    }
    shown = {"cniVersion": CNI_VERSION, "name": NETWORK_NAME, "plugins": [pair]}
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2) + b"\n"
