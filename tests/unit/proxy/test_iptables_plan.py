"""Service ports as iptables chains: kube-proxy's names, and what iptables-save makes of them."""

from __future__ import annotations

import pytest

from cybernetes.native import iptext
from cybernetes.proxy.frame import LocalPods, Settings
from cybernetes.proxy.objects import pack
from cybernetes.proxy.packets import iptables
from cybernetes.proxy.packets.iptables_plan import (
    CLUSTER_MASQ,
    DNAT,
    FILTER,
    JUMP,
    NAT,
    NODEPORTS,
    TEMPLATES,
    PortChains,
    chain_hash,
    fixed_chains,
    port_chains,
)
from cybernetes.proxy.select import Selected
from cybernetes.proxy.state import PortView

SETTINGS = Settings(LocalPods(("10.244.0.0/16",)))


def view(*addresses: str, **further: object) -> PortView:
    targets = tuple(pack(each) + (8080).to_bytes(2, "big") for each in addresses)
    given: dict[str, object] = {
        "name": "shop/web:http",
        "protocol": 6,
        "cluster_ip": pack("10.96.0.5"),
        "port": 80,
        "selected": Selected(targets, targets, targets, targets),
    }
    return PortView(**{**given, **further})  # type: ignore[arg-type]


def text(chains: PortChains) -> list[str]:
    lines = [line for own in chains.own.values() for line in own]
    words = "".join(f"{word}\0" for _, line in lines for word in line).encode()
    return iptext.render(TEMPLATES, bytes(kind for kind, _ in lines), words).decode().splitlines()


def elsewhere(*addresses: str, **further: object) -> PortView:
    """The same, with all endpoints on other nodes."""
    targets = tuple(pack(each) + (8080).to_bytes(2, "big") for each in addresses)
    return view(**{"selected": Selected(cluster=targets, serving=targets), **further})


def test_chain_names_are_hashes_of_the_port_s_name_and_protocol() -> None:
    chains = port_chains(view("10.244.1.2"), SETTINGS, comments=True)
    assert f"KUBE-SVC-{chain_hash('shop/web:httptcp')}" in chains.own
    assert f"KUBE-SEP-{chain_hash('shop/web:httptcp10.244.1.2:8080')}" in chains.own
    assert len(chain_hash("x")) == 16


def test_a_service_s_chain_masquerades_outsiders_then_draws_lots() -> None:
    chains = port_chains(view("10.244.1.2", "10.244.1.3", "10.244.1.4"), SETTINGS, comments=True)
    svc = chains.own[f"KUBE-SVC-{chain_hash('shop/web:httptcp')}"]
    assert [kind for kind, _ in svc] == [JUMP] * 4
    lines = [line for line in text(chains) if line.startswith("-A KUBE-SVC")]
    assert '--comment "shop/web:http cluster IP" -m tcp -p tcp -d 10.96.0.5 --dport 80 ! -s 10.244.0.0/16' in lines[0]
    assert "--probability 0.3333333333 -j KUBE-SEP-" in lines[1]
    assert "--probability 0.5000000000 -j KUBE-SEP-" in lines[2]
    assert '--comment "shop/web:http -> 10.244.1.4:8080" -j KUBE-SEP-' in lines[3]


def test_an_endpoint_s_chain_marks_hairpins_and_rewrites() -> None:
    lines = [line for line in text(port_chains(view("10.244.1.2"), SETTINGS, comments=False)) if "KUBE-SEP" in line]
    sep = f"KUBE-SEP-{chain_hash('shop/web:httptcp10.244.1.2:8080')}"
    assert lines[:2] == [
        f"-A {sep} -s 10.244.1.2 -j KUBE-MARK-MASQ",
        f"-A {sep} -p tcp -j DNAT --to-destination 10.244.1.2:8080",
    ]


