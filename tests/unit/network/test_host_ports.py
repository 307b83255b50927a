"""What is taken back of portmap's chains, and what other programs keep."""

from __future__ import annotations

from cybernetes.install.idle_tables import idle, parse
from cybernetes.network.host_ports import plan_removal

SHARED = """\
-P PREROUTING ACCEPT
-N CNI-HOSTPORT-DNAT
-N CNI-HOSTPORT-MASQ
-N CNI-HOSTPORT-SETMARK
-N DOCKER
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ
-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE
-A CNI-HOSTPORT-SETMARK -j MARK --set-xmark 0x2000/0x2000
-A DOCKER -i docker0 -j RETURN
"""
WHOLE = [
    ":CNI-HOSTPORT-DNAT - [0:0]",
    ":CNI-HOSTPORT-MASQ - [0:0]",
    ":CNI-HOSTPORT-SETMARK - [0:0]",
    "-D PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
    '-D POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ',
    "-X CNI-HOSTPORT-DNAT",
    "-X CNI-HOSTPORT-MASQ",
    "-X CNI-HOSTPORT-SETMARK",
]


def pod(chain: str, network: str) -> str:
    comment = rf'"dnat name: \"{network}\" id: \"abc\""'
    return f"""\
-N {chain}
-A {chain} -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.9.9.2:80
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment {comment} -m multiport --dports 8080 -j {chain}
"""


def test_chains_that_stay_behind_are_removed_with_what_leads_to_them() -> None:
    assert plan_removal(SHARED.splitlines()) == WHOLE


def test_a_pod_that_went_without_a_word_leaves_no_chain() -> None:
    lines = plan_removal((SHARED + pod("CNI-DN-1", "cybernetes")).splitlines())
    assert lines == [":CNI-DN-1 - [0:0]", *WHOLE[:5], "-X CNI-DN-1", *WHOLE[5:]]


def test_pods_of_other_networks_keep_theirs() -> None:
    mixed = SHARED + pod("CNI-DN-1", "cybernetes") + pod("CNI-DN-2", "podman")
    lines = plan_removal(mixed.splitlines())
    assert [line.split()[:2] for line in lines] == [
        [":CNI-DN-1", "-"],
        ["-D", "CNI-HOSTPORT-DNAT"],
        ["-X", "CNI-DN-1"],
    ]


def test_a_table_without_host_ports_is_left_alone() -> None:
    assert plan_removal(["-P PREROUTING ACCEPT", "-N DOCKER", "-A PREROUTING -j DOCKER"]) == []


def test_base_chains_with_rules_or_a_policy_are_not_idle() -> None:
    tables = parse(
        "# Generated\n*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:DOCKER - [0:0]\n"
        "-A PREROUTING -j DOCKER\nCOMMIT\n*filter\n:FORWARD DROP [0:0]\nCOMMIT\n"
    )
    assert {table: idle(lines) for table, lines in tables.items()} == {"nat": ["OUTPUT"], "filter": []}
