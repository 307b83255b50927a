"""Real routes, the real CNI plugins, and a Service between pods of one node."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cybernetes.install.programs import place_plugins
from cybernetes.network.objects import Node
from cybernetes.network.plan import CNI_FILE, NetworkConfig, plan

from ..proxy import lab

pytestmark = pytest.mark.privileged

NAMESPACE = "cyb-px-net"
PLUGINS = Path("/usr/lib/cni")


def run(*command: str, stdin: str = "", **environment: str) -> str:
    done = subprocess.run(
        ["ip", "netns", "exec", NAMESPACE, *command],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def node() -> Iterator[str]:
    names = (NAMESPACE, f"{NAMESPACE}-a", f"{NAMESPACE}-b")
    for name in names:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "fabric", "type", "veth", "peer", "name", "far")
        run("ip", "addr", "add", "10.0.0.1/24", "dev", "fabric")
        run("ip", "-6", "addr", "add", "fd00::1/64", "dev", "fabric", "nodad")
        run("ip", "link", "set", "fabric", "up")
        run("ip", "link", "set", "far", "up")
        yield NAMESPACE
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def inside(script: str) -> str:
    """Run a piece of Python in the namespace: threads of this process would stay outside of it."""
    return run(sys.executable, "-c", script, PYTHONPATH=os.pathsep.join(sys.path))


def settings(tmp_path: Path) -> NetworkConfig:
    return NetworkConfig(node="n1", conf_dir=tmp_path / "net.d", state_dir=tmp_path / "state")


def test_routes_are_added_found_again_and_removed(node: str) -> None:
    script = """
import asyncio
from cybernetes.network.links.api import Route
from cybernetes.network.links.netlink import KernelLinks

async def main():
    links = KernelLinks()
    four, six = Route("10.244.2.0/24", "10.0.0.2"), Route("fd01:2::/64", "fd00::2")
    for each in (four, six, four):
        await links.add_route(each)
    assert await KernelLinks().routes() == {four, six}, await links.routes()
    moved = Route("10.244.2.0/24", "10.0.0.3")
    await links.add_route(moved)
    assert await links.routes() == {moved, six}, await links.routes()
    for each in (moved, six, six):
        await links.remove_route(each)
    assert await links.routes() == frozenset()

asyncio.run(main())
"""
    run("ip", "route", "add", "10.99.0.0/16", "via", "10.0.0.9")
    inside(script)
    assert "10.99.0.0/16" in run("ip", "route")


def test_a_node_out_of_reach_is_said_to_be(node: str) -> None:
    script = """
import asyncio
from cybernetes.base.errors import EdgeError
from cybernetes.network.links.api import Route
from cybernetes.network.links.netlink import KernelLinks
try:
    asyncio.run(KernelLinks().add_route(Route("10.244.2.0/24", "172.31.0.2")))
except EdgeError as error:
    print(error)
"""
    assert "not on a network of this one" in inside(script)


def test_masquerading_is_replaced_and_taken_back(node: str) -> None:
    script = """
import asyncio, sys
from cybernetes.network.links.api import Masquerade
from cybernetes.network.links.netlink import KernelLinks

async def main():
    links = KernelLinks()
    await links.masquerade(Masquerade(("10.244.1.0/24", "fd01:1::/64"), ("10.0.0.1/32", "10.244.0.0/16")))
    await links.masquerade(Masquerade(("10.244.1.0/24",), ("10.244.0.0/16",)))
    if sys.argv[1:] == ["remove"]:
        await links.masquerade(None)

asyncio.run(main())
"""
    inside(script)
    shown = run("nft", "list", "ruleset")
    assert shown.count("masquerade") == 1
    assert "table ip6 cybernetes-network" not in shown
    inside(script.replace('sys.argv[1:] == ["remove"]', "True"))
    assert "cybernetes-network" not in run("nft", "list", "ruleset")


def test_pods_are_forwarded_where_the_machine_drops_everything_else(node: str) -> None:
    script = """
