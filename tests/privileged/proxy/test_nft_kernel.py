"""Packets through the real kernel: what the interpreter is told in unit tests, nf_tables has to do."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import socket
import struct
from collections.abc import Iterator

import pytest

from cybernetes.base.errors import EdgeError
from cybernetes.proxy.diff import Delta, Ledger
from cybernetes.proxy.frame import LocalPods, Settings
from cybernetes.proxy.objects import pack
from cybernetes.proxy.packets.nft import NftPackets
from cybernetes.proxy.rules import SERVICE_IPS
from cybernetes.proxy.select import Selected
from cybernetes.proxy.shapes import Kind, Shape
from cybernetes.proxy.state import PortView

from . import lab

pytestmark = pytest.mark.privileged

VIP = {4: "10.96.0.5", 6: "fd96::5"}
OTHER_VIP = {4: "10.96.0.6", 6: "fd96::6"}
EXTERNAL = {4: "198.51.100.9", 6: "fd98::9"}
NETLINK_NETFILTER, NEWS_OF_TABLES = 12, 1 << 6
NEW_CHAIN, NEW_ELEMENTS = 10 << 8 | 3, 10 << 8 | 12


@pytest.fixture(scope="module")
def machines() -> Iterator[lab.Lab]:
    with lab.Lab(pods=2) as made:
        for family, address in EXTERNAL.items():
            lab.run("ip", f"-{family}", "route", "add", address, "dev", "lo", namespace=lab.NODE)
        yield made


@pytest.fixture(params=[4, 6])
def family(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def kernel(machines: lab.Lab, family: int) -> Iterator[Kernel]:
    with lab.inside(lab.NODE):
        packets = NftPackets(family)
    made = Kernel(packets, family)
    yield made
    asyncio.run(packets.remove())
    asyncio.run(packets.close())
    lab.run("conntrack", "-F", namespace=lab.NODE)


class Kernel:
    def __init__(self, packets: NftPackets, family: int) -> None:
        self.packets = packets
        settings = Settings(
            LocalPods(lab.POD_RANGES),
            nodeport_ips=tuple(pack(each) for each in lab.NODE_IP.values()),
            node_ips=tuple(pack(each) for each in lab.NODE_IP.values()),
            service_ranges=("10.96.0.0/12", "fd96::/112"),
        )
        self.ledger = Ledger(family, settings)

    def install(self, *views: PortView) -> None:
        self.ledger.change({view.key: view for view in views}, lambda key: None)
        asyncio.run(self._adopt())

    async def _adopt(self) -> None:
        await self.packets.adopt(await self.packets.dump(), self.ledger.rule_set())

    def change(self, key: str, view: PortView | None) -> Delta:
        delta = self.ledger.change({key: view}, lambda other: None)
        asyncio.run(self.packets.commit(delta))
        return delta


def target(number: int, family: int) -> bytes:
    return pack(lab.pod_ip(number, family)) + lab.PORT.to_bytes(2, "big")


def view(family: int, *pods: int, **further: object) -> PortView:
    targets = tuple(target(number, family) for number in pods)
    given: dict[str, object] = {
        "name": "default/web:http",
        "protocol": 6,
        "cluster_ip": pack(VIP[family]),
        "port": 80,
        "selected": Selected(cluster=targets, local=targets, on_node=targets, serving=targets),
    }
    return PortView(**{**given, **further})  # type: ignore[arg-type]


def answers(namespace: str, address: str, port: int, times: int = 24, *, udp: bool = False) -> set[str]:
    return {lab.ask(namespace, address, port, udp=udp)[0] for _ in range(times)}


def test_a_cluster_address_spreads_connections_over_all_endpoints(kernel: Kernel, family: int) -> None:
    kernel.install(view(family, 1, 2))
    assert answers(lab.CLIENT, VIP[family], 80) == {"pod1", "pod2"}
    assert answers(lab.pod(1), VIP[family], 80) == {"pod1", "pod2"}
    assert answers(lab.NODE, VIP[family], 80) == {"pod1", "pod2"}


def test_udp_is_spread_too(kernel: Kernel, family: int) -> None:
    kernel.install(view(family, 1, 2, protocol=17))
    assert answers(lab.CLIENT, VIP[family], 80, udp=True) == {"pod1", "pod2"}


def test_a_pod_that_reaches_itself_is_masqueraded_so_that_the_answer_finds_its_way(kernel: Kernel, family: int) -> None:
    kernel.install(view(family, 1))
    name, seen = lab.ask(lab.pod(1), VIP[family], 80)
    assert name == "pod1"
    assert seen != lab.pod_ip(1, family)


def test_traffic_between_pods_keeps_its_source_and_traffic_from_outside_gets_the_node_s(
    kernel: Kernel, family: int
) -> None:
    kernel.install(view(family, 2))
    assert lab.ask(lab.pod(1), VIP[family], 80) == ("pod2", lab.pod_ip(1, family))
    assert lab.ask(lab.CLIENT, VIP[family], 80)[1] not in (lab.CLIENT_IP[family], "")


def test_a_node_port_is_reached_from_outside_on_the_node_s_address(kernel: Kernel, family: int) -> None:
    kernel.install(view(family, 1, 2, node_port=30080))
    assert answers(lab.CLIENT, lab.NODE_IP[family], 30080) == {"pod1", "pod2"}
    assert answers(lab.NODE, lab.NODE_IP[family], 30080) == {"pod1", "pod2"}


def test_external_policy_local_keeps_the_source_and_uses_endpoints_of_this_node(kernel: Kernel, family: int) -> None:
    both, here = (target(1, family), target(2, family)), (target(2, family),)
    kernel.install(
        view(
            family,
            selected=Selected(both, here, here, both),
            node_port=30080,
            external_ips=(pack(EXTERNAL[family]),),
            external_local=True,
        )
    )
    for address, port in ((lab.NODE_IP[family], 30080), (EXTERNAL[family], 80)):
        assert {lab.ask(lab.CLIENT, address, port) for _ in range(8)} == {("pod2", lab.CLIENT_IP[family])}
        assert answers(lab.pod(2), address, port) == {"pod1", "pod2"}
        assert answers(lab.NODE, address, port) == {"pod1", "pod2"}


def test_a_service_without_endpoints_refuses_at_once(kernel: Kernel, family: int) -> None:
    kernel.install(view(family, node_port=30080))
    with pytest.raises(ConnectionRefusedError):
        lab.ask(lab.CLIENT, VIP[family], 80)
    with pytest.raises(ConnectionRefusedError):
        lab.ask(lab.CLIENT, lab.NODE_IP[family], 30080)
    errors = lab.icmp_errors(lab.pod(1))
    with pytest.raises(ConnectionRefusedError):
        lab.ask(lab.pod(1), VIP[family], 80)
    assert lab.icmp_errors(lab.pod(1)) == errors, "of which some are lost"


def test_a_port_that_a_cluster_address_does_not_have_is_refused(kernel: Kernel, family: int) -> None:
    kernel.install(view(family, 1))
    with pytest.raises(ConnectionRefusedError):
        lab.ask(lab.pod(1), VIP[family], 81)
    with pytest.raises(TimeoutError):
        lab.ask(lab.pod(1), OTHER_VIP[family], 80, timeout_s=0.3)


def test_endpoints_elsewhere_only_drop_traffic_under_policy_local(kernel: Kernel, family: int) -> None:
    elsewhere = (target(1, family),)
    kernel.install(view(family, selected=Selected(elsewhere, (), (), elsewhere), internal_local=True))
    with pytest.raises(TimeoutError):
        lab.ask(lab.pod(2), VIP[family], 80, timeout_s=0.3)


def test_internal_policy_local_stays_on_the_node(kernel: Kernel, family: int) -> None:
    both, here = (target(1, family), target(2, family)), (target(2, family),)
    kernel.install(view(family, selected=Selected(both, here, here, both), internal_local=True))
    assert answers(lab.pod(1), VIP[family], 80) == {"pod2"}


@pytest.mark.parametrize("kind", ["external_ips", "ingress_ips"])
def test_external_addresses_lead_to_all_endpoints_under_policy_cluster(kernel: Kernel, family: int, kind: str) -> None:
    kernel.install(view(family, 1, 2, **{kind: (pack(EXTERNAL[family]),)}))
    assert answers(lab.CLIENT, EXTERNAL[family], 80) == {"pod1", "pod2"}
    assert lab.ask(lab.CLIENT, EXTERNAL[family], 80)[1] != lab.CLIENT_IP[family]


def test_no_connection_is_lost_while_endpoints_change_and_the_proxy_starts_again(kernel: Kernel, family: int) -> None:
    key = "default/web:http/TCP"
    kernel.install(view(family, 1))

    def change() -> None:
        for pods in ((1, 2), (2,), (1,)) * 20:
            kernel.change(key, view(family, *pods))
            kernel.install()

    with concurrent.futures.ThreadPoolExecutor(1) as background:
        changing = background.submit(change)
        answered, wrong = lab.ask_until(changing.done, lab.CLIENT, VIP[family], 80)
        changing.result()
    assert wrong == []
    assert answered > 10


def test_a_packet_that_has_read_the_shape_before_a_change_still_finds_its_chain(kernel: Kernel, family: int) -> None:
    kernel.install(view(family, 1, 2))
    kernel.change("default/web:http/TCP", view(family, 1))
    (row,) = (each for each in kernel.ledger.rule_set().rows if each[0] == SERVICE_IPS)
    before = row[:-4] + Shape(Kind.CLUSTER, 2).encode()
    asyncio.run(kernel.packets.commit(Delta(add=(before,), remove=(row,))))
    assert answers(lab.CLIENT, VIP[family], 80, 8) == {"pod1"}
    asyncio.run(kernel.packets.commit(Delta(add=(row,), remove=(before,))))
    kernel.change("default/web:http/TCP", view(family, 1, node_port=30080))
    assert "cluster-2" not in asyncio.run(kernel.packets.chains())


def test_a_new_chain_is_there_a_transaction_before_what_leads_to_it(kernel: Kernel, family: int) -> None:
    kernel.install(view(family, 1))
    with lab.inside(lab.NODE):
        news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    with news:
        news.bind((0, NEWS_OF_TABLES))
        kernel.change("default/web:http/TCP", view(family, 1, 2))
        told = list(told_of(news))
    chains = {generation for kind, generation in told if kind == NEW_CHAIN}
    elements = {generation for kind, generation in told if kind == NEW_ELEMENTS}
    assert len(chains) == 1
    assert len(elements - chains) == 1
    assert max(chains) < max(elements)


def told_of(news: socket.socket) -> Iterator[tuple[int, int]]:
    """(what, generation of the rule set) of everything that the kernel has announced."""
    with contextlib.suppress(BlockingIOError):
        while True:
            some = news.recv(1 << 20, socket.MSG_DONTWAIT)
            at = 0
            while at < len(some):
                size, kind = struct.unpack_from("=IH", some, at)
                yield kind, struct.unpack_from(">H", some, at + 18)[0]
                at += size + -size % 4


def test_a_client_returns_to_its_endpoint_until_it_is_gone(kernel: Kernel, family: int) -> None:
    kernel.install(view(family, 1, 2, affinity_s=100, node_port=30080))
    chosen = {lab.ask(lab.CLIENT, VIP[family], 80)[0] for _ in range(12)}
    assert len(chosen) == 1
    other = 2 if chosen == {"pod1"} else 1
    kernel.change("default/web:http/TCP", view(family, other, affinity_s=100, node_port=30080))
    assert answers(lab.CLIENT, VIP[family], 80, 6) == {f"pod{other}"}
    kernel.change("default/web:http/TCP", view(family, 1, 2, affinity_s=100, node_port=30080))
    assert answers(lab.CLIENT, VIP[family], 80, 12) == {f"pod{other}"}
    assert len(answers(lab.CLIENT, lab.NODE_IP[family], 30080, 12)) == 1


def test_source_ranges_close_a_load_balancer_address_to_others(kernel: Kernel, family: int) -> None:
    address = pack(EXTERNAL[family])
    outside = {4: "203.0.113.0/24", 6: "fd99::/64"}[family]
    kernel.install(view(family, 1, ingress_ips=(address,), source_ranges=(outside,)))
    with pytest.raises(TimeoutError):
        lab.ask(lab.CLIENT, EXTERNAL[family], 80, timeout_s=0.3)
    own = f"{lab.CLIENT_IP[family]}/{32 if family == 4 else 128}"
    kernel.change("default/web:http/TCP", view(family, 1, ingress_ips=(address,), source_ranges=(outside, own)))
    assert lab.ask(lab.CLIENT, EXTERNAL[family], 80)[0] == "pod1"


def test_what_is_installed_is_what_was_wanted_and_adopting_it_changes_nothing(kernel: Kernel, family: int) -> None:
    kernel.install(view(family, 1, 2, affinity_s=100, node_port=30080, external_local=True), view(family, name="a/b"))

    async def read_and_adopt() -> int:
        installed = await kernel.packets.dump()
        wanted = kernel.ledger.rule_set()
        assert installed is not None
        assert installed.rows == frozenset(wanted.rows)
        assert installed.chains == frozenset(wanted.chains)
        assert installed.memories == {100}
        return await kernel.packets.adopt(installed, wanted)

    assert asyncio.run(read_and_adopt()) == 0


def test_a_changed_endpoint_is_a_few_rows(kernel: Kernel, family: int) -> None:
    kernel.install(view(family, 1), *(view(family, 1, name=f"a/b{n}", port=1000 + n) for n in range(50)))
    delta = kernel.change("default/web:http/TCP", view(family, 2))
    assert len(delta.add) + len(delta.remove) <= 4
    assert answers(lab.CLIENT, VIP[family], 80, 4) == {"pod2"}


def test_rows_that_somebody_removed_come_back_and_foreign_tables_stay(kernel: Kernel, family: int) -> None:
    nft = "ip6" if family == 6 else "ip"
    lab.run("nft", "add", "table", nft, "foreign", namespace=lab.NODE)
    kernel.install(view(family, 1))
    lab.run("nft", "flush", "map", nft, "kube-proxy", "endpoints", namespace=lab.NODE)
    lab.run("nft", "flush", "chain", nft, "kube-proxy", "services", namespace=lab.NODE)
    with pytest.raises(OSError):
        lab.ask(lab.CLIENT, VIP[family], 80, timeout_s=0.3)
    kernel.install()
    assert lab.ask(lab.CLIENT, VIP[family], 80)[0] == "pod1"
    assert "table ip foreign" in lab.run("nft", "list", "tables", namespace=lab.NODE).replace("ip6", "ip")
    lab.run("nft", "delete", "table", nft, "foreign", namespace=lab.NODE)


def test_a_table_of_another_make_is_replaced_in_one_transaction(kernel: Kernel, family: int) -> None:
    nft = "ip6" if family == 6 else "ip"
    lab.run("nft", "add", "table", nft, "kube-proxy", namespace=lab.NODE)
    lab.run("nft", "add", "chain", nft, "kube-proxy", "old", namespace=lab.NODE)
    kernel.install(view(family, 1))
    assert lab.ask(lab.CLIENT, VIP[family], 80)[0] == "pod1"
    assert "chain old" not in lab.run("nft", "list", "table", nft, "kube-proxy", namespace=lab.NODE)


def test_a_refused_transaction_changes_nothing(kernel: Kernel, family: int) -> None:
    kernel.install(view(family, 1))
    before = asyncio.run(kernel.packets.dump())
    row = kernel.ledger.rule_set().rows[0]
    missing = bytes((row[0],)) + bytes(len(row) - 1)
    with pytest.raises(EdgeError):
        asyncio.run(kernel.packets.commit(Delta(add=(), remove=(missing,))))
    assert asyncio.run(kernel.packets.dump()) == before


def test_nft_can_print_the_table(kernel: Kernel, family: int) -> None:
    kernel.install(view(family, 1, 2, affinity_s=100, node_port=30080, external_local=True))
    printed = lab.run("nft", "list", "ruleset", namespace=lab.NODE)
    assert "map @endpoints" in printed or "map @affinity-endpoints" in printed
