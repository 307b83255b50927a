"""A pod asks the cluster address of `kube-dns` and is answered by its node's server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import dns.message
import pytest

from ..proxy import lab

pytestmark = pytest.mark.privileged

DRIVER = f"""
import asyncio
from cybernetes.dns.answer import Domain
from cybernetes.dns.objects import Service
from cybernetes.dns.resolve import Resolver
from cybernetes.dns.serve import DnsServer
from cybernetes.dns.zone import Zone
from cybernetes.proxy import plan
from cybernetes.proxy.frame import LocalPods, Settings
from cybernetes.proxy.objects import pack
from cybernetes.proxy.packets.nft import NftPackets
from cybernetes.proxy.select import Selected
from cybernetes.proxy.state import PortView

async def main():
    zone = Zone()
    zone.reduce_service("shop/web", None, Service("shop", "web", ("10.96.0.5",)))
    resolver = Resolver(zone, Domain("cluster.local", "10.96.0.10"), None)
    resolver.complete = True
    server, listening = DnsServer(resolver), asyncio.Event()
    task = asyncio.create_task(server.run("{lab.NODE_IP[4]}", 10053, listening))
    await listening.wait()
    here = (pack("{lab.NODE_IP[4]}") + (10053).to_bytes(2, "big"),)
    views = [
        PortView("kube-system/kube-dns:" + name, protocol, pack("10.96.0.10"), 53, Selected(here, here, here, here))
        for name, protocol in (("dns", 17), ("dns-tcp", 6))
    ]
    packets = NftPackets(4)
    settings = Settings(LocalPods({lab.POD_RANGES!r}), service_ranges=("10.96.0.0/12",))
    await packets.adopt(await packets.dump(), plan.rules(views, 4, settings))
    print("serving", flush=True)
    await task

asyncio.run(main())
"""


@pytest.fixture
def serving() -> Iterator[None]:
    with lab.Lab(pods=1):
        process = subprocess.Popen(
            ["ip", "netns", "exec", lab.NODE, sys.executable, "-c", DRIVER],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"serving\n"
            yield
        finally:
            process.terminate()
            process.wait(60)


@pytest.mark.parametrize("caller", [lab.pod(1), lab.NODE], ids=["pod", "node"])
def test_the_cluster_address_answers_over_udp_and_tcp(serving: None, caller: str) -> None:
    query = dns.message.make_query("web.shop.svc.cluster.local", "A")
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with lab.inside(caller):
            asking = socket.socket(socket.AF_INET, kind)
        with asking:
            asking.settimeout(30)
            asking.connect(("10.96.0.10", 53))
            wire = query.to_wire()
            asking.sendall(wire if kind == socket.SOCK_DGRAM else len(wire).to_bytes(2, "big") + wire)
            data = asking.recv(2000)
        response = dns.message.from_wire(data if kind == socket.SOCK_DGRAM else data[2:])
        assert response.answer[0][0].to_text() == "10.96.0.5"
