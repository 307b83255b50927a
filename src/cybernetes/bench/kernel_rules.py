"""A network of the measurement's own: a namespace, a host behind it that echoes packets, and news of the kernel's rules."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from cybernetes.base.errors import EdgeError, Outcome, Retry

ECHO_ADDRESS, OWN_ADDRESS = "10.200.0.2", "10.200.0.1"
ECHO_PORT = 7000
_CLONE_NEWNET = 0x40000000
_NETLINK_NETFILTER, _SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, _NFNLGRP_NFTABLES = 12, 270, 1, 7
_ECHO = f"""
import socket
here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
here.bind(("", {ECHO_PORT}))
while True:
    data, sender = here.recvfrom(2048)
    here.sendto(data, sender)
"""


def leave_the_machine() -> None:
    """Move this process, and all that it starts, into a network namespace of its own. Raises EdgeError without root."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        why = f"{os.strerror(ctypes.get_errno())}; run it as root"
        raise EdgeError("make", "a network namespace", why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
    _ip("link set lo up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


@contextlib.contextmanager
def echoing(service_range: str) -> Iterator[None]:
    """Another host behind a link, to which addresses of Services are routed; it sends every packet back."""
    there = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, preexec_fn=leave_the_machine)
    echo = None
    try:
        inside = ["nsenter", f"--net=/proc/{there.pid}/ns/net"]
        _ip(f"link add echo type veth peer name eth0 netns {there.pid}")
        _ip(f"addr add {OWN_ADDRESS}/24 dev echo")
        _ip("link set echo up")
        _ip(f"route add {service_range} via {ECHO_ADDRESS}")
        subprocess.run([*inside, "ip", "addr", "add", f"{ECHO_ADDRESS}/24", "dev", "eth0"], check=True)
        subprocess.run([*inside, "ip", "link", "set", "eth0", "up"], check=True)
        echo = subprocess.Popen([*inside, sys.executable, "-c", _ECHO])
        yield
    finally:
        for each in (echo, there):
            if each is not None:
                each.kill()
                each.wait()


def first_packets(address: str, port: int, count: int) -> list[float]:
    """Milliseconds until the answer to the first packet of each of so many flows, sorted."""
    taken = []
    for n in range(count):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow:
            flow.settimeout(5)
            began = time.perf_counter()
            flow.sendto(n.to_bytes(4, "big"), (address, port))
            flow.recv(2048)
            taken.append((time.perf_counter() - began) * 1e3)
    return sorted(taken)


class RuleNews:
    """Tells when the kernel has taken new rules: it announces every transaction of nf_tables."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_NETFILTER)
        self._socket.bind((0, 0))
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, _NFNLGRP_NFTABLES)

    def forget(self) -> None:
        """All news up to now."""
        with contextlib.suppress(BlockingIOError, OSError):
            while self._socket.recv(1 << 20):
                continue

    async def next(self, limit_s: float) -> float:
        """When (time.perf_counter) rules were taken next. Raises TimeoutError."""
        loop, heard = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._socket, heard.set)
        try:
            async with asyncio.timeout(limit_s):
                await heard.wait()
            return time.perf_counter()
        finally:
            loop.remove_reader(self._socket)

    def close(self) -> None:
        self._socket.close()


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True)