import asyncio
from cybernetes.network.links.netlink import KernelLinks
links = KernelLinks()
asyncio.run(links.accept_forwarding(RANGES))
asyncio.run(links.accept_forwarding(RANGES))
"""
    accept = script.replace("RANGES", '("10.244.0.0/16", "10.244.1.0/24", "fd01::/16")')
    inside(accept)
    assert "CYBERNETES" not in run("iptables-save")
    run("iptables", "-P", "FORWARD", "DROP")
    inside(accept)
    saved = run("iptables-save")
    assert saved.count("-A FORWARD -j CYBERNETES-FORWARD") == 1
    assert saved.count("-A CYBERNETES-FORWARD") == 2
    assert "-A CYBERNETES-FORWARD -s 10.244.0.0/16 -j ACCEPT" in saved
    assert "CYBERNETES" not in run("ip6tables-save")
    inside(script.replace("RANGES", "()"))
    assert "CYBERNETES" not in run("iptables-save")


def test_pods_are_forwarded_beside_rules_that_iptables_can_not_list(node: str) -> None:
    run("nft", "add table ip filter")
    run("nft", "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }")
    run("nft", "add rule ip filter FORWARD tcp dport { 80, 443 } meta mark set ct mark accept")
    script = """
import asyncio
from cybernetes.network.links.netlink import KernelLinks
links = KernelLinks()
asyncio.run(links.accept_forwarding(RANGES))
asyncio.run(links.accept_forwarding(RANGES))
"""
    inside(script.replace("RANGES", '("10.244.0.0/16",)'))
    assert run("nft", "list", "chain", "ip", "filter", "FORWARD").count("jump CYBERNETES-FORWARD") == 1
    inside(script.replace("RANGES", "()"))
    kept = run("nft", "list", "table", "ip", "filter")
    assert "CYBERNETES" not in kept
    assert "ct mark" in kept


def test_pods_of_one_node_reach_each_other_and_themselves_by_a_service(node: str, tmp_path: Path) -> None:
    config = settings(tmp_path)
    desired = plan([Node("n1", ("10.244.1.0/24",), ("10.0.0.1",))], config)
    network = json.loads(desired.cni)
    plugins = tmp_path / "bin"
    place_plugins(plugins, PLUGINS)
    pods = {}
    for name in ("a", "b"):
        pair = {**network["plugins"][0], "cniVersion": network["cniVersion"], "name": network["name"]}
        added = run(
            str(plugins / "cybernetes"),
            stdin=json.dumps(pair),
            CNI_COMMAND="ADD",
            CNI_CONTAINERID=f"px-{name}",
            CNI_NETNS=f"/run/netns/{NAMESPACE}-{name}",
            CNI_IFNAME="eth0",
            CNI_PATH=str(plugins),
        )
        pods[name] = json.loads(added)["ips"][0]["address"].partition("/")[0]
    run("ip", "route", "add", "default", "via", "10.0.0.2")
    script = f"""
import asyncio
from cybernetes.network.apply import apply
from cybernetes.network.links.netlink import KernelLinks
from cybernetes.network.objects import Node
from cybernetes.network.plan import Desired, NetworkConfig, plan
from cybernetes.proxy import plan as proxy_plan
from cybernetes.proxy.frame import LocalPods, Settings
from cybernetes.proxy.objects import pack
from cybernetes.proxy.packets.nft import NftPackets
from cybernetes.proxy.select import Selected
from cybernetes.proxy.state import PortView
from pathlib import Path

async def main():
    config = NetworkConfig(node="n1", conf_dir=Path({str(config.conf_dir)!r}), state_dir=Path({str(config.state_dir)!r}))
    await apply(plan([Node("n1", ("10.244.1.0/24",), ("10.0.0.1",))], config), Desired(), KernelLinks(), config.conf_dir)
    targets = tuple(sorted(pack(each) + (8080).to_bytes(2, "big") for each in {list(pods.values())!r}))
    view = PortView("a/b", 6, pack("10.96.0.5"), 80, Selected(targets, targets, targets, targets))
    packets = NftPackets(4)
    await packets.adopt(None, proxy_plan.rules([view], 4, Settings(LocalPods(("10.244.0.0/16",)))))

asyncio.run(main())
"""
    inside(script)
    assert (config.conf_dir / CNI_FILE).exists()
    servers = [lab.serve_name(f"{NAMESPACE}-{name}", name) for name in pods]
    try:
        for name in pods:
            met = {lab.ask(f"{NAMESPACE}-{name}", "10.96.0.5", 80)[0] for _ in range(20)}
            assert met == {"a", "b"}
    finally:
        for stop in servers:
            stop()
