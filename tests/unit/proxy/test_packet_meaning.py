"""What happens to packets: every cell of the behaviour matrix, sent through the interpreter."""

from __future__ import annotations

import asyncio

import pytest

from cybernetes.base.random import SeededRandom
from cybernetes.proxy import plan
from cybernetes.proxy.frame import LocalPods, Settings
from cybernetes.proxy.objects import pack
from cybernetes.proxy.packets.fake import FakePackets
from cybernetes.proxy.packets.machine import Dropped, Fate, Landed, Machine, Packet, Rejected
from cybernetes.proxy.select import Selected
from cybernetes.proxy.state import PortView

TCP, UDP, SCTP = 6, 17, 132
NODE, POD, OTHER_POD, REMOTE_POD, CLIENT = map(
    pack, ("10.0.0.1", "10.244.1.9", "10.244.1.10", "10.244.2.9", "198.51.100.7")
)
VIP, EXTERNAL, BALANCER = map(pack, ("10.96.0.5", "192.0.2.80", "192.0.2.90"))
PORT = 8080
SETTINGS = Settings(
    LocalPods(("10.244.0.0/16",)), nodeport_ips=(NODE,), node_ips=(NODE,), service_ranges=("10.96.0.0/12",)
)


def target(address: bytes) -> bytes:
    return address + PORT.to_bytes(2, "big")


def view(*cluster: bytes, local: tuple[bytes, ...] = (), **further: object) -> PortView:
    here = tuple(map(target, local))
    given: dict[str, object] = {
        "name": "shop/web:http",
        "protocol": TCP,
        "cluster_ip": VIP,
        "port": 80,
        "selected": Selected(tuple(map(target, cluster)), here, here, tuple(map(target, cluster))),
        "external_ips": (EXTERNAL,),
        "ingress_ips": (BALANCER,),
        "node_port": 30080,
    }
    return PortView(**{**given, **further})  # type: ignore[arg-type]


def machine(*views: PortView, settings: Settings = SETTINGS) -> Machine:
    packets = FakePackets(4)
    asyncio.run(packets.adopt(None, plan.rules(views, 4, settings)))
    return Machine(packets, frozenset((NODE,)), SeededRandom(1))


def packet(source: bytes, destination: bytes, port: int, protocol: int = TCP) -> Packet:
    return Packet(source, destination, protocol, port, local=source == NODE)


def fates(through: Machine, source: bytes, destination: bytes, port: int, protocol: int = TCP) -> set[Fate]:
    return {through.send(packet(source, destination, port, protocol)) for _ in range(40)}


OUTSIDE = ((EXTERNAL, 80), (BALANCER, 80), (NODE, 30080))


def test_a_cluster_address_leads_to_every_endpoint_and_pods_keep_their_source() -> None:
    through = machine(view(POD, REMOTE_POD))
    found = fates(through, OTHER_POD, VIP, 80)
    assert found == {Landed(POD, PORT, False), Landed(REMOTE_POD, PORT, False)}


def test_connections_are_spread_evenly() -> None:
    through = machine(view(POD, OTHER_POD, REMOTE_POD))
    landed = [through.send(packet(CLIENT, VIP, 80)) for _ in range(3000)]
    counts = [sum(1 for each in landed if each == Landed(pod, PORT, True)) for pod in (POD, OTHER_POD, REMOTE_POD)]
    assert sum(counts) == 3000
    assert all(900 < count < 1100 for count in counts)


@pytest.mark.parametrize("source", [NODE, CLIENT])
def test_cluster_address_traffic_from_outside_the_pods_is_masqueraded(source: bytes) -> None:
    assert fates(machine(view(POD)), source, VIP, 80) == {Landed(POD, PORT, True)}


def test_without_a_way_to_tell_pods_only_hairpins_are_masqueraded() -> None:
    through = machine(view(POD, local=(POD,)), settings=Settings(nodeport_ips=(NODE,)))
    assert fates(through, CLIENT, VIP, 80) == {Landed(POD, PORT, False)}
    assert fates(through, POD, VIP, 80) == {Landed(POD, PORT, True)}


def test_masquerade_all_takes_pods_too() -> None:
    through = machine(view(POD), settings=Settings(masquerade_all=True, nodeport_ips=(NODE,)))
    assert fates(through, OTHER_POD, VIP, 80) == {Landed(POD, PORT, True)}


def test_a_pod_reaching_itself_is_masqueraded() -> None:
    assert fates(machine(view(POD, local=(POD,))), POD, VIP, 80) == {Landed(POD, PORT, True)}