def test_an_endpoint_of_another_node_needs_no_chain_of_its_own() -> None:
    chains = port_chains(elsewhere("10.244.9.2", "10.244.9.3"), SETTINGS, comments=True)
    svc = f"KUBE-SVC-{chain_hash('shop/web:httptcp')}"
    assert list(chains.own) == [svc]
    assert [kind for kind, _ in chains.own[svc]] == [JUMP, DNAT, DNAT]
    assert text(chains)[1:] == [
        f'-A {svc} -m comment --comment "shop/web:http -> 10.244.9.2:8080" '
        "-m statistic --mode random --probability 0.5000000000 -p tcp -j DNAT --to-destination 10.244.9.2:8080",
        f'-A {svc} -m comment --comment "shop/web:http -> 10.244.9.3:8080" '
        "-p tcp -j DNAT --to-destination 10.244.9.3:8080",
    ]


def test_affinity_needs_a_chain_for_every_endpoint() -> None:
    chains = port_chains(elsewhere("10.244.9.2", "10.244.9.3", affinity_s=60), SETTINGS, comments=False)
    assert sum(name.startswith("KUBE-SEP-") for name in chains.own) == 2


def test_one_rule_masquerades_for_all_cluster_addresses_of_the_ranges() -> None:
    settings = Settings(SETTINGS.local_pods, service_ranges=("10.96.0.0/12", "fd96::/112"))
    assert fixed_chains(4, settings)[NAT][CLUSTER_MASQ] == (
        (JUMP, (CLUSTER_MASQ, "-d 10.96.0.0/12 ! -s 10.244.0.0/16 ", "KUBE-MARK-MASQ")),
    )
    svc = f"KUBE-SVC-{chain_hash('shop/web:httptcp')}"
    assert [kind for kind, _ in port_chains(elsewhere("10.244.9.2"), settings, comments=False).own[svc]] == [DNAT]
    other = port_chains(elsewhere("10.244.9.2", cluster_ip=pack("172.30.0.5")), settings, comments=False)
    assert [kind for kind, _ in other.own[svc]] == [JUMP, DNAT]


def test_masquerading_all_takes_pods_too() -> None:
    settings = Settings(SETTINGS.local_pods, masquerade_all=True, service_ranges=("10.96.0.0/12",))
    assert fixed_chains(4, settings)[NAT][CLUSTER_MASQ] == (
        (JUMP, (CLUSTER_MASQ, "-d 10.96.0.0/12 ", "KUBE-MARK-MASQ")),
    )
    lines = text(port_chains(elsewhere("10.244.9.2"), Settings(masquerade_all=True), comments=False))
    assert lines[0].endswith("-m tcp -p tcp -d 10.96.0.5 --dport 80 -j KUBE-MARK-MASQ")


def test_affinity_looks_at_who_was_here_before() -> None:
    lines = text(port_chains(view("10.244.1.2", affinity_s=60), SETTINGS, comments=False))
    sep = f"KUBE-SEP-{chain_hash('shop/web:httptcp10.244.1.2:8080')}"
    assert any(f"-m recent --name {sep} --rcheck --seconds 60 --reap -j {sep}" in line for line in lines)
    assert any(f"-m recent --name {sep} --set -p tcp -j DNAT" in line for line in lines)


def test_no_endpoints_reject_and_none_local_drops() -> None:
    none = port_chains(view(node_port=30080), SETTINGS, comments=True)
    assert none.own == {}
    reset = "REJECT --reject-with tcp-reset"
    assert ("filter", "KUBE-SERVICES", reset) in {(t, c, to) for t, c, _, to in none.shared}
    elsewhere = Selected(cluster=(pack("10.244.9.9") + b"\x1f\x90",))
    remote = port_chains(view(selected=elsewhere, node_port=30080, external_local=True), SETTINGS, comments=True)
    dropped = [match for _, chain, match, to in remote.shared if (chain, to) == ("KUBE-EXTERNAL-SERVICES", "DROP")]
    assert dropped == [
        '-m comment --comment "shop/web:http has no local endpoints" -m addrtype --dst-type LOCAL '
        "-m tcp -p tcp --dport 30080 "
    ]


