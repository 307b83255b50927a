"""A node's network in the kernel, of the network namespace that the process is in.

Routes carry a protocol number of ours, so that they are found again after a restart. Netlink and nft(8) run in
a thread: they take milliseconds, and pyroute2 has an event loop of its own.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from cybernetes.base import xtables
from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.network.links.api import Masquerade, Route
from cybernetes.network.programs import nft, run

# Unassigned by the kernel and by known routing daemons (rtnetlink.h, /etc/iproute2/rt_protos).
ROUTE_PROTOCOL = 151
# RTPROT_RA
_TOLD_BY_ROUTER = 9
TABLE = "cybernetes-network"
FORWARD_CHAIN = "CYBERNETES-FORWARD"


class KernelLinks:
    """Implements Links."""

    async def routes(self) -> frozenset[Route]:
        return await asyncio.to_thread(_routes)

    async def add_route(self, route: Route) -> None:
        await asyncio.to_thread(_change_route, "replace", route)

    async def remove_route(self, route: Route) -> None:
        await asyncio.to_thread(_change_route, "del", route)

    async def masquerade(self, wanted: Masquerade | None) -> None:
        await asyncio.to_thread(nft, render_masquerade(wanted), f"table {TABLE}")

    async def accept_forwarding(self, pods: Sequence[str]) -> None:
        for version, program in ((4, "iptables"), (6, "ip6tables")):
            await asyncio.to_thread(_accept_forwarding, program, _of_version(tuple(pods), version))

    async def keep_routers(self) -> None:
        for interface in await asyncio.to_thread(_interfaces_with_routers):
            _set_sysctl(f"net/ipv6/conf/{interface}/accept_ra", "2")

    async def set_sysctls(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            _set_sysctl(name, value)


def _routes() -> frozenset[Route]:
    from pyroute2 import IPRoute

    found = set()
    with IPRoute() as kernel:
        for family in (2, 10):
            for message in kernel.get_routes(family=family, proto=ROUTE_PROTOCOL):
                destination, gateway = message.get_attr("RTA_DST"), message.get_attr("RTA_GATEWAY")
                if message["proto"] == ROUTE_PROTOCOL and destination and gateway:
                    found.add(Route(f"{destination}/{message['dst_len']}", str(gateway)))
    return frozenset(found)


def _interfaces_with_routers() -> list[str]:
    """Those whose routes were told by a router, and which would not hear it while the machine forwards."""
    from pyroute2 import IPRoute

    with IPRoute() as kernel:
        told = {
            route.get_attr("RTA_OIF")
            for route in kernel.get_routes(family=10, proto=_TOLD_BY_ROUTER)
            if route["proto"] == _TOLD_BY_ROUTER
        }
        names = [link.get_attr("IFLA_IFNAME") for index in sorted(told) for link in kernel.get_links(index)]
    return [each for each in names if Path(f"/proc/sys/net/ipv6/conf/{each}/accept_ra").read_text().strip() == "1"]


def _change_route(command: str, route: Route) -> None:
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        with IPRoute() as kernel:
            kernel.route(command, dst=route.destination, gateway=route.gateway, proto=ROUTE_PROTOCOL)
    except NetlinkError as refused:
        if command == "del" and refused.code == errno.ESRCH:
            return
        hint = ""
        if refused.code == errno.ENETUNREACH:
            hint = "; the node is not on a network of this one: nodes have to be, or another CNI plugin has to route"
        why = f"{refused.args[1] if len(refused.args) > 1 else refused}{hint}"
        raise EdgeError(
            f"{command} route", f"{route.destination} via {route.gateway}", why, outcome=Outcome.NOT_DONE
        ) from refused


def render_masquerade(wanted: Masquerade | None) -> str:
    """A script for nft(8) that replaces the tables of both families in one transaction."""
    lines = []
    for version, family in ((4, "ip"), (6, "ip6")):
        lines += [f"table {family} {TABLE}", f"delete table {family} {TABLE}"]
        if wanted is None:
            continue
        pods, inside = _of_version(wanted.pods, version), _of_version(wanted.inside, version)
        if not pods:
            continue
        unless = f" {family} daddr != {{ {', '.join(inside)} }}" if inside else ""
        lines += [
            f"table {family} {TABLE} {{",
            "  chain postrouting {",
            "    type nat hook postrouting priority srcnat; policy accept;",
            # Not what stays on the node: to the node itself pods come with their own address.
            "    fib daddr type local return",
            f"    {family} saddr {{ {', '.join(pods)} }}{unless} masquerade fully-random",
            "  }",
            "}",
        ]
    return "\n".join(lines) + "\n"


def _of_version(ranges: tuple[str, ...], version: int) -> list[str]:
    """Without those that lie within others: a set of nft's can't hold both."""
    networks = [ipaddress.ip_network(each, strict=False) for each in ranges]
    return [str(each) for each in ipaddress.collapse_addresses(n for n in networks if n.version == version)]  # type: ignore[type-var]


def _accept_forwarding(program: str, ranges: Sequence[str]) -> None:
    """A chain of ours at the top of FORWARD, in iptables' own table: elsewhere accepting does not end its policy."""
    if not xtables.may_look(program, "filter"):
        # Where the table is not, it drops nothing.
        return
    drops, jumps = _forward_chain(program)
    if not (drops and ranges):
        if jumps:
            _iptables(program, "-D", "FORWARD", "-j", FORWARD_CHAIN)
            _iptables(program, "-F", FORWARD_CHAIN)
            _iptables(program, "-X", FORWARD_CHAIN)
        return
    lines = ["*filter", f":{FORWARD_CHAIN} - [0:0]"]
    lines += [f"-A {FORWARD_CHAIN} {side} {each} -j ACCEPT" for each in ranges for side in ("-s", "-d")]
    if not jumps:
        lines.append(f"-I FORWARD 1 -j {FORWARD_CHAIN}")
    run([f"{program}-restore", "--noflush", "-w", "5"], "\n".join([*lines, "COMMIT", ""]), "chain FORWARD")


def _forward_chain(program: str) -> tuple[bool, bool]:
    """Whether FORWARD drops what nobody accepts, and whether it jumps to our chain."""
    try:
        lines = _iptables(program, "-S", "FORWARD")
    except EdgeError:
        # iptables refuses to list what nft(8) wrote there and it has no words for, though it changes it all the same.
        return _forward_chain_by_nft("ip6" if program == "ip6tables" else "ip")
    return "-P FORWARD DROP" in lines, f"-A FORWARD -j {FORWARD_CHAIN}" in lines


def _forward_chain_by_nft(family: str) -> tuple[bool, bool]:
    listed = json.loads(run(("nft", "-j", "list", "chain", family, "filter", "FORWARD"), "", "chain FORWARD"))[
        "nftables"
    ]
    drops = any(each["chain"].get("policy") == "drop" for each in listed if "chain" in each)
    jump = {"jump": {"target": FORWARD_CHAIN}}
    return drops, any(jump in each["rule"]["expr"] for each in listed if "rule" in each)


def _iptables(program: str, *arguments: str) -> list[str]:
    return run([program, "-w", "5", *arguments], "", "chain FORWARD").splitlines()


def _set_sysctl(name: str, value: str) -> None:
    path = Path("/proc/sys") / name
    try:
        if path.read_text().strip() != value:
            path.write_text(value)
    except OSError as failed:
        raise EdgeError("set", name, str(failed), outcome=Outcome.NOT_DONE) from failed
