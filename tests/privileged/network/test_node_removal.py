"""What `down` leaves of a node in the machine's own network, beside rules of other programs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cybernetes.install.programs import place_plugins
from cybernetes.network.plan import NetworkConfig, render_cni

pytestmark = pytest.mark.privileged

NODE, POD = "cyb-removal-node", "cyb-removal-pod"
MACHINES = Path("/usr/lib/cni")
PORTS = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]


@pytest.fixture(autouse=True)
def namespaces() -> Iterator[None]:
    for name in (NODE, POD):
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield
    finally:
        for name in (NODE, POD):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def run(*command: str, stdin: str = "", **environment: str) -> str:
    """In the node's network, as its programs are."""
    entered = ["nsenter", f"--net=/run/netns/{NODE}", *command]
    environment = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(entered, input=stdin, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def python(script: str) -> str:
    return run(sys.executable, "-c", script)


def remove(tmp_path: Path) -> None:
    python(f"""
from pathlib import Path
from cybernetes.install.network_removal import remove_network
from cybernetes.run.config import NodeConfig
from cybernetes.run.layout import Layout
remove_network(NodeConfig("n", "192.0.2.1"), Layout(Path({str(tmp_path)!r})).node("n"))
""")


def add_pod_with_host_port(tmp_path: Path) -> None:
    place_plugins(tmp_path / "bin", MACHINES)
    config = NetworkConfig(node="n", conf_dir=tmp_path, state_dir=tmp_path / "state")
    shown = json.loads(render_cni(("10.244.1.0/24", "fd01:1::/64"), config))
    given = {"cniVersion": shown["cniVersion"], "name": shown["name"], **shown["plugins"][0]}
    run(
        str(tmp_path / "bin" / "cybernetes"),
        stdin=json.dumps({**given, "runtimeConfig": {"portMappings": PORTS}}),
        CNI_COMMAND="ADD",
        CNI_CONTAINERID="p",
        CNI_NETNS=f"/run/netns/{POD}",
        CNI_IFNAME="eth0",
        CNI_PATH=str(tmp_path / "bin"),
    )


def install_iptables_mode() -> None:
    python("""
import asyncio
from cybernetes.proxy.frame import Settings
from cybernetes.proxy.packets.iptables import IptablesDataplane
for family in (4, 6):
    asyncio.run(IptablesDataplane(family).install([], Settings(), lambda key: None))
""")


@pytest.mark.skipif(not (MACHINES / "portmap").exists(), reason="CNI plugins are not installed")
def test_no_chain_stays_of_pods_that_are_not_there_any_more(tmp_path: Path) -> None:
    run("ip", "link", "set", "lo", "up")
    add_pod_with_host_port(tmp_path)
    install_iptables_mode()
    ruleset = run("nft", "list", "ruleset")
    assert "CNI-HOSTPORT-DNAT" in ruleset and "KUBE-SERVICES" in ruleset
    remove(tmp_path)
    assert run("nft", "list", "ruleset") == ""


def test_localhost_is_not_left_open_without_the_rule_that_guards_it(tmp_path: Path) -> None:
    localhost = ("cat", "/proc/sys/net/ipv4/conf/all/route_localnet")
    install_iptables_mode()
    assert run(*localhost) == "1\n"
    remove(tmp_path)
    assert run(*localhost) == "0\n"


def test_rules_of_other_programs_stay_and_no_table_is_made(tmp_path: Path) -> None:
    run("iptables", "-t", "nat", "-N", "DOCKER")
    run("iptables", "-t", "nat", "-A", "PREROUTING", "-m", "addrtype", "--dst-type", "LOCAL", "-j", "DOCKER")
    run("iptables", "-P", "FORWARD", "DROP")
    before = run("nft", "list", "ruleset")
    install_iptables_mode()
    remove(tmp_path)
    assert run("iptables-save") != "" and "KUBE" not in run("iptables-save")
    assert sorted(run("nft", "list", "ruleset").split()) == sorted(before.split())
    for family in ("ip", "ip6"):
        assert run("cat", f"/proc/self/net/{family}_tables_names") == ""


def test_looking_for_rules_makes_no_legacy_table(tmp_path: Path) -> None:
    """Every packet would go through it until the machine starts anew."""
    legacy = shutil.which("xtables-legacy-multi")
    assert legacy is not None
    for program in ("iptables", "ip6tables"):
        for name in (program, f"{program}-save", f"{program}-restore"):
            (tmp_path / "path").mkdir(exist_ok=True)
            (tmp_path / "path" / name).symlink_to(legacy)
    script = """
import asyncio
from cybernetes.network.links.netlink import KernelLinks
from cybernetes.proxy.packets.switch import leave_iptables, leave_other_variant
asyncio.run(KernelLinks().accept_forwarding(("10.244.0.0/16", "fd01::/16")))
assert not asyncio.run(leave_iptables((4, 6)))
assert not asyncio.run(leave_other_variant((4, 6)))
"""
    run(sys.executable, "-c", script, PATH=f"{tmp_path / 'path'}:{os.environ['PATH']}")
    for family in ("ip", "ip6"):
        assert run("cat", f"/proc/self/net/{family}_tables_names") == ""
