"""The same packets through iptables."""

from __future__ import annotations

import concurrent.futures
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from . import lab
from .test_nft_kernel import EXTERNAL, VIP, answers

pytestmark = pytest.mark.privileged

# Commands of iptables run in the namespace of the process that starts them, so the plane needs one of its own.
DRIVER = """
import asyncio, json, sys
from cybernetes.proxy.frame import LocalPods, Settings
from cybernetes.proxy.objects import pack
from cybernetes.proxy.packets.iptables import IptablesDataplane
from cybernetes.proxy.select import Selected
from cybernetes.proxy.state import PortView

async def main():
    given = json.loads(sys.argv[1])
    family = given["family"]
    ranges = ("10.96.0.0/12", "fd96::/112")
    pods = LocalPods(("10.77.0.0/16", "fd77::/16"))
    node = tuple(map(pack, given["node"]))
    node_ports = None if given["everywhere"] else node
    settings = Settings(pods, nodeport_ips=node_ports, node_ips=node, service_ranges=ranges)
    plane = IptablesDataplane(family)
    last = {}
    for number, views in enumerate(given["steps"]):
        made = {}
        for each in views:
            each = dict(each)
            lists = {name: tuple(pack(a) + (8080).to_bytes(2, "big") for a in each.pop(name, ())) for name in ("cluster", "local")}
            for name in ("cluster_ip",):
                each[name] = pack(each[name])
            for name in ("external_ips", "ingress_ips"):
                each[name] = tuple(map(pack, each.get(name, ())))
            each["source_ranges"] = tuple(each.get("source_ranges", ()))
            selected = Selected(lists["cluster"], lists["local"], lists["local"], lists["cluster"])
            view = PortView(**each, selected=selected)
            made[view.key] = view
        if number == 0:
            await plane.install(made.values(), settings, lambda key: None)
        else:
            await plane.change({**dict.fromkeys(last), **made}, lambda key: None)
        last = made
    assert await plane.intact()
    if given.get("remove"):
        await plane.remove()
        assert not await plane.intact()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def machines() -> Iterator[lab.Lab]:
    with lab.Lab(pods=2) as made:
        for family, address in EXTERNAL.items():
            lab.run("ip", f"-{family}", "route", "add", address, "dev", "lo", namespace=lab.NODE)
        yield made


@pytest.fixture(params=[4, 6])
def family(request: pytest.FixtureRequest, machines: lab.Lab) -> Iterator[int]:
    yield int(request.param)
    drive(int(request.param), [], remove=True)
    lab.run("conntrack", "-F", namespace=lab.NODE)


def drive(family: int, *steps: list[dict[str, object]], remove: bool = False, everywhere: bool = False) -> None:
    """Install the first step's service ports, then change to each of the next.

    everywhere  node ports on all local addresses
    """
    given = {
        "family": family,
        "steps": steps,
        "node": list(lab.NODE_IP.values()),
        "remove": remove,
        "everywhere": everywhere,
    }
    done = subprocess.run(
        ["ip", "netns", "exec", lab.NODE, sys.executable, "-c", DRIVER, json.dumps(given)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr


def view(family: int, *pods: int, **further: object) -> dict[str, object]:
    addresses = [lab.pod_ip(number, family) for number in pods]
    return {
        "name": "default/web:http",
        "protocol": 6,
        "cluster_ip": VIP[family],
        "port": 80,
        "cluster": addresses,
        "local": addresses,
        **further,
    }


def test_cluster_addresses_and_node_ports_spread_connections(family: int) -> None:
    drive(family, [view(family, 1, 2, node_port=30080)])
    assert answers(lab.CLIENT, VIP[family], 80) == {"pod1", "pod2"}
    assert answers(lab.pod(1), VIP[family], 80) == {"pod1", "pod2"}
    assert answers(lab.NODE, VIP[family], 80) == {"pod1", "pod2"}
    assert answers(lab.CLIENT, lab.NODE_IP[family], 30080) == {"pod1", "pod2"}


def test_endpoints_of_other_nodes_are_spread_over_without_chains_of_their_own(family: int) -> None:
    drive(family, [view(family, 1, 2, local=[])])
    assert answers(lab.CLIENT, VIP[family], 80) == {"pod1", "pod2"}
    assert "KUBE-SEP-" not in lab.run("ip6tables-save" if family == 6 else "iptables-save", namespace=lab.NODE)


def test_what_comes_from_outside_the_cluster_is_masqueraded_and_pods_are_not(family: int) -> None:
    drive(family, [view(family, 2)])
    assert lab.ask(lab.CLIENT, VIP[family], 80)[1] not in (lab.CLIENT_IP[family], "")
    assert lab.ask(lab.pod(1), VIP[family], 80) == ("pod2", lab.pod_ip(1, family))


def test_a_pod_that_reaches_itself_is_masqueraded(family: int) -> None:
    drive(family, [view(family, 1)])
    name, seen = lab.ask(lab.pod(1), VIP[family], 80)
    assert name == "pod1"
    assert seen != lab.pod_ip(1, family)


def test_udp_is_spread_too(family: int) -> None:
    drive(family, [view(family, 1, 2, protocol=17)])
    assert answers(lab.CLIENT, VIP[family], 80, udp=True) == {"pod1", "pod2"}


def test_internal_policy_local_stays_on_the_node(family: int) -> None:
    here = {"internal_local": True, "local": [lab.pod_ip(2, family)]}
    drive(family, [view(family, 1, 2, **here)], [view(family, 1, 2, **here, port=81)])
    assert answers(lab.pod(1), VIP[family], 81) == {"pod2"}
    drive(family, [view(family, 1, internal_local=True, local=[])])
    with pytest.raises(TimeoutError):
        lab.ask(lab.pod(2), VIP[family], 80, timeout_s=0.3)


def test_external_addresses_lead_to_all_endpoints_under_policy_cluster(family: int) -> None:
    for kind in ("external_ips", "ingress_ips"):
        drive(family, [view(family, 1, 2, local=[], **{kind: [EXTERNAL[family]]})])
        assert answers(lab.CLIENT, EXTERNAL[family], 80) == {"pod1", "pod2"}
        assert lab.ask(lab.CLIENT, EXTERNAL[family], 80)[1] != lab.CLIENT_IP[family]


def test_node_ports_answer_on_every_local_address_and_on_localhost(family: int) -> None:
    drive(family, [view(family, 1, 2, node_port=30080)], everywhere=True)
    assert answers(lab.CLIENT, lab.NODE_IP[family], 30080) == {"pod1", "pod2"}
    if family == 4:
        assert answers(lab.NODE, "127.0.0.1", 30080) == {"pod1", "pod2"}
    else:
        # Nothing of ::1 can leave the loopback interface.
        with pytest.raises(ConnectionRefusedError):
            lab.ask(lab.NODE, "::1", 30080)


def test_no_connection_is_lost_while_endpoints_change_and_the_proxy_starts_again(family: int) -> None:
    steps = [[view(family, *pods, local=[])] for pods in ((1,), (1, 2), (2,)) * 4]
    with concurrent.futures.ThreadPoolExecutor(1) as background:
        drive(family, steps[-1])
        changing = background.submit(drive, family, *steps)
        answered, wrong = lab.ask_until(changing.done, lab.CLIENT, VIP[family], 80)
        changing.result()
    assert wrong == []
    assert answered > len(steps)


def test_external_policy_local_keeps_the_source(family: int) -> None:
    further = {"node_port": 30080, "external_local": True, "external_ips": [EXTERNAL[family]]}
    drive(family, [view(family, 1, 2, **{**further, "local": [lab.pod_ip(2, family)]})])
    for address, port in ((lab.NODE_IP[family], 30080), (EXTERNAL[family], 80)):
        assert {lab.ask(lab.CLIENT, address, port) for _ in range(8)} == {("pod2", lab.CLIENT_IP[family])}
        assert answers(lab.pod(2), address, port) == {"pod1", "pod2"}
        assert answers(lab.NODE, address, port) == {"pod1", "pod2"}


def test_changes_are_followed_and_chains_that_nothing_needs_go(family: int) -> None:
    drive(family, [view(family, 1)], [view(family, 2)])
    assert answers(lab.CLIENT, VIP[family], 80, 6) == {"pod2"}
    drive(family, [view(family, 1)], [view(family, 1, local=[])])
    assert answers(lab.CLIENT, VIP[family], 80, 6) == {"pod1"}
    assert "KUBE-SEP-" not in lab.run("ip6tables-save" if family == 6 else "iptables-save", namespace=lab.NODE)
    drive(family, [view(family, 1)], [])
    saved = lab.run("ip6tables-save" if family == 6 else "iptables-save", namespace=lab.NODE)
    assert "KUBE-SEP-" not in saved
    assert "KUBE-SVC-" not in saved


def test_without_endpoints_connections_are_refused(family: int) -> None:
    drive(family, [view(family, 1, node_port=30080)], [view(family, node_port=30080)])
    errors = lab.icmp_errors(lab.CLIENT)
    with pytest.raises(ConnectionRefusedError):
        lab.ask(lab.CLIENT, VIP[family], 80)
    assert lab.icmp_errors(lab.CLIENT) == errors
    with pytest.raises(ConnectionRefusedError):
        lab.ask(lab.CLIENT, lab.NODE_IP[family], 30080)


def test_affinity_holds(family: int) -> None:
    drive(family, [view(family, 1, 2, affinity_s=100)])
    assert len(answers(lab.CLIENT, VIP[family], 80, 12)) == 1


def test_source_ranges_close_the_load_balancer_address(family: int) -> None:
    outside = {4: "203.0.113.0/24", 6: "fd99::/64"}[family]
    given = view(family, 1, ingress_ips=[EXTERNAL[family]], source_ranges=[outside])
    drive(family, [given])
    with pytest.raises(TimeoutError):
        lab.ask(lab.CLIENT, EXTERNAL[family], 80, timeout_s=0.3)
    own = f"{lab.CLIENT_IP[family]}/{32 if family == 4 else 128}"
    drive(family, [{**given, "source_ranges": [outside, own]}])
    assert lab.ask(lab.CLIENT, EXTERNAL[family], 80)[0] == "pod1"


def test_installing_twice_adds_no_second_jump(family: int) -> None:
    drive(family, [view(family, 1)])
    drive(family, [view(family, 1)])
    saved = lab.run("ip6tables-save" if family == 6 else "iptables-save", namespace=lab.NODE)
    jumps = [line.split()[-1] for line in saved.splitlines() if line.startswith("-A PREROUTING")]
    assert jumps == ["KUBE-CLUSTER-MASQ", "KUBE-SERVICES"]
    assert saved.count("-A FORWARD") == 4


def test_jumps_that_somebody_took_away_come_back_in_order(family: int) -> None:
    drive(family, [view(family, 2)])
    program = "ip6tables" if family == 6 else "iptables"
    lab.run(program, "-t", "nat", "-D", "PREROUTING", "2", namespace=lab.NODE)
    drive(family, [view(family, 2)])
    saved = lab.run(f"{program}-save", "-t", "nat", namespace=lab.NODE)
    jumps = [line.split()[-1] for line in saved.splitlines() if line.startswith("-A PREROUTING")]
    assert jumps == ["KUBE-CLUSTER-MASQ", "KUBE-SERVICES"]
    assert lab.ask(lab.CLIENT, VIP[family], 80)[1] != lab.CLIENT_IP[family]


def test_removal_leaves_no_trace_and_foreign_rules_stay(family: int) -> None:
    program = "ip6tables" if family == 6 else "iptables"
    lab.run(program, "-A", "FORWARD", "-p", "tcp", "-j", "ACCEPT", namespace=lab.NODE)
    drive(family, [view(family, 1, node_port=30080)], remove=True)
    saved = lab.run(f"{program}-save", namespace=lab.NODE)
    assert "KUBE" not in saved
    assert "-A FORWARD -p tcp -j ACCEPT" in saved
    lab.run(program, "-D", "FORWARD", "-p", "tcp", "-j", "ACCEPT", namespace=lab.NODE)


def test_a_restart_writes_only_chains_that_are_not_right(family: int) -> None:
    given = [view(family, 1, 2, node_port=30080, external_local=True), view(family, 1, name="a/b", port=81)]
    drive(family, given)
    program = "ip6tables" if family == 6 else "iptables"
    before = _own_chains(program)
    assert before
    lab.run(program, "-t", "nat", "-F", min(before), namespace=lab.NODE)
    drive(family, given)
    assert _own_chains(program) == before


def test_the_rules_of_the_mode_that_is_not_used_go(family: int) -> None:
    script = f"""