@pytest.mark.parametrize(("address", "port"), OUTSIDE)
@pytest.mark.parametrize("source", [CLIENT, NODE, OTHER_POD])
def test_policy_cluster_masquerades_what_comes_to_external_addresses(source: bytes, address: bytes, port: int) -> None:
    found = fates(machine(view(POD, REMOTE_POD, local=(POD,))), source, address, port)
    assert found == {Landed(POD, PORT, True), Landed(REMOTE_POD, PORT, True)}


@pytest.mark.parametrize(("address", "port"), OUTSIDE)
def test_policy_local_keeps_the_source_and_stays_on_the_node(address: bytes, port: int) -> None:
    through = machine(view(POD, REMOTE_POD, local=(POD,), external_local=True))
    assert fates(through, CLIENT, address, port) == {Landed(POD, PORT, False)}


@pytest.mark.parametrize(("address", "port"), OUTSIDE)
def test_policy_local_is_short_circuited_for_pods_and_the_node(address: bytes, port: int) -> None:
    through = machine(view(POD, REMOTE_POD, local=(POD,), external_local=True))
    assert fates(through, OTHER_POD, address, port) == {Landed(POD, PORT, False), Landed(REMOTE_POD, PORT, False)}
    assert fates(through, NODE, address, port) == {Landed(POD, PORT, True), Landed(REMOTE_POD, PORT, True)}


@pytest.mark.parametrize(("address", "port"), OUTSIDE)
def test_policy_local_without_a_local_endpoint_drops_outsiders_but_serves_the_cluster(
    address: bytes, port: int
) -> None:
    through = machine(view(REMOTE_POD, external_local=True))
    assert fates(through, CLIENT, address, port) == {Dropped()}
    assert fates(through, OTHER_POD, address, port) == {Landed(REMOTE_POD, PORT, False)}


@pytest.mark.parametrize(("address", "port"), [(VIP, 80), *OUTSIDE])
@pytest.mark.parametrize("external_local", [False, True])
@pytest.mark.parametrize("source", [CLIENT, OTHER_POD, NODE])
def test_without_any_endpoint_everything_is_rejected(
    source: bytes, external_local: bool, address: bytes, port: int
) -> None:
    through = machine(view(external_local=external_local))
    expected: Fate = Rejected()
    if source == NODE and (address, port) == (NODE, 30080):
        # The input hook is where node ports are refused; what the node sends itself does not pass it here.
        expected = Landed(NODE, 30080, False)
    assert fates(through, source, address, port) == {expected}


def test_internal_policy_local_uses_endpoints_of_the_node_only() -> None:
    through = machine(view(POD, REMOTE_POD, local=(POD,), internal_local=True))
    assert fates(through, OTHER_POD, VIP, 80) == {Landed(POD, PORT, False)}
    assert fates(machine(view(REMOTE_POD, internal_local=True)), OTHER_POD, VIP, 80) == {Dropped()}
    assert fates(machine(view(internal_local=True)), OTHER_POD, VIP, 80) == {Rejected()}


def test_other_ports_of_a_cluster_address_are_rejected_and_unknown_addresses_dropped() -> None:
    through = machine(view(POD))
    assert fates(through, OTHER_POD, VIP, 81) == {Rejected()}
    assert fates(through, OTHER_POD, VIP, 80, UDP) == {Rejected()}
    assert fates(through, OTHER_POD, pack("10.96.9.9"), 80) == {Dropped()}


def test_node_ports_answer_on_the_chosen_addresses_only() -> None:
    other_address = pack("10.9.9.9")
    packets = FakePackets(4)
    asyncio.run(packets.adopt(None, plan.rules([view(POD)], 4, SETTINGS)))
    through = Machine(packets, frozenset((NODE, other_address)), SeededRandom(1))
    assert fates(through, CLIENT, other_address, 30080) == {Landed(other_address, 30080, False)}
    everywhere = Settings(LocalPods(("10.244.0.0/16",)), nodeport_ips=None)
    asyncio.run(packets.adopt(None, plan.rules([view(POD)], 4, everywhere)))
    through = Machine(packets, frozenset((NODE, other_address)), SeededRandom(1))
    assert fates(through, CLIENT, other_address, 30080) == {Landed(POD, PORT, True)}


def test_loopback_addresses_accept_no_node_port_traffic() -> None:
    loopback = pack("127.0.0.1")
    settings = Settings(LocalPods(("10.244.0.0/16",)), nodeport_ips=(loopback, NODE))
    packets = FakePackets(4)
    asyncio.run(packets.adopt(None, plan.rules([view(POD)], 4, settings)))
    through = Machine(packets, frozenset((NODE, loopback)), SeededRandom(1))
    assert fates(through, NODE, loopback, 30080) == {Landed(loopback, 30080, False)}
    assert fates(through, CLIENT, NODE, 30080) == {Landed(POD, PORT, True)}


