"""UDP flows in a real conntrack table."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from cybernetes.proxy import plan
from cybernetes.proxy.conntrack import KernelFlows
from cybernetes.proxy.frame import LocalPods, Settings
from cybernetes.proxy.objects import pack
from cybernetes.proxy.packets.nft import NftPackets
from cybernetes.proxy.state import PortView

from . import lab
from .test_nft_kernel import VIP, view

pytestmark = pytest.mark.privileged


@pytest.fixture(scope="module")
def machines() -> Iterator[lab.Lab]:
    with lab.Lab(pods=2) as made:
        yield made


@pytest.mark.parametrize("family", [4, 6])
def test_a_udp_client_moves_on_when_its_endpoint_is_gone(machines: lab.Lab, family: int) -> None:
    with lab.inside(lab.NODE):
        packets, flows = NftPackets(family), KernelFlows()
    with lab.inside(lab.CLIENT):
        client = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(30)
    client.connect((VIP[family], 53))

    def ask() -> str:
        client.send(b"?")
        return client.recv(100).decode().split()[0]

    async def install(given: PortView) -> None:
        settings = Settings(LocalPods(lab.POD_RANGES), nodeport_ips=(pack(lab.NODE_IP[family]),))
        await packets.adopt(await packets.dump(), plan.rules([given], family, settings))

    first, second = (view(family, number, protocol=17, port=53) for number in (1, 2))
    try:
        asyncio.run(install(first))
        assert ask() == "pod1"
        asyncio.run(install(second))
        assert ask() == "pod1"
        assert asyncio.run(flows.clean([second])) == 1
        assert ask() == "pod2"
        assert asyncio.run(flows.clean([second])) == 0
    finally:
        client.close()
        asyncio.run(packets.remove())
        asyncio.run(packets.close())
        flows.close()