import asyncio
from cybernetes.proxy import plan
from cybernetes.proxy.frame import Settings
from cybernetes.proxy.packets.nft import NftPackets
from cybernetes.proxy.packets.switch import leave_iptables, leave_nftables

async def main():
    assert await leave_iptables([{family}])
    assert not await leave_iptables([{family}])
    packets = NftPackets({family})
    await packets.adopt(None, plan.rules([], {family}, Settings()))
    assert await leave_nftables([{family}])
    assert not await leave_nftables([{family}])

asyncio.run(main())
"""
    drive(family, [view(family, 1)])
    path = os.pathsep.join(sys.path)
    lab.run("env", f"PYTHONPATH={path}", sys.executable, "-c", script, namespace=lab.NODE)
    program = "ip6tables" if family == 6 else "iptables"
    assert "KUBE-" not in lab.run(f"{program}-save", namespace=lab.NODE)


def test_the_rules_of_the_variant_that_is_not_the_machine_s_go(family: int) -> None:
    script = f"""
import asyncio, subprocess
from cybernetes.proxy.frame import Settings
from cybernetes.proxy.packets.iptables import IptablesDataplane
from cybernetes.proxy.packets.switch import leave_iptables, leave_other_variant

chosen = subprocess.run(["iptables", "--version"], capture_output=True, text=True).stdout
other = "legacy" if "nf_tables" in chosen else "nft"

async def main():
    assert not await leave_other_variant([{family}])
    await IptablesDataplane({family}, other).install([], Settings(), lambda key: None)
    assert await leave_other_variant([{family}])
    assert not await leave_other_variant([{family}])
    await IptablesDataplane({family}, other).install([], Settings(), lambda key: None)
    assert await leave_iptables([{family}])
    assert not await leave_iptables([{family}])

asyncio.run(main())
"""
    path = os.pathsep.join(sys.path)
    lab.run("env", f"PYTHONPATH={path}", sys.executable, "-c", script, namespace=lab.NODE)


def _own_chains(program: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in lab.run(f"{program}-save", "-t", "nat", namespace=lab.NODE).splitlines():
        if line.startswith(("-A KUBE-SEP-", "-A KUBE-SVC-")):
            found.setdefault(line.split()[1], []).append(line)
    return found