@pytest.mark.parametrize(("address", "port"), [(VIP, 80), *OUTSIDE])
@pytest.mark.parametrize("protocol", [UDP, SCTP])
def test_every_protocol_is_served_and_for_itself_only(protocol: int, address: bytes, port: int) -> None:
    through = machine(view(POD, protocol=protocol))
    assert fates(through, CLIENT, address, port, protocol) == {Landed(POD, PORT, True)}
    assert Landed(POD, PORT, True) not in fates(through, CLIENT, address, port, TCP)


def test_traffic_that_is_not_for_services_passes_untouched() -> None:
    through = machine(view(POD))
    assert fates(through, OTHER_POD, CLIENT, 443) == {Landed(CLIENT, 443, False)}
    assert fates(through, OTHER_POD, REMOTE_POD, 80) == {Landed(REMOTE_POD, 80, False)}


def test_source_ranges_hold_for_load_balancer_addresses_alone() -> None:
    through = machine(view(POD, source_ranges=("203.0.113.0/24", "203.0.113.128/25")))
    assert fates(through, CLIENT, BALANCER, 80) == {Dropped()}
    assert fates(through, pack("203.0.113.9"), BALANCER, 80) == {Landed(POD, PORT, True)}
    assert fates(through, CLIENT, EXTERNAL, 80) == {Landed(POD, PORT, True)}
    assert fates(through, CLIENT, NODE, 30080) == {Landed(POD, PORT, True)}


def test_a_node_in_the_source_ranges_may_use_the_address_as_its_own() -> None:
    through = machine(view(POD, source_ranges=("10.0.0.0/24",)))
    assert fates(through, BALANCER, BALANCER, 80) == {Landed(POD, PORT, True)}


@pytest.mark.parametrize(("address", "port"), [(VIP, 80), *OUTSIDE])
@pytest.mark.parametrize("external_local", [False, True])
def test_a_client_with_affinity_stays_with_one_endpoint(address: bytes, port: int, external_local: bool) -> None:
    given = view(POD, OTHER_POD, REMOTE_POD, local=(POD, OTHER_POD), affinity_s=60, external_local=external_local)
    through = machine(given)
    homes = [fates(through, bytes((198, 51, 100, n)), address, port) for n in range(20)]
    assert all(len(home) == 1 for home in homes)
    assert len(set.union(*homes)) == (2 if external_local and address != VIP else 3)


def test_affinity_ends_with_the_endpoint() -> None:
    packets = FakePackets(4)
    asyncio.run(packets.adopt(None, plan.rules([view(POD, OTHER_POD, affinity_s=60)], 4, SETTINGS)))
    (first,) = fates(Machine(packets, frozenset((NODE,)), SeededRandom(1)), CLIENT, VIP, 80)
    assert isinstance(first, Landed)
    other = OTHER_POD if first.destination == POD else POD

    async def readopt(*pods: bytes) -> None:
        await packets.adopt(await packets.dump(), plan.rules([view(*pods, affinity_s=60)], 4, SETTINGS))

    asyncio.run(readopt(other))
    assert fates(Machine(packets, frozenset((NODE,)), SeededRandom(2)), CLIENT, VIP, 80) == {Landed(other, PORT, True)}
    asyncio.run(readopt(POD, OTHER_POD))
    assert fates(Machine(packets, frozenset((NODE,)), SeededRandom(3)), CLIENT, VIP, 80) == {Landed(other, PORT, True)}


def test_an_external_address_that_is_another_service_s_cluster_address_does_not_take_it_over() -> None:
    thief = view(OTHER_POD, name="evil/thief", cluster_ip=pack("10.96.0.66"), external_ips=(VIP,), node_port=0)
    for order in ((thief, view(POD)), (view(POD), thief)):
        assert fates(machine(*order), CLIENT, VIP, 80) == {Landed(POD, PORT, True)}


def test_of_two_claims_on_an_external_address_the_first_by_name_wins() -> None:
    first = view(POD, name="a/a", cluster_ip=pack("10.96.0.66"), node_port=0)
    second = view(OTHER_POD, name="b/b", cluster_ip=pack("10.96.0.67"), node_port=0)
    for order in ((first, second), (second, first)):
        assert fates(machine(*order), CLIENT, EXTERNAL, 80) == {Landed(POD, PORT, True)}


def test_pods_can_be_told_by_their_interface() -> None:
    through = machine(view(POD), settings=Settings(LocalPods((), "cni+"), nodeport_ips=(NODE,)))
    from_pod = Packet(CLIENT, VIP, TCP, 80, interface="cni0")
    assert through.send(from_pod) == Landed(POD, PORT, False)
    assert through.send(Packet(CLIENT, VIP, TCP, 80, interface="eth0")) == Landed(POD, PORT, True)
