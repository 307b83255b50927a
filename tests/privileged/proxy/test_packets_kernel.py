"""From Services and EndpointSlices to packets through the kernel, in both modes."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from cybernetes.base.clock import SystemClock
from cybernetes.proxy.config import ProxyConfig
from cybernetes.proxy.conntrack import KernelFlows
from cybernetes.proxy.health import Health

from . import lab, sctp
from .proxied import ENDED, ENDING, HERE, MODES, UNREADY, VIP, ZONE, Proxied, endpoint, service, slice_of
from .test_nft_kernel import answers

pytestmark = pytest.mark.privileged

HEALTH_PORT = 32080


@pytest.fixture(scope="module")
def machines() -> Iterator[lab.Lab]:
    with lab.Lab(pods=3) as made:
        yield made


@pytest.fixture(params=[4, 6])
def family(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(params=MODES)
def proxy(request: pytest.FixtureRequest, machines: lab.Lab, family: int) -> Iterator[Proxied]:
    made = Proxied(request.param, family)
    yield made
    made.close()


def test_connections_are_spread_evenly(proxy: Proxied, family: int) -> None:
    """Chi-squared of 3 counts; above 27.6 by chance once in a million."""
    proxy.apply(service(family), slice_of(family, *(endpoint(family, number) for number in (1, 2, 3))))
    times = 300
    counts = Counter(lab.ask(lab.CLIENT, VIP[family], 80)[0] for _ in range(times))
    expected = times / 3
    assert sum((counts[f"pod{n}"] - expected) ** 2 / expected for n in (1, 2, 3)) < 27.6


@pytest.mark.parametrize(
    ("near", "far"),
    [
        ({"forZones": [{"name": ZONE}]}, {"forZones": [{"name": "zone-b"}]}),
        (
            {"forZones": [{"name": ZONE}], "forNodes": [{"name": HERE}]},
            {"forZones": [{"name": ZONE}], "forNodes": [{"name": "far"}]},
        ),
    ],
    ids=["zone", "node"],
)
def test_packets_stay_near_while_hints_say_so(
    proxy: Proxied, family: int, near: dict[str, object], far: dict[str, object]
) -> None:
    both = (endpoint(family, 1, hints=near), endpoint(family, 2, hints=far))
    proxy.apply(service(family), slice_of(family, *both))
    assert answers(lab.CLIENT, VIP[family], 80, 12) == {"pod1"}
    proxy.apply(slice_of(family, endpoint(family, 1, UNREADY, hints=near), both[1]))
    assert answers(lab.CLIENT, VIP[family], 80, 4) == {"pod2"}
    proxy.apply(slice_of(family, both[0], endpoint(family, 2)))
    assert answers(lab.CLIENT, VIP[family], 80) == {"pod1", "pod2"}


def test_endpoints_that_end_are_used_while_none_is_ready(proxy: Proxied, family: int) -> None:
    proxy.apply(service(family), slice_of(family, endpoint(family, 1), endpoint(family, 2, ENDING)))
    assert answers(lab.CLIENT, VIP[family], 80, 12) == {"pod1"}
    proxy.apply(slice_of(family, endpoint(family, 1, UNREADY), endpoint(family, 2, ENDING)))
    assert answers(lab.CLIENT, VIP[family], 80, 4) == {"pod2"}
    proxy.apply(slice_of(family, endpoint(family, 2, ENDED)))
    with pytest.raises(ConnectionRefusedError):
        lab.ask(lab.CLIENT, VIP[family], 80)


def test_under_policy_local_endpoints_that_end_here_serve_although_others_are_ready(
    proxy: Proxied, family: int
) -> None:
    local = service(family, {"type": "NodePort", "externalTrafficPolicy": "Local"}, node_port=30080)
    proxy.apply(local, slice_of(family, endpoint(family, 1, node="far"), endpoint(family, 2, ENDING)))
    seen = {lab.ask(lab.CLIENT, lab.NODE_IP[family], 30080) for _ in range(4)}
    assert seen == {("pod2", lab.CLIENT_IP[family])}
    assert answers(lab.CLIENT, VIP[family], 80, 4) == {"pod1"}
    proxy.apply(slice_of(family, endpoint(family, 1, node="far")))
    with pytest.raises(TimeoutError):
        lab.ask(lab.CLIENT, lab.NODE_IP[family], 30080, timeout_s=0.3)


class Asking:
    """Opens connections to the service from outside, one after the other, for as long as the context lasts."""

    def __init__(self, family: int) -> None:
        self.answered = 0
        self.wrong: list[str] = []
        self._family = family
        self._enough = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough = True
        self._thread.join()

    def wait(self) -> None:
        """Until a connection that began after this call has been answered, or one has failed."""
        with self._news:
            until = self.answered + 2
            assert self._news.wait_for(lambda: self.answered >= until or self.wrong, 60)

    def _ask(self) -> None:
        while not self._enough:
            try:
                lab.ask(lab.CLIENT, VIP[self._family], 80)
            except OSError as why:
                self.wrong.append(repr(why))
            with self._news:
                self.answered += 1
                self._news.notify_all()


def test_a_rolling_restart_loses_no_connection(proxy: Proxied, family: int, machines: lab.Lab) -> None:
    """Once its end is in the rules, nothing comes to an endpoint any more."""
    pods = (1, 2, 3)
    proxy.apply(service(family), slice_of(family, *(endpoint(family, each) for each in pods)))
    with Asking(family) as asking:
        for gone in pods * 2:
            rest = [endpoint(family, each) for each in pods if each != gone]
            proxy.apply(slice_of(family, *rest, endpoint(family, gone, ENDING)))
            asking.wait()
            machines.stop(gone)
            proxy.apply(slice_of(family, *rest))
            asking.wait()
            machines.start(gone)
            proxy.apply(slice_of(family, *rest, endpoint(family, gone)))
            asking.wait()
    assert asking.wrong == []


def test_a_load_balancer_hears_of_endpoints_here_although_the_node_drops_what_it_does_not_know(
    proxy: Proxied, family: int
) -> None:
    program = "ip6tables" if family == 6 else "iptables"
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": HEALTH_PORT}
    balanced = service(family, spec, node_port=30080)
    proxy.apply(balanced, slice_of(family, endpoint(family, 1), endpoint(family, 2, node="far")))

    async def asked() -> tuple[int, str | None]:
        health = Health(SystemClock(), ProxyConfig(node=HERE, bind=lab.NODE_IP[family]))
        serving = asyncio.create_task(health.run())
        try:
            health.set_services(proxy.state, (family,))
            return await asyncio.to_thread(ask_health, lab.NODE_IP[family])
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    # Only iptables can let something pass that other rules would drop.
    others = ("INPUT", "-p", "tcp", "-j", "DROP" if proxy.mode == "iptables" else "ACCEPT")
    lab.run(program, "-A", *others, namespace=lab.NODE)
    try:
        assert proxy.run(asked()) == (200, "1")
        proxy.apply(slice_of(family, endpoint(family, 2, node="far")))
        assert proxy.run(asked()) == (503, "0")
    finally:
        lab.run(program, "-D", *others, namespace=lab.NODE)


def ask_health(address: str) -> tuple[int, str | None]:
    """(status, weight) of a GET from outside, once the port is open."""
    patience = time.monotonic() + 30
    while True:
        with lab.inside(lab.CLIENT):
            caller = http.client.HTTPConnection(address, HEALTH_PORT, timeout=30)
            try:
                caller.request("GET", "/")
            except ConnectionRefusedError:
                assert time.monotonic() < patience
                continue
        answer = caller.getresponse()
        answer.read()
        caller.close()
        return answer.status, answer.getheader("X-Load-Balancing-Endpoint-Weight")


def test_a_client_may_come_to_another_endpoint_when_its_time_is_over(proxy: Proxied, family: int) -> None:
    sticky = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 1}}}
    both = (endpoint(family, 1), endpoint(family, 2))
    proxy.apply(service(family, sticky), slice_of(family, *both))
    first = lab.ask(lab.CLIENT, VIP[family], 80)[0]
    patience = time.monotonic() + 60
    while lab.ask(lab.CLIENT, VIP[family], 80)[0] == first:
        assert time.monotonic() < patience
        time.sleep(1.1)


def test_udp_clients_move_on_when_their_endpoint_is_gone(proxy: Proxied, family: int) -> None:
    with lab.inside(lab.NODE):
        flows = KernelFlows()
    with lab.inside(lab.CLIENT):
        clients = [
            socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)
        ]
    for client, destination in zip(clients, ((VIP[family], 80), (lab.NODE_IP[family], 30080)), strict=True):
        client.settimeout(30)
        client.connect(destination)

    def ask() -> list[str]:
        for client in clients:
            client.send(b"?")
        return [client.recv(100).decode().split()[0] for client in clients]

    try:
        given = service(family, {"type": "NodePort"}, protocol="UDP", node_port=30080)
        proxy.apply(given, slice_of(family, endpoint(family, 1), protocol="UDP"))
        assert ask() == ["pod1", "pod1"]
        proxy.apply(slice_of(family, endpoint(family, 2), protocol="UDP"))
        assert ask() == ["pod1", "pod1"]
        assert proxy.run(flows.clean(list(proxy.views()))) == 2
        assert ask() == ["pod2", "pod2"]
        assert proxy.run(flows.clean(list(proxy.views()))) == 0
    finally:
        for client in clients:
            client.close()
        flows.close()


def test_an_sctp_association_opens_through_a_service(proxy: Proxied, family: int) -> None:
    proxy.apply(service(family, protocol="SCTP"), slice_of(family, endpoint(family, 2), protocol="SCTP"))
    with lab.inside(lab.CLIENT):
        client = sctp.raw(family)
    with lab.inside(lab.pod(2)):
        server = sctp.raw(family)
    with client, server:
        client.sendto(sctp.opening(40000, 80), (VIP[family], 0))
        caller, source, destination = sctp.received(server)
        assert destination == lab.PORT
        server.sendto(sctp.answer((source, destination)), (caller, 0))
        assert sctp.received(client) == (VIP[family], 80, 40000)