def test_protocols_are_named_in_every_line() -> None:
    for number, name in ((17, "udp"), (132, "sctp")):
        chains = port_chains(elsewhere("10.244.9.2", protocol=number), SETTINGS, comments=False)
        assert text(chains)[-1].endswith(f"-p {name} -j DNAT --to-destination 10.244.9.2:8080")
        assert chains.shared[0][2] == f"-m {name} -p {name} -d 10.96.0.5 --dport 80 "


def test_load_balancers_may_ask_for_health_under_policy_local_only() -> None:
    def accepted(**further: object) -> list[str]:
        chains = port_chains(
            view("10.244.1.2", node_port=30080, health_port=31000, **further), SETTINGS, comments=False
        )
        return [
            match for table, chain, match, to in chains.shared if (table, chain, to) == (FILTER, NODEPORTS, "ACCEPT")
        ]

    assert accepted(external_local=True) == ["-m tcp -p tcp --dport 31000 "]
    assert accepted() == []


@pytest.mark.parametrize(("family", "loopback"), [(4, "127.0.0.0/8"), (6, "::1/128")])
def test_what_is_there_whatever_services_exist(family: int, loopback: str) -> None:
    chains = fixed_chains(family, Settings(masquerade_bit=14))
    assert set(chains[FILTER]) == {
        *("KUBE-FORWARD", "KUBE-FIREWALL", "KUBE-NODEPORTS", "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES"),
        *("KUBE-PROXY-FIREWALL", "KUBE-PROXY-CANARY"),
    }
    postrouting = [words for _, words in chains[NAT]["KUBE-POSTROUTING"]]
    assert postrouting[0] == ("KUBE-POSTROUTING", "-m mark ! --mark 0x4000/0x4000 ", "RETURN")
    assert postrouting[1][2] == "MARK --xor-mark 0x4000"
    assert postrouting[2][2] == "MASQUERADE --random-fully"
    assert f"! -s {loopback} -d {loopback} " in chains[FILTER]["KUBE-FIREWALL"][0][1][1]
    assert [words[2] for _, words in chains[FILTER]["KUBE-FORWARD"]] == ["DROP", "ACCEPT", "ACCEPT"]


def test_node_ports_are_on_every_local_address_unless_some_are_chosen() -> None:
    def matches(family: int, settings: Settings) -> list[str]:
        return [words[1].rpartition('" ')[2] for _, words in fixed_chains(family, settings)[NAT]["KUBE-SERVICES"]]

    assert matches(4, Settings()) == ["-m addrtype --dst-type LOCAL "]
    assert matches(6, Settings()) == ["-m addrtype --dst-type LOCAL ! -d ::1/128 "]
    assert matches(4, Settings(nodeport_ips=(pack("10.0.0.1"), pack("fd02::1")))) == ["-d 10.0.0.1 "]


def test_rules_are_recognized_as_iptables_save_prints_them() -> None:
    chains = port_chains(view("10.244.1.2", "10.244.1.3"), SETTINGS, comments=True)
    name = f"KUBE-SVC-{chain_hash('shop/web:httptcp')}"
    first, second = (f"KUBE-SEP-{chain_hash(f'shop/web:httptcp10.244.1.{n}:8080')}" for n in (2, 3))
    saved = [
        f'-A {name} ! -s 10.244.0.0/16 -d 10.96.0.5/32 -p tcp -m comment --comment "shop/web:http cluster IP" '
        "-m tcp --dport 80 -j KUBE-MARK-MASQ",
        f'-A {name} -m comment --comment "shop/web:http -> 10.244.1.2:8080" -m statistic --mode random '
        f"--probability 0.50000000000 -j {first}",
        f'-A {name} -m comment --comment "shop/web:http -> 10.244.1.3:8080" -j {second}',
    ]
    there = iptables._rules_of(saved)
    assert not iptables._differs(chains.own[name], there[name])
    assert iptables._differs(chains.own[name], there[name][:2])
    assert iptables._differs(chains.own[name][:2], there[name][1:])
